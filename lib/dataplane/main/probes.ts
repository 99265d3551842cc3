/**
 * The main thread's side of probes in a queue's memory: it writes them down, the worker sends them and writes down what comes
 * back, and nobody waits for anybody.
 */
import type { IpAddress } from '../../addr/ip.ts';
import {
  ANSWER_EPOCH,
  ANSWER_LENGTH,
  ANSWER_PEER,
  ANSWER_SEQUENCE,
  ANSWER_TIME,
  CONFIG_PROBE_ANSWERS,
  CONFIG_PROBE_TOKEN,
  CONFIG_PROBES_TAKEN,
  CONFIG_PROBES_WANTED,
  PEER_EPOCH,
  PEER_IN_PACKETS,
  PEER_PROBES,
  PEER_SIZE,
  PEERS,
  PROBE_ANSWER_SIZE,
  PROBE_ANSWER_SLOTS,
  PROBE_ANSWERS,
  PROBE_BYTES,
  PROBE_EPOCH,
  PROBE_LENGTH,
  PROBE_PEER,
  PROBE_SEQUENCE,
  PROBE_SIZE,
  PROBE_SLOTS,
  PROBE_TIME_SLOTS,
  PROBE_TIMES,
  PROBE_ZEROS,
  PROBES,
} from '../../fastpath/abi.ts';
import { emitEthernetHeader } from '../../wire/ethernet.ts';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/layout/ethernet.ts';
import { IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../../wire/layout/ipv6.ts';
import { UDP_HEADER } from '../../wire/layout/udp.ts';
import { VXLAN_HEADER } from '../../wire/layout/vxlan.ts';
import { PROBE4_MIN, PROBE6_MIN, probe4, probe6 } from '../../wire/probe.ts';
import { emitVxlanHeader } from '../../wire/vxlan.ts';
import type { Encapsulation, ProbeAnswer, SegmentOptions, SegmentPeer } from '../segment.ts';
import { deviceOf, type TableWriter } from './tables.ts';

const SEQUENCES = 0x10000;
const MAX_PACKET = 65_535;

/** A probe that was written down. */
interface Asked {
  readonly address: IpAddress;
  readonly segment: number;
  readonly peer: number;
  readonly epoch: number;
  /** Of the IP packet. */
  readonly length: number;
}

interface ProbeSegment {
  readonly number: number;
  readonly options: SegmentOptions;
}

export class Probes {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #longs: BigUint64Array;
  readonly #bytes: Uint8Array;
  readonly #tables: TableWriter;
  readonly #encapsulation: Encapsulation;
  readonly #token: bigint;
  readonly #asked = new Map<number, Asked>();
  #sequence = 0;
  #answersTaken = 0;
  /** Answers by segment that nobody has asked for yet. */
  readonly #answers = new Map<number, ProbeAnswer[]>();

  /** `token`: 64 bits that nobody can guess. */
  constructor(memory: WebAssembly.Memory, tables: TableWriter, encapsulation: Encapsulation, token: bigint) {
    this.#words = new Int32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#longs = new BigUint64Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#tables = tables;
    this.#encapsulation = encapsulation;
    this.#token = token;
    new DataView(memory.buffer).setBigUint64(CONFIG_PROBE_TOKEN, token);
  }

  /** Bytes before the datagram: what the kernel writes. */
  outerHeaders(peer: IpAddress): number {
    const ip = typeof peer === 'number' ? IPV4_HEADER_MIN : IPV6_HEADER;
    return this.#encapsulation === 'ipip' ? ip : ip + UDP_HEADER;
  }

  /** Bytes of the datagram before the inner packet. */
  get prefix(): number {
    return this.#encapsulation === 'vxlan' ? VXLAN_HEADER + ETHERNET_HEADER : 0;
  }

  /** Writes a probe down; wake the worker afterwards. Its number, or undefined where it cannot be sent: SegmentProbes.probe. */
  write(segment: ProbeSegment, address: IpAddress, pathSize: number | undefined): number | undefined {
    const found = this.#tables.peerAt(segment.number, address);
    const wanted = this.#words[CONFIG_PROBES_WANTED / 4]!;
    if (found === undefined || wanted - Atomics.load(this.#words, CONFIG_PROBES_TAKEN / 4) >= PROBE_SLOTS)
      return undefined;
    const length = pathSize === undefined ? undefined : pathSize - this.outerHeaders(address) - this.prefix;
    const sequence = this.#sequence;
    const datagram = this.#datagram(segment.options, found.peer, sequence, length);
    if (datagram === undefined) return undefined;
    this.#sequence = (sequence + 1) % SEQUENCES;
    const { head, total } = datagram;
    const slot = PROBES + (wanted & (PROBE_SLOTS - 1)) * PROBE_SIZE;
    const epoch = this.#words[(PEERS + found.number * PEER_SIZE + PEER_EPOCH) / 4]!;
    this.#words[(slot + PROBE_PEER) / 4] = found.number;
    this.#words[(slot + PROBE_EPOCH) / 4] = epoch;
    this.#words[(slot + PROBE_SEQUENCE) / 4] = sequence;
    this.#words[(slot + PROBE_LENGTH) / 4] = head.length;
    this.#words[(slot + PROBE_ZEROS) / 4] = total + this.prefix - head.length;
    this.#bytes.set(head, slot + PROBE_BYTES);
    this.#doubles[(PROBE_TIMES + (sequence % PROBE_TIME_SLOTS) * 8) / 8] = 0;
    this.#asked.set(sequence, { address, segment: segment.number, peer: found.number, epoch, length: total });
    this.#asked.delete((sequence + SEQUENCES - PROBE_TIME_SLOTS) % SEQUENCES);
    Atomics.store(this.#words, CONFIG_PROBES_WANTED / 4, (wanted + 1) | 0);
    return sequence;
  }

  /** What the worker sends: bytes, then zeros; `total` is that of the IP packet. Undefined where one end has no address. */
  #datagram(
    { own, ethernet }: SegmentOptions,
    peer: SegmentPeer,
    sequence: number,
    wanted: number | undefined,
  ): { readonly head: Uint8Array; readonly total: number } | undefined {
    const device = deviceOf(peer);
    const isIpv4 = own.ipv4 !== undefined && device.ipv4 !== undefined;
    const least = isIpv4 ? PROBE4_MIN : PROBE6_MIN;
    const total = wanted ?? least;
    if (total < least || total > MAX_PACKET) return undefined;
    const fields = { sequence, token: this.#token, size: total };
    let packet: Uint8Array;
    if (own.ipv4 !== undefined && device.ipv4 !== undefined) packet = probe4(own.ipv4.address, device.ipv4, fields);
    else if (own.ipv6 !== undefined && device.ipv6 !== undefined)
      packet = probe6(own.ipv6.address, device.ipv6, fields);
    else return undefined;
    if (ethernet === undefined || peer.vtep === undefined) return { head: packet, total };
    const head = new Uint8Array(this.prefix + packet.length);
    const view = new DataView(head.buffer);
    const type = isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    const at = emitVxlanHeader(view, 0, ethernet);
    emitEthernetHeader(view, at, { destination: peer.vtep.mac, source: ethernet.mac, type });
    head.set(packet, this.prefix);
    return { head, total };
  }

  /** Those for a segment that came since it was asked last. */
  answers(segment: number): readonly ProbeAnswer[] {
    this.#collect();
    const answers = this.#answers.get(segment) ?? [];
    this.#answers.delete(segment);
    return answers;
  }

  #collect(): void {
    const come = Atomics.load(this.#words, CONFIG_PROBE_ANSWERS / 4);
    // What is older has been overwritten.
    if (come - this.#answersTaken > PROBE_ANSWER_SLOTS) this.#answersTaken = come - PROBE_ANSWER_SLOTS;
    for (; this.#answersTaken !== come; this.#answersTaken = (this.#answersTaken + 1) | 0)
      this.#note(PROBE_ANSWERS + (this.#answersTaken & (PROBE_ANSWER_SLOTS - 1)) * PROBE_ANSWER_SIZE);
  }

  #note(slot: number): void {
    const word = (offset: number): number => this.#words[(slot + offset) / 4]!;
    const sequence = word(ANSWER_SEQUENCE);
    const asked = this.#asked.get(sequence);
    const sentAt = this.#doubles[(PROBE_TIMES + (sequence % PROBE_TIME_SLOTS) * 8) / 8]!;
    // A second answer, one that is very late, or one from somebody else.
    if (asked === undefined || sentAt === 0) return;
    if (asked.peer !== word(ANSWER_PEER) || asked.epoch !== word(ANSWER_EPOCH)) return;
    this.#asked.delete(sequence);
    const answers = this.#answers.get(asked.segment) ?? [];
    this.#answers.set(asked.segment, answers);
    const rttMs = Math.max(0, this.#doubles[(slot + ANSWER_TIME) / 8]! - sentAt);
    answers.push({ peer: asked.address, sequence, rttMs, short: word(ANSWER_LENGTH) < asked.length });
  }

  heardFrom(segment: number, address: IpAddress): number | undefined {
    const found = this.#tables.peerAt(segment, address);
    if (found === undefined) return undefined;
    const at = PEERS + found.number * PEER_SIZE;
    return Number(this.#longs[(at + PEER_IN_PACKETS) / 8]!) + (this.#words[(at + PEER_PROBES) / 4]! >>> 0);
  }
}
