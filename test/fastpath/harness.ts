/** Runs the fast path without system calls: bytes in, what would have been sent or written out. */
import type { Ipv4 } from '../../lib/addr/ipv4.ts';
import type { Ipv6 } from '../../lib/addr/ipv6.ts';
import type { Ipv4Prefix, Ipv6Prefix, Prefix } from '../../lib/addr/prefix.ts';
import { parsePrefix } from '../../lib/addr/prefix.ts';
import { DROP_REASONS, type DropReason } from '../../lib/dataplane/drop.ts';
import { SegmentRecord } from '../../lib/dataplane/main/segment-record.ts';
import { TableWriter } from '../../lib/dataplane/main/tables.ts';
import type { EthernetSegment, SegmentPeer } from '../../lib/dataplane/segment.ts';
import {
  CONFIG_AGEING,
  CONFIG_ENCAPSULATION,
  CONFIG_ICMP_TOKENS,
  CONFIG_MAX_TRAIN,
  CONFIG_NOW,
  CONFIG_SOURCE_CHECK,
  CONFIG_TABLES_WANTED,
  CONFIG_TOS,
  CONFIG_TOS_INHERIT,
  COUNTER_BLOCK,
  COUNTERS,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  ICMP_LENGTH,
  ICMP_QUEUE,
  ICMP_SLOT_SIZE,
  ICMP_START,
  IN_CONTROL,
  IN_CONTROL_SIZE,
  IN_MESSAGES,
  IN_NAME_SIZE,
  IN_NAMES,
  IN_SLOT_SIZE,
  IN_SLOTS,
  MAX_IN_SLOTS,
  OUT_FRAMES,
  OUT_FRAMES_SIZE,
  OUT_MESSAGES,
  PEER_ADDRESS,
  WRITE_IOVECS,
} from '../../lib/fastpath/abi.ts';
import { createQueueMemory, type Fastpath, loadFastpath } from '../../lib/fastpath/load.ts';
import { MMSGHDR_SIZE } from '../../lib/linux/msghdr.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';

/** The one segment there is. */
export const SEGMENT = 1;
/** Its network, as records of the tap name it. */
export const NETWORK = 7;
const HEADROOM = 16;
const AF_INET = 2;
const SOL_UDP = 17;
/** Of struct virtio_net_hdr. */
const VNET_GSO_TYPE = 1;

export interface HarnessPeer {
  readonly publicIp: Ipv4 | Ipv6;
  readonly prefixes: readonly string[];
  /** By default of a port that nothing is sent to. */
  readonly socketAddress?: Uint8Array;
  readonly vtep?: SegmentPeer['vtep'];
  readonly device?: SegmentPeer['device'];
}

export interface HarnessOptions {
  readonly peers: readonly HarnessPeer[];
  readonly own4: string;
  readonly own6?: string;
  readonly tunnel4?: Ipv4;
  readonly tunnel6?: bigint;
  readonly vnetHeader?: boolean;
  readonly sourceCheck?: boolean;
  readonly maxTrain?: number;
  /** Of the device: what is longer may be a super-packet. 1472 by default. */
  readonly mtu?: number;
  readonly tunGro?: boolean;
  readonly tunUso?: boolean;
  readonly icmpTokens?: number;
  /** lib/fastpath/abi.ts, ENCAPSULATION_*; IP-in-UDP by default. */
  readonly encapsulation?: number;
  /** For VXLAN. */
  readonly ethernet?: EthernetSegment;
  /** Outer DSCP; undefined inherits it. Default 0. */
  readonly dscp?: number | undefined;
  /** Sockets to send from, a power of two; 1 by default. */
  readonly sockets?: number;
}

/** One sendmmsg entry: a plain datagram, or a train of `gsoSize`. */
export interface SentMessage {
  readonly publicIp: Ipv4 | Ipv6;
  readonly gsoSize: number | undefined;
  readonly bytes: Uint8Array;
  /** Number of the socket, and the outer TOS octet. */
  readonly socket: number;
  readonly tos: number;
}

export interface Outbound {
  readonly messages: SentMessage[];
  /** The messages cut into datagrams, in order. */
  readonly datagrams: { publicIp: Ipv4 | Ipv6; bytes: Uint8Array; tos: number; socket: number }[];
  readonly icmp: Uint8Array[];
  readonly drops: DropReason[];
}

