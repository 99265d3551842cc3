/** Knows the probe, its answer and what is said about it, in any packet of any edge. */
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { Layers, type TunnelPorts } from '../../capture/layers.ts';
import { ipv4Destination, ipv4HeaderLength, ipv4Id, ipv4Protocol, ipv4Source, ipv4Ttl } from '../../wire/ipv4.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_REST,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
} from '../../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_TCP, IPPROTO_UDP } from '../../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { TCP_FLAGS, TCP_RST } from '../../wire/layout/tcp.ts';
import { UDP_DESTINATION_PORT } from '../../wire/layout/udp.ts';
import type { Point, PointKind } from './model.ts';
import { type Probe, protocolOf, sourcePortOf } from './probe.ts';

/** Both ends on the underlay, for what is asked and said there. */
export interface UnderlayEnds {
  readonly own: Ipv4;
  readonly peer: Ipv4;
  /** Address of the peer's own device in the overlay; undefined where it has none. */
  readonly peerDevice: Ipv4 | undefined;
  /** Identifier of the echoes that are sent to peer and device beside the probe. */
  readonly echoId: number;
}

export interface Recognized {
  readonly kind: PointKind;
  readonly note: string | null;
  readonly by: string | null;
  readonly icmp: Point['icmp'];
}

const UNREACHABLE: readonly string[] = ['net', 'host', 'protocol', 'port'];

export class Recognizer {
  readonly #probe: Probe;
  readonly #ends: UnderlayEnds | undefined;
  readonly #tunnels: TunnelPorts;
  readonly #layers = new Layers();

  constructor(probe: Probe, ends: UnderlayEnds | undefined, tunnels: TunnelPorts) {
    this.#probe = probe;
    this.#ends = ends;
    this.#tunnels = tunnels;
  }

  get probe(): Probe {
    return this.#probe;
  }

  /** Undefined: not ours. */
  recognize(bytes: Uint8Array, hasEthernet: boolean): Recognized | undefined {
    const layers = this.#layers;
    const count = layers.read(bytes, 0, bytes.length, hasEthernet, this.#tunnels);
    if (count === 0) return undefined;
    const level = count - 1;
    const ip = layers.ip[level]!;
    const transport = layers.transport[level]!;
    if (layers.isIpv6[level] === true || transport < 0) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return (
      this.#asProbe(view, ip) ??
      this.#asAnswer(view, ip, transport) ??
      this.#asError(view, ip, transport) ??
      this.#asEcho(view, ip, transport)
    );
  }

  #isProbe(view: DataView, ip: number): boolean {
    const { id, destination } = this.#probe;
    return (
      ipv4Id(view, ip) === id &&
      ipv4Destination(view, ip) === destination &&
      ipv4Protocol(view, ip) === protocolOf(this.#probe)
    );
  }

  #asProbe(view: DataView, ip: number): Recognized | undefined {
    if (!this.#isProbe(view, ip)) return undefined;
    const source = ipv4Source(view, ip);
    const ttl = `TTL ${ipv4Ttl(view, ip)}`;
    const note = source === this.#probe.source ? ttl : `${ttl}, from ${formatIpv4(source)}: masqueraded`;
    return { kind: 'probe', note, by: null, icmp: null };
  }

  #asAnswer(view: DataView, ip: number, at: number): Recognized | undefined {
    const probe = this.#probe;
    if (ipv4Source(view, ip) !== probe.destination || ipv4Protocol(view, ip) !== protocolOf(probe)) return undefined;
    if (at + 8 > view.byteLength) return undefined;
    const by = formatIpv4(probe.destination);
    const ttl = `TTL ${ipv4Ttl(view, ip)}`;
    if (probe.transport === 'icmp') {
      if (view.getUint8(at) !== ICMP_ECHO_REPLY || view.getUint16(at + ICMP_REST) !== probe.id) return undefined;
      return { kind: 'answer', note: ttl, by, icmp: null };
    }
    if (view.getUint16(at) !== probe.port || view.getUint16(at + 2) !== sourcePortOf(probe)) return undefined;
    const isReset = ipv4Protocol(view, ip) === IPPROTO_TCP && (view.getUint8(at + TCP_FLAGS) & TCP_RST) !== 0;
    return { kind: 'answer', note: isReset ? `${ttl}, reset: the port is closed` : ttl, by, icmp: null };
  }

  #asError(view: DataView, ip: number, at: number): Recognized | undefined {
    const quoted = at + 8;
    if (ipv4Protocol(view, ip) !== IPPROTO_ICMP || quoted + IPV4_HEADER_MIN > view.byteLength) return undefined;
    const type = view.getUint8(at);
    const code = view.getUint8(at + 1);
    if (type !== ICMP_UNREACHABLE && type !== ICMP_TIME_EXCEEDED) return undefined;
    const mtu = type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED ? view.getUint16(at + 6) : 0;
    const by = formatIpv4(ipv4Source(view, ip));
    const icmp = { type, code, mtu };
    const told = { note: describeError(icmp), by, icmp };
    if (this.#isProbe(view, quoted)) {
      // What the destination says of the port itself is an answer: the probe has arrived.
      const isClosed = type === ICMP_UNREACHABLE && code === 3 && ipv4Source(view, ip) === this.#probe.destination;
      return { kind: isClosed ? 'answer' : 'error', ...told };
    }
    const ends = this.#ends;
    const isTunnel =
      ends !== undefined &&
      ipv4Source(view, quoted) === ends.own &&
      ipv4Destination(view, quoted) === ends.peer &&
      this.#isTunnelPacket(view, quoted);
    return isTunnel ? { kind: 'underlay-error', ...told } : undefined;
  }

  #isTunnelPacket(view: DataView, ip: number): boolean {
    const protocol = ipv4Protocol(view, ip);
    if (protocol === IPPROTO_IPIP) return true;
    const at = ip + ipv4HeaderLength(view, ip);
    return (
      protocol === IPPROTO_UDP &&
      at + 4 <= view.byteLength &&
      this.#tunnels.has(view.getUint16(at + UDP_DESTINATION_PORT))
    );
  }

  #asEcho(view: DataView, ip: number, at: number): Recognized | undefined {
    const ends = this.#ends;
    if (ends === undefined || ipv4Protocol(view, ip) !== IPPROTO_ICMP || at + 8 > view.byteLength) return undefined;
    if (view.getUint8(at) !== ICMP_ECHO_REPLY || view.getUint16(at + ICMP_REST) !== ends.echoId) return undefined;
    const source = ipv4Source(view, ip);
    const by = formatIpv4(source);
    if (source === ends.peer) return { kind: 'underlay-answer', note: 'echo reply on the underlay', by, icmp: null };
    if (source !== ends.peerDevice) return undefined;
    return { kind: 'tunnel-answer', note: "echo reply of the peer's device", by, icmp: null };
  }
}

function describeError({ type, code, mtu }: NonNullable<Point['icmp']>): string {
  if (type === ICMP_TIME_EXCEEDED) return 'ICMP time exceeded';
  if (code === ICMP_FRAGMENTATION_NEEDED) return `ICMP fragmentation needed, MTU ${mtu}`;
  return `ICMP unreachable (${UNREACHABLE[code] ?? `code ${code}, prohibited`})`;
}
