/** `weft trace`: the tables, one probe, what was seen of it, and the answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { formatIpv4 } from '../../addr/ipv4.ts';
import { parseMac } from '../../addr/mac.ts';
import { tunnelPorts } from '../../capture/checks.ts';
import { askDaemon } from '../../control/client.ts';
import type { StatsReply } from '../../control/protocol.ts';
import { messageOf, WeftError } from '../../error.ts';
import { drawFrame } from '../../headers/draw.ts';
import type { WireHeader } from '../../headers/fields.ts';
import { buildFrame } from '../../headers/frame.ts';
import { withinNetns } from '../../sys/netns.ts';
import { sendRawIpv4 } from '../../sys/raw-ip-socket.ts';
import { emitEthernetHeader } from '../../wire/ethernet.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4 } from '../../wire/layout/ethernet.ts';
import { type EngineWatch, watchEngine } from './engine-watch.ts';
import { type FarHost, openFarHost } from './far-host.ts';
import { readCounters } from './host-tables.ts';
import type { Answer, Point, Suspect, TableStep } from './model.ts';
import { deviceAddressOf } from './node-tables.ts';
import { leastSize, PROBE_SIZE, PROBE_TTL, type Probe, probePacket } from './probe.ts';
import { Recognizer, type UnderlayEnds } from './recognize.ts';
import { type Situation, situate, type TraceRequest } from './situation.ts';
import { readTables, type Tables } from './tables.ts';
import { decide, type Evidence, lastStage } from './verdict.ts';
import { openPlaces, type Place, type PointWatch, type SeenPoint, withoutFrame } from './watch-points.ts';

export interface TraceOptions extends TraceRequest {
  readonly transport: Probe['transport'];
  readonly port: number;
  /** Bytes of the IP packet; undefined: a small one, then as large as the sender's device lets through. */
  readonly size: number | undefined;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** The other host: by ssh, or "netns:NAME". */
  readonly far: string | undefined;
}

export interface ProbeReport {
  readonly size: number;
  readonly points: readonly Point[];
  readonly answer: Answer;
}

/** `--json`. Keys are stable. */
export interface TraceReport {
  readonly source: string;
  readonly destination: string;
  readonly network: string;
  readonly peer: string | null;
  readonly transport: Probe['transport'];
  readonly port: number | null;
  readonly tables: readonly TableStep[];
  readonly suspects: readonly Suspect[];
  /** The frame on the underlay, as it was seen, else as it would be; null where it is not known. */
  readonly wire: {
    readonly seen: boolean;
    readonly bytes: number;
    readonly headers: readonly WireHeader[];
    /** Of its headers. */
    readonly hex: string;
  } | null;
  readonly probes: readonly ProbeReport[];
  /** What could not be looked at, one sentence each. */
  readonly notes: readonly string[];
  readonly answer: Answer;
}

export async function trace(options: TraceOptions): Promise<TraceReport> {
  const situation = await situate(options);
  const tables = readTables(situation, options);
  const far = options.far === undefined ? undefined : await openFarHost(options.far, situation, tables);
  try {
    const run = new Run(options, situation, tables, far);
    return await run.report();
  } finally {
    far?.close();
  }
}

/** How often what has come is taken. */
const POLL_MS = 5;
/** For what is still on its way when the answer has been seen. */
const AFTERWARDS_MS = 40;
/** Our choice: how late the kernel of a busy machine may hand over what passed a place before the answer did. */
const LATE_MS = 500;

class Run {
  readonly #options: TraceOptions;
  readonly #situation: Situation;
  readonly #tables: Tables;
  readonly #far: FarHost | undefined;
  readonly #notes: string[] = [];
  readonly #suspects: Suspect[];
  #frame: Uint8Array | undefined;
  #id = (Math.floor(performance.timeOrigin + performance.now()) & 0x7fff) | 0x4001;

  constructor(options: TraceOptions, situation: Situation, tables: Tables, far: FarHost | undefined) {
    this.#options = options;
    this.#situation = situation;
    this.#tables = tables;
    this.#far = far;
    this.#suspects = [...tables.suspects, ...(far?.suspects ?? [])];
    if (far !== undefined) this.#notes.push(...far.notes);
  }