export interface ReceivedMessage {
  readonly outerSource: Ipv4 | Ipv6;
  readonly bytes: Uint8Array;
  /** Outer TOS octet; 0 by default. */
  readonly outerTos?: number;
  /** Size of a train's datagrams, as UDP_GRO reports it. */
  readonly gsoSize?: number;
}

export interface TunWrite {
  /** The 10-byte virtio_net_hdr; empty without one. */
  readonly vnet: Uint8Array;
  readonly packet: Uint8Array;
  readonly count: number;
}

export interface Inbound {
  readonly writes: TunWrite[];
  readonly icmp: Uint8Array[];
  readonly drops: DropReason[];
}

export class Harness {
  readonly memory = createQueueMemory();
  readonly fastpath: Fastpath;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  readonly #counters: BigUint64Array;
  readonly #vnet: number;
  readonly tables: TableWriter;
  readonly record: SegmentRecord;

  constructor(options: HarnessOptions) {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.#counters = new BigUint64Array(this.memory.buffer);
    this.fastpath = loadFastpath(this.memory);
    // With base 0, absolute addresses are offsets in the memory.
    this.fastpath.setBase(0n);
    this.#vnet = options.vnetHeader === false ? 0 : 10;
    this.#configure(options);
    this.record = this.#segment(options);
    const sockets = { first: 0, mask: (options.sockets ?? 1) - 1 };
    this.tables = new TableWriter(this.memory, { 4: sockets, 6: sockets });
    this.setPeers(options.peers);
    this.fastpath.enterSegment(SEGMENT);
  }

  setPeers(peers: readonly HarnessPeer[]): void {
    this.tables.replace([
      {
        segment: SEGMENT,
        peers: peers.map(({ publicIp, prefixes, socketAddress: to, vtep, device }) => ({
          address: publicIp,
          socketAddress: to ?? socketAddress(publicIp, 9),
          prefixes: prefixes.map((text) => prefix(text)),
          vtep,
          device,
        })),
      },
    ]);
    this.fastpath.useTables(this.words[CONFIG_TABLES_WANTED / 4]!);
  }

  /** Seconds of the fast path's clock. */
  setTime(seconds: number): void {
    this.words[CONFIG_NOW / 4] = seconds;
  }

