/** The first part of a trace: what the daemon's and the kernel's tables say, and who is suspect. No packet is sent. */
import { formatIpv4 } from '../../addr/ipv4.ts';
import { formatMac, parseMac } from '../../addr/mac.ts';
import { overheadOf } from '../../headers/frame.ts';
import { describeRoute } from './host-tables.ts';
import type { Suspect, TableStep } from './model.ts';
import { deviceAddressOf, type NodeTables, readNodeTables } from './node-tables.ts';
import type { Probe } from './probe.ts';
import type { Situation } from './situation.ts';
import { missingPodRoute, passageSuspects } from './suspects.ts';

export interface Tables extends NodeTables {
  readonly steps: readonly TableStep[];
  readonly suspects: readonly Suspect[];
}

export function readTables(situation: Situation, probe: Pick<Probe, 'transport' | 'port'>): Tables {
  const read = readNodeTables(situation);
  const walk = new Walk(situation, read, probe);
  if (situation.isLocal) walk.local();
  else walk.remote();
  return { ...read, steps: walk.steps, suspects: walk.suspects };
}

/** Goes along the packet's way, in its order. */
class Walk {
  readonly steps: TableStep[] = [];
  readonly suspects: Suspect[] = [];
  readonly #situation: Situation;
  readonly #read: NodeTables;
  readonly #probe: Pick<Probe, 'transport' | 'port'>;

  constructor(situation: Situation, read: NodeTables, probe: Pick<Probe, 'transport' | 'port'>) {
    this.#situation = situation;
    this.#read = read;
    this.#probe = probe;
  }

  remote(): void {
    this.#daemon();
    this.#lease();
    this.#route();
    this.#device();
    this.#neighbor();
    this.#fdb();
    this.#passages();
    this.#underlay();
    this.#socket();
    this.#sizes();
  }

  local(): void {
    const { destination } = this.#situation;
    const answer = this.#read.overlay.routeTo(destination);
    this.#step('lease', `${formatIpv4(destination)} is a pod of this host`, 'ok');
    this.#step('route', describeRoute(answer, destination), answer.device === undefined ? 'fault' : 'ok');
    const lost = missingPodRoute(this.#read.overlay, destination, 'forward', '');
    if (lost !== undefined) this.suspects.push(lost);
  }

  #step(name: string, text: string, state: TableStep['state']): void {
    this.steps.push({ name, text, state });
  }

