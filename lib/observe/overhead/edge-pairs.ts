/** The packets of both edges, brought together: what `weft overhead` says of each direction. */
import { tunnelPorts } from '../../capture/checks.ts';
import { Layers, type TunnelPorts } from '../../capture/layers.ts';
import { isProbe } from '../../wire/probe.ts';
import type { EdgePacket } from '../edge-capture.ts';
import type { Edge } from '../edges.ts';
import { Latencies } from './latencies.ts';
import { PacketKey } from './packet-key.ts';
import { Pairing } from './pairing.ts';

export interface DirectionReport {
  /** Inner packets on the edge where they go in. */
  readonly packets: number;
  /** Of those that came out. */
  readonly paired: number;
  readonly bytes: number;
  /** Went in and did not come out within 2 s. */
  readonly lost: number;
  /** Had no time left to come out. */
  readonly onTheWay: number;
  /** Came out and were not seen to go in: weftd's own ICMP errors, and what was on its way at the start. */
  readonly strangers: number;
  /** Nanoseconds between the kernel's stamps; null where no packet was paired. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** octaves[k]: packets that took from 2^k to below 2^(k+1) nanoseconds. */
  readonly octaves: readonly number[];
}

/** How long a packet may be on its way when the looking ends. */
const ON_THE_WAY_MS = 100;

/** Sees packets of both edges and brings them together. */
export class EdgePairs {
  readonly #overlay: Edge;
  readonly #ports: TunnelPorts;
  readonly #layers = new Layers();
  readonly #key = new PacketKey();
  readonly #directions = { outbound: new Direction(), inbound: new Direction() };
  #startSeconds = 0;
  /** Of the newest packet. */
  #ns = 0;

  constructor(overlay: Edge, underlay: Edge) {
    this.#overlay = overlay;
    this.#ports = tunnelPorts(underlay.networks.map(({ wire }) => wire));
  }

  see({ edge, linkType, frame, packet }: EdgePacket): void {
    const layers = this.#layers;
    const { memory, start, end } = packet;
    const isOverlay = edge === this.#overlay;
    const count = layers.read(memory, start, end, linkType === 1, this.#ports);
    // The overlay's is the first that is an IP packet, the underlay's the one inside the tunnel packet; ARP is none.
    const level = isOverlay ? 0 : 1;
    if (count <= level) return;
    const ip = layers.ip[level]!;
    if (isProbe(memory.subarray(ip, end))) return;
    this.#key.read(memory, ip, end, layers.isIpv6[level]!, layers.transport[level]!, layers.protocol[level]!);
    if (this.#startSeconds === 0) this.#startSeconds = frame.seconds;
    const ns = (frame.seconds - this.#startSeconds) * 1e9 + frame.nanoseconds;
    this.#ns = ns;
    // Of either edge, what the kernel sends leaves the host, for weftd or for the wire.
    const { pairing } = frame.outgoing ? this.#directions.outbound : this.#directions.inbound;
    if (isOverlay === frame.outgoing) pairing.enter(this.#key.value, this.#key.id, ns, packet.length - (ip - start));
    else pairing.leave(this.#key.value, this.#key.id, ns);
  }

  expire(): void {
    for (const { pairing } of Object.values(this.#directions)) pairing.expire(this.#ns);
  }

  /** Packets that there was no room to remember: they are in no figure. */
  get forgotten(): number {
    return Object.values(this.#directions).reduce((sum, { pairing }) => sum + pairing.forgotten, 0);
  }

  finish(): { readonly outbound: DirectionReport; readonly inbound: DirectionReport } {
    const { outbound, inbound } = this.#directions;
    return { outbound: outbound.finish(this.#ns), inbound: inbound.finish(this.#ns) };
  }
}

class Direction {
  readonly #latencies = new Latencies();
  #bytes = 0;
  readonly pairing = new Pairing((elapsedNs, bytes) => {
    this.#latencies.add(elapsedNs);
    this.#bytes += bytes;
  });

  finish(ns: number): DirectionReport {
    const onTheWay = this.pairing.finish(ns, ON_THE_WAY_MS);
    const { entered, paired, lost, strangers } = this.pairing;
    const latencies = this.#latencies;
    const any = latencies.count > 0;
    return {
      packets: entered,
      paired,
      bytes: this.#bytes,
      lost,
      onTheWay,
      strangers,
      p50: latencies.quantile(0.5),
      p90: latencies.quantile(0.9),
      p99: latencies.quantile(0.99),
      max: any ? latencies.max : null,
      mean: any ? latencies.sum / latencies.count : null,
      octaves: latencies.octaves(),
    };
  }
}