  #configure(options: HarnessOptions): void {
    const set = (at: number, value: number) => {
      this.words[at / 4] = value;
    };
    const inherits = 'dscp' in options && options.dscp === undefined;
    set(CONFIG_ENCAPSULATION, options.encapsulation ?? 0);
    set(CONFIG_SOURCE_CHECK, Number(options.sourceCheck ?? true));
    set(CONFIG_MAX_TRAIN, options.maxTrain ?? 64);
    set(CONFIG_ICMP_TOKENS, options.icmpTokens ?? 1_000_000);
    set(CONFIG_TOS_INHERIT, Number(inherits));
    set(CONFIG_TOS, (options.dscp ?? 0) << 2);
    set(CONFIG_AGEING, 300);
  }

  #segment(options: HarnessOptions): SegmentRecord {
    const own4 = prefix(options.own4) as Ipv4Prefix;
    const own6 = options.own6 === undefined ? undefined : (prefix(options.own6) as Ipv6Prefix);
    const record = new SegmentRecord(this.memory, SEGMENT, {
      networkNumber: NETWORK,
      own: { ipv4: own4, ipv6: own6 },
      tunnel4: options.tunnel4 ?? own4.address,
      tunnel6: options.tunnel6,
      ethernet: options.ethernet,
      onDeviceLost: () => undefined,
    });
    record.setDevice({
      fd: -1,
      vnetHeader: this.#vnet > 0,
      mtu: options.mtu ?? 1472,
      tunGro: options.tunGro ?? true,
      tunUso: options.tunUso ?? true,
    });
    return record;
  }

  /** Feeds frames as read from the TUN; everything is flushed at the end, or when the frames' memory is full. */
  outbound(frames: readonly Uint8Array[], options: { readonly learning?: boolean } = {}): Outbound {
    const result: Outbound = { messages: [], datagrams: [], icmp: [], drops: [] };
    const before = this.#drops();
    let at = OUT_FRAMES + HEADROOM;
    for (const frame of frames) {
      if (at + frame.length + 64 > OUT_FRAMES + OUT_FRAMES_SIZE || this.#isFull()) {
        this.#flush(result);
        at = OUT_FRAMES + HEADROOM;
      }
      this.bytes.set(frame, at);
      const verdict = this.fastpath.outboundFrame(SEGMENT, at, frame.length);
      if (verdict !== 0) {
        // Copies need room for themselves.
        this.#flush(result);
        this.#floodOrDrop(at, frame, options.learning ?? true, result);
      }
      at = (at + frame.length + HEADROOM + 63) & ~63;
    }
    this.#flush(result);
    result.drops.push(...this.#newDrops(before));
    return result;
  }

  /** As lib/dataplane/worker/outbound.ts ends a turn. */
  #isFull(): boolean {
    const { fastpath } = this;
    return fastpath.cutBytesStaged() > 400_000 || fastpath.trainsStaged() >= 512 || fastpath.piecesFree() < 2048;
  }

  /** As lib/dataplane/worker/flood.ts without limiter and neighbours. */
  #floodOrDrop(at: number, frame: Uint8Array, learning: boolean, result: Outbound): void {
    const { fastpath } = this;
    const peers = fastpath.outboundFloodPeers(SEGMENT);
    if (!learning || peers === 0) {
      fastpath.outboundDrop(SEGMENT, learning ? DROP_NO_FDB_ENTRY : DROP_MULTICAST);
      return;
    }
    // The cuts of a super-packet fill the tables: one peer at a time, each with the frame as it came.
    const step = this.#vnet > 0 && frame[VNET_GSO_TYPE] !== 0 ? 1 : peers;
    for (let from = 0; from < peers; from += step) {
      this.bytes.set(frame, at);
      fastpath.outboundFlood(SEGMENT, at, frame.length, from, from + step);
      this.#flush(result);
    }
  }

  #flush(result: Outbound): void {
    const total = this.fastpath.trainsStaged();
    this.fastpath.outboundMessages(0, total);
    for (let i = 0; i < total; i++) {
      const message = OUT_MESSAGES + i * MMSGHDR_SIZE;
      const publicIp = this.#addressAt(this.fastpath.trainPeer(this.fastpath.messageTrain(i)) + PEER_ADDRESS);
      const bytes = this.#gather(
        Number(this.view.getBigUint64(message + 16, true)),
        Number(this.view.getBigUint64(message + 24, true)),
      );
      const { gsoSize, tos } = this.#control(message);
      const socket = this.fastpath.messageSocket(i);
      result.messages.push({ publicIp, gsoSize, bytes, socket, tos });
      for (let offset = 0; offset < bytes.length; offset += gsoSize ?? bytes.length) {
        const datagram = bytes.subarray(offset, offset + (gsoSize ?? bytes.length));
        result.datagrams.push({ publicIp, bytes: datagram, tos, socket });
      }
    }
    this.fastpath.outboundSent(0, total);
    this.fastpath.outboundReset();
    result.icmp.push(...this.#takeIcmp());
  }

  #addressAt(at: number): Ipv4 | Ipv6 {
    if (this.view.getUint16(at, true) === AF_INET) return this.view.getUint32(at + 4);
    return (this.view.getBigUint64(at + 8) << 64n) | this.view.getBigUint64(at + 16);
  }

  #control(message: number): { gsoSize: number | undefined; tos: number } {
    let at = Number(this.view.getBigUint64(message + 32, true));
    const end = at + Number(this.view.getBigUint64(message + 40, true));
    let gsoSize: number | undefined;
    let tos = 0;
    for (; at < end; at += 24) {
      if (this.view.getUint32(at + 8, true) === SOL_UDP) gsoSize = this.view.getUint16(at + 16, true);
      else tos = this.view.getUint32(at + 16, true);
    }
    return { gsoSize, tos };
  }

  /** Feeds messages as recvmmsg returns them, a batch at a time. */
  inbound(messages: readonly ReceivedMessage[], batch = 8): Inbound {
    const result: Inbound = { writes: [], icmp: [], drops: [] };
    const before = this.#drops();
    const size = Math.min(batch, MAX_IN_SLOTS);
    for (let first = 0; first < messages.length; first += size) {
      const group = messages.slice(first, first + size);
      this.fastpath.inboundPrepare(group.length);
      group.forEach((message, index) => {
        this.#receive(index, message);
      });
      for (const index of group.keys()) {
        let offset = 0;
        do {
          offset = this.fastpath.inboundMessage(index, offset);
          if (offset !== -1) this.#write(result);
        } while (offset !== -1);
      }
      this.#write(result);
    }
    result.drops.push(...this.#newDrops(before));
    return result;
  }

  /** Does to memory what the kernel's recvmmsg does. */
  #receive(index: number, message: ReceivedMessage): void {
    const header = IN_MESSAGES + index * MMSGHDR_SIZE;
    this.bytes.set(message.bytes, IN_SLOTS + index * IN_SLOT_SIZE);
    this.view.setUint32(header + 56, message.bytes.length, true);
    const name = IN_NAMES + index * IN_NAME_SIZE;
    this.bytes.set(socketAddress(message.outerSource, 8285), name);
    const control = IN_CONTROL + index * IN_CONTROL_SIZE;
    const ipLevel = typeof message.outerSource === 'number' ? 0 : 41;
    let controlLength = this.#putControl(
      control,
      ipLevel,
      ipLevel === 0 ? 1 : 67,
      message.outerTos ?? 0,
      ipLevel === 0 ? 1 : 4,
    );
    if (message.gsoSize !== undefined) {
      controlLength += this.#putControl(control + controlLength, SOL_UDP, 104, message.gsoSize, 4);
    }
    this.view.setBigUint64(header + 40, BigInt(controlLength), true);
  }

  #putControl(at: number, level: number, type: number, value: number, size: number): number {
    this.view.setBigUint64(at, BigInt(16 + size), true);
    this.view.setUint32(at + 8, level, true);
    this.view.setUint32(at + 12, type, true);
    this.view.setUint32(at + 16, value, true);
    return 24;
  }

  /** The first item's packets as they are written one by one after the TUN refused the joined write. */
  partsOf(messages: readonly ReceivedMessage[]): Uint8Array[] {
    this.fastpath.inboundPrepare(messages.length);
    for (const [index, message] of messages.entries()) {
      this.#receive(index, message);
      this.fastpath.inboundMessage(index, 0);
    }
    this.fastpath.inboundWrite(0);
    const parts = Array.from({ length: this.fastpath.itemCount(0) }, (_, part) =>
      this.#gather(WRITE_IOVECS, this.fastpath.itemPart(0, part)).subarray(this.#vnet),
    );
    this.fastpath.inboundReset();
    return parts;
  }

  #write(result: Inbound): void {
    const items = this.fastpath.inboundItems();
    for (let i = 0; i < items; i++) {
      const count = this.fastpath.itemCount(i);
      const bytes = this.#gather(WRITE_IOVECS, this.fastpath.inboundWrite(i));
      result.writes.push({ vnet: bytes.subarray(0, this.#vnet), packet: bytes.subarray(this.#vnet), count });
      this.fastpath.itemWritten(i);
    }
    this.fastpath.inboundReset();
    result.icmp.push(...this.#takeIcmp());
  }

  #gather(iovec: number, count: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const at = Number(this.view.getBigUint64(iovec + i * 16, true));
      parts.push(this.bytes.slice(at, at + Number(this.view.getBigUint64(iovec + i * 16 + 8, true))));
    }
    return Uint8Array.from(Buffer.concat(parts));
  }

  #takeIcmp(): Uint8Array[] {
    const packets = Array.from({ length: this.fastpath.icmpQueued() }, (_, i) => {
      const slot = ICMP_QUEUE + i * ICMP_SLOT_SIZE;
      const start = this.words[(slot + ICMP_START) / 4]!;
      return this.bytes.slice(start + this.#vnet, start + this.words[(slot + ICMP_LENGTH) / 4]!);
    });
    this.fastpath.icmpReset();
    return packets;
  }

  /** Of the segment and of what belongs to none. */
  counter(index: number): number {
    const at = COUNTERS / 8 + index;
    return Number(this.#counters[at]! + this.#counters[at + (SEGMENT * COUNTER_BLOCK) / 8]!);
  }

  #drops(): number[] {
    return Object.values(DROP_REASONS).map(({ index }) => this.counter(index));
  }

  #newDrops(before: readonly number[]): DropReason[] {
    const now = this.#drops();
    return (Object.keys(DROP_REASONS) as DropReason[]).flatMap((reason, i) =>
      Array.from({ length: now[i]! - before[i]! }, () => reason),
    );
  }
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Not a prefix: "${text}"`);
  return parsed;
}
