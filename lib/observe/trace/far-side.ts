/** The asked end of far-host.ts: tables of this host, and what it sees of another host's probe. No daemon is needed. */
import { createInterface } from 'node:readline';
import { formatIpv4 } from '../../addr/ipv4.ts';
import { formatMac, parseMac } from '../../addr/mac.ts';
import { tunnelPorts } from '../../capture/checks.ts';
import { messageOf, WeftError } from '../../error.ts';
import type { FarReply, FarRequest, FarSetup, FarTables } from './far-protocol.ts';
import { bridgeOf, describeRoute, type HostTables, readHostTables } from './host-tables.ts';
import type { Point, Suspect, TableStep } from './model.ts';
import type { Probe } from './probe.ts';
import { Recognizer } from './recognize.ts';
import { passageSuspects } from './suspects.ts';
import { openPlaces, type Place, type PointWatch, withoutFrame } from './watch-points.ts';

/** Answers requests from `input` until it ends. */
export async function servePoints(input: NodeJS.ReadableStream, write: (line: string) => void): Promise<void> {
  let side: FarSide | undefined;
  try {
    for await (const line of createInterface({ input })) {
      const reply = answer(line);
      write(`${JSON.stringify(reply)}\n`);
    }
  } finally {
    side?.close();
  }

  function answer(line: string): FarReply {
    try {
      const request = JSON.parse(line) as FarRequest;
      if (request.ask === 'setup') side = new FarSide(request.setup);
      if (side === undefined) throw new WeftError('USAGE', 'The first request has to be "setup"');
      if (request.ask === 'setup') return { tables: side.tables() };
      if (request.ask === 'points') return { points: side.points() };
      side.watch(request.probe);
      return { watching: true };
    } catch (error) {
      return { error: { code: error instanceof WeftError ? error.code : 'USAGE', message: messageOf(error) } };
    }
  }
}

class FarSide {
  readonly #setup: FarSetup;
  readonly #host: HostTables;
  readonly #places: Place[];
  #watch: PointWatch | undefined;

  constructor(setup: FarSetup) {
    this.#setup = setup;
    const host = readHostTables(undefined, [setup.source, setup.destination, setup.near]);
    this.#host = host;
    const place = (name: Place['place'], device: string | undefined): Place[] =>
      device === undefined || host.link(device) === undefined ? [] : [{ place: name, device, netns: undefined }];
    const inside = host.routeTo(setup.destination).device;
    this.#places = [
      ...place('underlay', host.routeTo(setup.near).device),
      ...place('overlay', setup.overlayDevice),
      ...(inside === setup.overlayDevice ? [] : place('bridge', inside)),
    ];
  }

  tables(): FarTables {
    const { overlayDevice, destination, source, far, vtepMac, wire, protocol } = this.#setup;
    const host = this.#host;
    const where = ` on ${formatIpv4(far)}`;
    const steps: TableStep[] = [];
    const suspects: Suspect[] = [];
    const suspect = (code: string, text: string, hint: string): void => {
      suspects.push({ stage: 'far', code, text, hint, certain: true });
    };
    const link = host.link(overlayDevice);
    if (overlayDevice !== '' && link?.up !== true) {
      const text =
        link === undefined ? `there is no device ${overlayDevice}${where}` : `${overlayDevice} is down${where}`;
      const hint = `on ${formatIpv4(far)}: weft status; systemctl status weftd`;
      suspect(link === undefined ? 'far-daemon-stopped' : 'far-device-down', text, hint);
    }
    const lease = vtepMac === null ? undefined : parseMac(vtepMac);
    if (wire.encapsulation === 'vxlan' && link?.mac !== undefined && lease !== undefined && lease !== link.mac)
      suspect(
        'vtep-mac',
        `the lease says that the VTEP${where} is ${vtepMac}, its ${overlayDevice} is ${formatMac(link.mac)}`,
        `restart weftd${where}: it writes its lease again`,
      );
    const inside = host.routeTo(destination);
    steps.push({
      name: 'far route',
      text: describeRoute(inside, destination),
      state: inside.device === undefined || inside.device === overlayDevice ? 'fault' : 'ok',
    });
    const bridge = bridgeOf(host, destination)?.device;
    if (inside.device === overlayDevice || inside.device === undefined)
      suspect(
        bridge === undefined ? 'no-such-pod' : 'pod-route',
        `no route leads to ${formatIpv4(destination)}${where}${bridge === undefined ? '' : ` by ${bridge}`}`,
        `on ${formatIpv4(far)}: ip route get ${formatIpv4(destination)}`,
      );
    const outside = overlayDevice === '' ? host.routeTo(this.#setup.near).device : overlayDevice;
    const shared = { stage: 'far' as const, protocol, destinationPort: undefined, where, network: this.#setup.network };
    suspects.push(
      ...this.#tunnelSuspects(where),
      ...passageSuspects(host, { ...shared, iif: outside, oif: inside.device ?? bridge, source, destination }),
      ...passageSuspects(host, {
        ...shared,
        iif: inside.device ?? bridge,
        oif: outside,
        source: destination,
        destination: source,
      }),
    );
    for (const { text, certain } of suspects) steps.push({ name: 'far', text, state: certain ? 'fault' : 'unknown' });
    const notes = ['the two hosts have clocks of their own: no time is given from one to the other'];
    if (host.firewall === undefined) notes.push(`the firewall${where} is not known: ${host.firewallReason}`);
    return { steps, suspects, notes };
  }

  /** Whether tunnel packets come in here, and go out. */
  #tunnelSuspects(where: string): Suspect[] {
    const { wire, near, far } = this.#setup;
    if (wire.encapsulation === 'none') return [];
    const device = this.#host.routeTo(near).device;
    const isUdp = wire.encapsulation !== 'ipip';
    const tunnel = {
      stage: 'far' as const,
      protocol: isUdp ? 'udp' : 'ipencap',
      destinationPort: isUdp ? wire.port : undefined,
      where: `${where}, the tunnel packet`,
    };
    return [
      ...passageSuspects(this.#host, { ...tunnel, iif: device, oif: undefined, source: near, destination: far }),
      ...passageSuspects(this.#host, { ...tunnel, iif: undefined, oif: device, source: far, destination: near }),
    ];
  }

  watch(probe: Probe): void {
    this.close();
    const { wire } = this.#setup;
    this.#watch = openPlaces(this.#places, wire, new Recognizer(probe, undefined, tunnelPorts([wire])), 'far');
  }

  points(): Point[] {
    this.#watch?.poll();
    return (this.#watch?.points ?? []).map(withoutFrame);
  }

  close(): void {
    this.#watch?.stop();
    this.#watch = undefined;
  }
}