  #suspect(suspect: Omit<Suspect, 'certain'>): void {
    this.suspects.push({ ...suspect, certain: true });
  }

  #daemon(): void {
    const { status, daemonError, report } = this.#situation;
    if (status === undefined) {
      this.#step('weftd', `${daemonError ?? 'does not answer'}`, 'fault');
      const text = `weftd does not run on this host: ${daemonError ?? ''}`;
      for (const stage of ['forward', 'engine', 'source'] as const)
        this.#suspect({ stage, code: 'daemon-stopped', text, hint: 'systemctl start weftd; journalctl -u weftd' });
      return;
    }
    const state = report?.state ?? status.state;
    this.#step('weftd', `${status.version}, ${state}`, state === 'ready' ? 'ok' : 'fault');
    for (const alarm of report?.alarms ?? []) this.#step('alarm', alarm, 'fault');
  }

  #lease(): void {
    const { peer, ignored, destination, status, report } = this.#situation;
    if (status === undefined) return;
    if (peer === undefined) {
      const address = formatIpv4(destination);
      const text =
        ignored === undefined
          ? `no lease has ${address}: no node holds that subnet`
          : `the lease of ${ignored.subnet} (${ignored.publicIp}) is not used: ${ignored.note ?? ''}`;
      this.#step('lease', text, 'fault');
      const code = ignored === undefined ? 'no-lease' : 'lease-ignored';
      for (const stage of ['source', 'forward', 'engine', 'underlay'] as const)
        this.#suspect({ stage, code, text, hint: 'weft peers; is weftd running on the node of that pod?' });
      return;
    }
    const type = peer.backendType === '' ? (report?.backend?.type ?? '') : peer.backendType;
    const text = `${peer.subnet} of ${peer.publicIp}, ${type}`;
    this.#step('lease', peer.note === null ? text : `${text}: ${peer.note}`, peer.note === null ? 'ok' : 'fault');
    if (!peer.leaving) return;
    this.#suspect({
      stage: 'far',
      code: 'lease-gone',
      text: `the lease of ${peer.subnet} (${peer.publicIp}) is gone from the store, and nothing there answers`,
      hint: `start weftd on ${peer.publicIp}: it writes its lease again`,
    });
  }

  #route(): void {
    const { overlay, overlayDevice, underlayDevice } = this.#read;
    const { destination, status } = this.#situation;
    const answer = overlay.routeTo(destination);
    const wanted = overlayDevice === '' ? underlayDevice : overlayDevice;
    // DirectRouting sends by the underlay, on purpose.
    const fits = answer.device === wanted || (answer.device === underlayDevice && answer.route?.gateway !== undefined);
    const mtu = overlay.link(answer.device)?.mtu;
    const text = describeRoute(answer, destination);
    this.#step('route', mtu === undefined ? text : `${text}, MTU ${mtu}`, fits ? 'ok' : 'fault');
    if (fits || status === undefined) return;
    const leads = answer.device === undefined ? 'leads nowhere' : `leads to ${answer.device}, not ${wanted}`;
    for (const stage of ['source', 'forward'] as const)
      this.#suspect({
        stage,
        code: 'route',
        text: `${formatIpv4(destination)} ${leads}`,
        hint: `ip route get ${formatIpv4(destination)}; weft routes`,
      });
  }

  #device(): void {
    const { overlay, overlayDevice } = this.#read;
    if (overlayDevice === '') return;
    const link = overlay.link(overlayDevice);
    if (link?.up === true) {
      this.#step('device', `${overlayDevice}, up, MTU ${link.mtu}`, 'ok');
      return;
    }
    const text = link === undefined ? `there is no device ${overlayDevice}` : `${overlayDevice} is down`;
    this.#step('device', text, 'fault');
    // Without the device there are no routes: this comes before what they say.
    const hint = `ip link set ${overlayDevice} up; weft status; journalctl -u weftd`;
    for (const stage of ['source', 'forward', 'engine'] as const)
      this.suspects.unshift({
        stage,
        code: link === undefined ? 'device-missing' : 'device-down',
        text,
        hint,
        certain: true,
      });
  }

  #neighbor(): void {
    const { peer } = this.#situation;
    const { overlay, overlayDevice, wire } = this.#read;
    const gateway = deviceAddressOf(peer?.subnet);
    if (wire.encapsulation !== 'vxlan' || peer === undefined || gateway === undefined) return;
    if (!this.#usesOverlay()) return;
    const index = overlay.link(overlayDevice)?.index;
    const entry = overlay.neighbors.find((n) => n.interfaceIndex === index && n.address === gateway);
    const mac = entry?.mac === undefined ? undefined : formatMac(entry.mac);
    const fits = mac !== undefined && (peer.vtepMac === null || parseMac(peer.vtepMac) === entry?.mac);
    const text = `${formatIpv4(gateway)} is ${mac ?? 'not known'}`;
    this.#step(
      'neighbor',
      fits ? `${text}, as the lease says` : `${text}, the lease says ${peer.vtepMac}`,
      fits ? 'ok' : 'fault',
    );
    if (fits) return;
    this.#suspect({
      stage: mac === undefined ? 'forward' : 'far',
      code: 'neighbor',
      text: `the neighbor ${text}; the lease says ${peer.vtepMac}`,
      hint: `ip neigh show dev ${overlayDevice}`,
    });
  }

  /** weftd's own: behind which VTEP the neighbor's MAC address is. */
  #fdb(): void {
    const { peer, fdb } = this.#situation;
    if (this.#read.wire.encapsulation !== 'vxlan' || peer?.vtepMac == null || !this.#usesOverlay()) return;
    const entry = fdb.find(({ mac }) => parseMac(mac) === parseMac(peer.vtepMac ?? ''));
    const fits = entry?.vtep === peer.publicIp;
    const text = `${peer.vtepMac} is ${entry === undefined ? 'behind no VTEP' : `behind ${entry.vtep}`}`;
    this.#step('fdb', fits ? text : `${text}, the lease says ${peer.publicIp}`, fits ? 'ok' : 'fault');
    if (fits) return;
    this.#suspect({ stage: 'engine', code: 'fdb', text: `the FDB entry ${text}`, hint: 'weft fdb; weft peers' });
  }

  /** DirectRouting sends by the underlay. */
  #usesOverlay(): boolean {
    const { overlay, overlayDevice } = this.#read;
    return overlay.routeTo(this.#situation.destination).device === overlayDevice;
  }

  /** By which weftd sends. */
  #socket(): void {
    const { wire, ownAddress, peerAddress } = this.#read;
    if (ownAddress === undefined || peerAddress === undefined || !this.#usesOverlay()) return;
    const [own, peer] = [formatIpv4(ownAddress), formatIpv4(peerAddress)];
    if (wire.encapsulation === 'ip-in-udp')
      this.#step('socket', `UDP ${own}:${wire.port} to ${peer}:${wire.port}`, 'ok');
    if (wire.encapsulation === 'vxlan') {
      const from = 'source port one of eight, by the flow';
      this.#step('socket', `UDP ${own} to ${peer}:${wire.port}, ${from}`, 'ok');
    }
    if (wire.encapsulation === 'ipip') this.#step('socket', `raw, IP protocol 4, ${own} to ${peer}`, 'ok');
  }

  /** Through this host, there and back. */
  #passages(): void {
    const { overlay, overlayDevice, underlayDevice, bridge, veth, source } = this.#read;
    const { destination } = this.#situation;
    const oif = overlay.routeTo(destination).device ?? (overlayDevice || underlayDevice);
    const inside = bridge ?? veth;
    const { transport, port } = this.#probe;
    const shared = { protocol: transport, where: '', network: this.#situation.report?.network?.ipv4 };
    const there = passageSuspects(overlay, {
      ...shared,
      stage: inside === undefined ? 'source' : 'forward',
      iif: inside,
      oif,
      source,
      destination,
      destinationPort: port === 0 ? undefined : port,
    });
    const back = passageSuspects(overlay, {
      ...shared,
      stage: 'return-forward',
      iif: oif,
      oif: inside,
      source: destination,
      destination: source,
      destinationPort: undefined,
    });
    const pod = inside === undefined ? undefined : missingPodRoute(overlay, source, 'return-forward', '');
    const all = [...there, ...back, ...(pod === undefined ? [] : [pod])];
    this.suspects.push(...all);
    const known = overlay.firewall === undefined ? `the firewall is not known: ${overlay.firewallReason}` : '';
    const certain = all.filter(({ certain }) => certain);
    for (const text of new Set(certain.map((suspect) => suspect.text))) this.#step('forward', text, 'fault');
    for (const { text, certain: sure } of all) if (!sure) this.#step('forward', text, 'unknown');
    if (all.length === 0 && known === '') this.#step('forward', this.#forwardText(inside, oif), 'ok');
    if (known !== '') this.#step('forward', known, 'unknown');
  }

  #forwardText(inside: string | undefined, oif: string): string {
    const { overlay } = this.#read;
    if (inside === undefined) return 'sent by the host itself; no rule of the firewall drops it';
    return `${inside} to ${oif}: ip_forward 1, rp_filter ${overlay.rpFilter(inside)}, no drop rule`;
  }

  #underlay(): void {
    const { underlay, underlayDevice, peerAddress, ownAddress, wire } = this.#read;
    if (peerAddress === undefined || ownAddress === undefined) return;
    const answer = underlay.routeTo(peerAddress);
    const link = underlay.link(answer.device);
    const text = `${describeRoute(answer, peerAddress)}${link === undefined ? '' : `, MTU ${link.mtu}`}`;
    const fits = answer.device !== undefined && link?.up === true;
    this.#step('underlay', text, fits ? 'ok' : 'fault');
    if (!fits)
      this.#suspect({
        stage: 'engine',
        code: 'underlay-route',
        text: `the peer's address has no way on the underlay: ${text}`,
        hint: `ip route get ${formatIpv4(peerAddress)}`,
      });
    if (answer.device !== undefined && answer.device !== underlayDevice)
      this.#step('underlay', `weftd uses ${underlayDevice}, the route another device`, 'unknown');
    if (wire.encapsulation === 'none') return;
    const isUdp = wire.encapsulation !== 'ipip';
    const shared = { protocol: isUdp ? 'udp' : 'ipencap', where: ', the tunnel packet' };
    const port = isUdp ? wire.port : undefined;
    const out = { ...shared, iif: undefined, oif: underlayDevice, source: ownAddress, destination: peerAddress };
    const back = { ...shared, iif: underlayDevice, oif: undefined, source: peerAddress, destination: ownAddress };
    this.suspects.push(
      ...passageSuspects(underlay, { ...out, stage: 'engine', destinationPort: port }),
      ...passageSuspects(underlay, { ...back, stage: 'return-engine', destinationPort: port }),
    );
  }

  #sizes(): void {
    const { underlay, underlayDevice, overlay, overlayDevice, wire, sourceMtu } = this.#read;
    const outside = underlay.link(underlayDevice)?.mtu;
    if (outside === undefined) return;
    const overhead = overheadOf(wire);
    const inner = Math.max(sourceMtu, overlay.link(overlayDevice)?.mtu ?? 0);
    const fits = inner + overhead <= outside;
    const text = `${inner} inside + ${overhead} of ${wire.encapsulation === 'none' ? 'nothing' : 'headers'} = ${inner + overhead}, ${underlayDevice} has ${outside}`;
    this.#step('sizes', text, fits ? 'ok' : 'fault');
    if (fits) return;
    for (const stage of ['engine', 'underlay'] as const)
      this.#suspect({
        stage,
        code: 'mtu',
        text: `a full packet does not fit: ${text}`,
        hint: `restart weftd, then the pods: their MTU is at most ${outside - overhead}`,
      });
  }
}