  async report(): Promise<TraceReport> {
    const { size } = this.#options;
    // A SYN with data would be odd.
    const small = this.#options.transport === 'icmp' ? PROBE_SIZE : leastSize(this.#options.transport);
    const probes = [await this.#probe(size ?? small, size !== undefined && size > PROBE_SIZE)];
    const largest = Math.min(this.#tables.sourceMtu, 65_535);
    if (size === undefined && probes[0]!.answer.arrived && largest > PROBE_SIZE && this.#options.transport === 'icmp')
      probes.push(await this.#probe(largest, true));
    const { destination, peer, report } = this.#situation;
    return {
      source: formatIpv4(this.#tables.source),
      destination: formatIpv4(destination),
      network: report?.name ?? '',
      peer: peer?.publicIp ?? null,
      transport: this.#options.transport,
      port: this.#options.transport === 'icmp' ? null : this.#options.port,
      tables: [...this.#tables.steps, ...(this.#far?.steps ?? [])],
      suspects: this.#suspects,
      wire: this.#wire(probes[0]!.size),
      probes,
      notes: this.#notes,
      answer: probes.at(-1)!.answer,
    };
  }

  async #probe(size: number, isLarge: boolean): Promise<ProbeReport> {
    const { destination, pod } = this.#situation;
    const { transport, port, timeoutMs } = this.#options;
    this.#id = (this.#id + 1) & 0xffff || 1;
    const probe: Probe = { source: this.#tables.source, destination, transport, port, id: this.#id, size };
    const ends = this.#ends(probe);
    const places = this.#places();
    const watch = openPlaces(places, this.#tables.wire, this.#recognizer(probe, ends), 'here');
    let sendError: Evidence['sendError'];
    let inside: EngineWatch | undefined;
    try {
      inside = await this.#watchEngine(probe);
      await this.#far?.watch(probe);
      const kernel = readCounters(this.#situation.overlayNetns);
      const engine = await this.#drops();
      // What came meanwhile must not fill the rings.
      watch.poll();
      sendError = sendFrom(
        pod === undefined ? this.#situation.overlayNetns : pod.netns,
        probePacket(probe),
        destination,
      );
      if (ends !== undefined) this.#pingPeer(ends);
      await this.#wait(watch, places, sendError === undefined ? timeoutMs : Math.min(timeoutMs, 100));
      const farPoints = (await this.#far?.points()) ?? [];
      await inside?.stop();
      for (const { device, frames } of watch.lost())
        this.#notes.push(`${device} is too busy: ${frames} of its packets were not seen, perhaps the probe among them`);
      const points = [...watch.points.map(withoutFrame), ...(inside?.points ?? []), ...farPoints].sort(byTime);
      this.#frame ??= watch.points.find(
        (p) => p.kind === 'probe' && p.place === 'underlay' && p.direction === 'out',
      )?.frame;
      const answer = decide({
        ...this.#shape(points),
        suspects: this.#suspects,
        sendError,
        destination: formatIpv4(destination),
        peer: this.#situation.peer?.publicIp ?? '',
        ownAddresses: this.#ownAddresses(),
        kernelDrops: risen(kernel, readCounters(this.#situation.overlayNetns)),
        engineDrops: risen(engine, await this.#drops()),
        isLarge,
        tunnel: tunnelWords(this.#tables),
        hasFar: this.#far !== undefined,
        size,
      });
      return { size, points, answer };
    } finally {
      await inside?.stop();
      watch.stop();
    }
  }

  /** Undefined where no packet passes weftd, and where its tap cannot be read, which is said. */
  async #watchEngine(probe: Probe): Promise<EngineWatch | undefined> {
    const { status, report, isLocal } = this.#situation;
    if (status === undefined || isLocal || this.#tables.overlayDevice === '') return undefined;
    const { socket } = status.tap;
    let why = 'it has no tap (--tap-socket)';
    if (socket !== null) {
      try {
        return await watchEngine(socket, report?.name, this.#recognizer(probe, undefined));
      } catch (error) {
        why = messageOf(error);
      }
    }
    const note = `inside weftd the probe is not watched: ${why}`;
    if (!this.#notes.includes(note)) this.#notes.push(note);
    return undefined;
  }

  #shape(points: readonly Point[]): Pick<Evidence, 'points' | 'fromPod' | 'hasOverlay' | 'isLocal'> {
    return {
      points,
      fromPod: this.#situation.pod !== undefined,
      hasOverlay: this.#tables.overlayDevice !== '' && this.#sendsThroughOverlay(),
      isLocal: this.#situation.isLocal,
    };
  }

  /** VXLAN's DirectRouting goes past the overlay device. */
  #sendsThroughOverlay(): boolean {
    const { overlay, overlayDevice, underlayDevice } = this.#tables;
    const { route, device } = overlay.routeTo(this.#situation.destination);
    return device === overlayDevice || device !== underlayDevice || route?.gateway === undefined;
  }

  async #wait(watch: PointWatch, places: readonly Place[], timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    let answered = Number.POSITIVE_INFINITY;
    for (;;) {
      await delay(POLL_MS);
      watch.poll();
      const now = performance.now();
      const { points } = watch;
      const hasArrived = lastStage(this.#shape(points)) === 'arrived';
      if (hasArrived || points.some(({ kind }) => kind === 'error')) answered = Math.min(answered, now);
      const isLate = hasArrived && !places.every((place) => wasPassed(place, points));
      // One that came when the time was over, too: what it passed is to be seen.
      const isAnswered = Number.isFinite(answered);
      if (now > (isAnswered ? answered + (isLate ? LATE_MS : AFTERWARDS_MS) : end)) break;
    }
    // The capture holds packets back for a moment, to have them in order.
    await delay(AFTERWARDS_MS);
    watch.poll();
  }

  #recognizer(probe: Probe, ends: UnderlayEnds | undefined): Recognizer {
    return new Recognizer(probe, ends, tunnelPorts([this.#tables.wire]));
  }

  #ends({ id }: Probe): UnderlayEnds | undefined {
    const { ownAddress: own, peerAddress: peer } = this.#tables;
    if (own === undefined || peer === undefined) return undefined;
    return { own, peer, peerDevice: this.#deviceEnds()?.destination, echoId: (id + 0x2000) & 0xffff };
  }

  #places(): Place[] {
    const { veth, bridge, overlayDevice, underlayDevice } = this.#tables;
    const { overlayNetns, underlayNetns, isLocal } = this.#situation;
    const places: Place[] = [];
    if (veth !== undefined) places.push({ place: 'pod veth', device: veth, netns: overlayNetns });
    if (bridge !== undefined) places.push({ place: 'bridge', device: bridge, netns: overlayNetns });
    const { device } = this.#tables.overlay.routeTo(this.#situation.destination);
    if (isLocal && bridge === undefined && device !== undefined)
      places.push({ place: 'bridge', device, netns: overlayNetns });
    if (isLocal) return places;
    if (overlayDevice !== '') places.push({ place: 'overlay', device: overlayDevice, netns: overlayNetns });
    if (underlayDevice !== '') places.push({ place: 'underlay', device: underlayDevice, netns: underlayNetns });
    if (places.length === 0 && device !== undefined) places.push({ place: 'overlay', device, netns: overlayNetns });
    return places;
  }

  /**
   * On the underlay, and its device through the tunnel: tells a peer that is gone from one that does not take the tunnel, and
   * that from a pod that is not there. A failure says nothing more.
   */
  #pingPeer({ own, peer, echoId }: UnderlayEnds): void {
    const echo = { transport: 'icmp', port: 0, id: echoId, size: PROBE_SIZE } as const;
    sendFrom(this.#situation.underlayNetns, probePacket({ ...echo, source: own, destination: peer }), peer);
    const device = this.#deviceEnds();
    if (device !== undefined)
      sendFrom(this.#situation.overlayNetns, probePacket({ ...echo, ...device }), device.destination);
  }

  /** From our device of the overlay to the peer's; undefined where packets go another way. */
  #deviceEnds(): { readonly source: number; readonly destination: number } | undefined {
    const { overlay, overlayDevice } = this.#tables;
    const destination = deviceAddressOf(this.#situation.peer?.subnet);
    if (destination === undefined || overlayDevice === '') return undefined;
    if (overlay.routeTo(destination).device !== overlayDevice) return undefined;
    const index = overlay.link(overlayDevice)?.index;
    const source = overlay.addresses.find(({ family, interfaceIndex }) => family === 4 && interfaceIndex === index);
    return typeof source?.address === 'number' ? { source: source.address, destination } : undefined;
  }

  async #drops(): Promise<Map<string, number>> {
    const { status, report } = this.#situation;
    if (status === undefined) return new Map();
    try {
      const name = report === undefined || report.name === '' ? undefined : report.name;
      const stats: StatsReply = await askDaemon(this.#options.controlSocket, '/v1/stats', name);
      return new Map(Object.entries(stats.drops));
    } catch {
      // A network without a data plane has none.
      return new Map();
    }
  }

  #ownAddresses(): Set<string> {
    const { overlay, underlay } = this.#tables;
    const own = [...underlay.addresses, ...overlay.addresses].filter(({ family }) => family === 4);
    return new Set(
      [this.#tables.ownAddress, ...own.map(({ address }) => address)]
        .filter((address) => typeof address === 'number' && address >>> 24 !== 127)
        .map((address) => formatIpv4(address as number)),
    );
  }

  #wire(size: number): TraceReport['wire'] {
    const seen = this.#frame !== undefined;
    const frame = this.#frame ?? this.#planned(size);
    if (frame === undefined) return null;
    const headers = drawFrame(frame, this.#tables.wire);
    const last = headers.at(-1)?.fields.at(-1);
    const end = last === undefined ? frame.length : last.at + last.length;
    return { seen, bytes: frame.length, headers, hex: Buffer.from(frame.subarray(0, end)).toString('hex') };
  }

  /** As it would be; undefined while the next hop's address is not known. */
  #planned(size: number): Uint8Array | undefined {
    const { underlay, underlayDevice, ownAddress, peerAddress, wire, source } = this.#tables;
    if (ownAddress === undefined || peerAddress === undefined) return undefined;
    const hop = underlay.routeTo(peerAddress).route?.gateway ?? peerAddress;
    const link = underlay.link(underlayDevice);
    const next = underlay.neighbors.find((n) => n.interfaceIndex === link?.index && n.address === hop);
    const fromPod = this.#situation.pod !== undefined;
    const ttl = PROBE_TTL - (fromPod ? 1 : 0) - (wire.encapsulation === 'ip-in-udp' ? 1 : 0);
    const { transport, port } = this.#options;
    const probe = { source, destination: this.#situation.destination, transport, port, id: this.#id, size };
    const packet = probePacket(probe, ttl);
    return buildFrame(
      {
        wire,
        sourceMac: link?.mac ?? 0,
        destinationMac: next?.mac ?? 0,
        source: ownAddress,
        destination: peerAddress,
        // VXLAN leaves by one of eight ports, chosen by the flow.
        sourcePort: wire.encapsulation === 'ip-in-udp' ? wire.port : 0,
        // As flannel's kernel device: docs/wire-formats.md.
        dontFragment: wire.encapsulation !== 'vxlan',
        outerId: 0,
        tos: 0,
        ttl: 64,
      },
      wire.encapsulation === 'vxlan' ? this.#ofVteps(packet) : packet,
    );
  }

  /** From this node's VTEP to the peer's. */
  #ofVteps(packet: Uint8Array): Uint8Array {
    const { overlay, overlayDevice } = this.#tables;
    const frame = new Uint8Array(ETHERNET_HEADER + packet.length);
    emitEthernetHeader(new DataView(frame.buffer), 0, {
      source: overlay.link(overlayDevice)?.mac ?? 0,
      destination: parseMac(this.#situation.peer?.vtepMac ?? '') ?? 0,
      type: ETHERTYPE_IPV4,
    });
    frame.set(packet, ETHERNET_HEADER);
    return frame;
  }
}

/** There and back. */
function wasPassed({ place }: Place, points: readonly SeenPoint[]): boolean {
  return (['probe', 'answer'] as const).every((kind) => points.some((p) => p.place === place && p.kind === kind));
}

function sendFrom(netns: string | undefined, packet: Uint8Array, destination: number): Evidence['sendError'] {
  try {
    withinNetns(netns, () => sendRawIpv4(packet, destination));
    return undefined;
  } catch (error) {
    if (error instanceof WeftError && error.code !== 'NOT_PERMITTED')
      return { code: error.code, message: messageOf(error) };
    throw error;
  }
}

function tunnelWords({ wire }: Tables): string {
  if (wire.encapsulation === 'none') return '';
  return wire.encapsulation === 'ipip' ? 'IP protocol 4' : `UDP port ${wire.port}`;
}

function byTime(a: Point, b: Point): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

function risen(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> {
  const risen = new Map<string, number>();
  for (const [name, value] of after) {
    const rise = value - (before.get(name) ?? 0);
    if (rise > 0) risen.set(name, rise);
  }
  return risen;
}
