/** Runs the packet kernels without system calls: bytes in, what would have been sent or written out. */
import type { Ipv4 } from '../../lib/addr/ipv4.ts';
import type { Prefix } from '../../lib/addr/prefix.ts';
import { parsePrefix } from '../../lib/addr/prefix.ts';
import { DROP_REASONS, type DropReason } from '../../lib/dataplane/drop.ts';
import { FibWriter } from '../../lib/dataplane/fib-writer.ts';
import {
  CONFIG_FIB_WANTED,
  CONFIG_HAS_TUNNEL6,
  CONFIG_ICMP_TOKENS,
  CONFIG_MAX_SEGMENTS,
  CONFIG_OWN4,
  CONFIG_OWN4_MASK,
  CONFIG_OWN6,
  CONFIG_SOURCE_CHECK,
  CONFIG_TUN_GRO,
  CONFIG_TUN_USO,
  CONFIG_TUNNEL4,
  CONFIG_TUNNEL6,
  CONFIG_VNET_HEADER,
  COUNT_DROPS,
  COUNTERS,
  ICMP_PACKET,
  ICMP_QUEUE,
  ICMP_SLOT_SIZE,
  IN_CONTROL,
  IN_CONTROL_SIZE,
  IN_MESSAGES,
  IN_NAME_SIZE,
  IN_NAMES,
  IN_SLOT_SIZE,
  IN_SLOTS,
  MAX_IN_SLOTS,
  MMSGHDR_SIZE,
  OUT_FRAMES,
  OUT_FRAMES_SIZE,
  OUT_MESSAGES,
  PEER_PUBLIC4,
  WRITE_IOVECS,
} from '../../lib/fastpath/abi.ts';
import { createQueueMemory, loadPacketKernels, type PacketKernels } from '../../lib/fastpath/load.ts';
import { addressBytes } from '../../lib/fib/trie.ts';

export interface HarnessPeer {
  readonly publicIp: Ipv4;
  readonly prefixes: readonly string[];
  /** sockaddr_in; zeros unless something is really sent. */
  readonly socketAddress?: Uint8Array;
}

export interface HarnessOptions {
  readonly peers: readonly HarnessPeer[];
  readonly own4: string;
  readonly own6?: string;
  readonly tunnel4?: Ipv4;
  readonly tunnel6?: bigint;
  readonly vnetHeader?: boolean;
  readonly sourceCheck?: boolean;
  readonly maxSegments?: number;
  readonly tunGro?: boolean;
  readonly tunUso?: boolean;
  readonly icmpTokens?: number;
}

/** One sendmmsg entry: a plain datagram, or a train of `segmentSize`. */
export interface SentMessage {
  readonly publicIp: Ipv4;
  readonly segmentSize: number | undefined;
  readonly bytes: Uint8Array;
}

export interface Outbound {
  readonly messages: SentMessage[];
  /** The messages cut into datagrams, in order. */
  readonly datagrams: { publicIp: Ipv4; bytes: Uint8Array }[];
  readonly icmp: Uint8Array[];
  readonly drops: DropReason[];
}

export interface ReceivedMessage {
  readonly outerSource: Ipv4;
  readonly bytes: Uint8Array;
  /** Size of a train's datagrams, as UDP_GRO reports it. */
  readonly segmentSize?: number;
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
  readonly kernels: PacketKernels;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  readonly #counters: BigUint64Array;
  readonly #vnet: number;

  constructor(options: HarnessOptions) {
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.#counters = new BigUint64Array(this.memory.buffer, COUNTERS);
    this.kernels = loadPacketKernels(this.memory);
    // With base 0, absolute addresses are offsets in the memory.
    this.kernels.setBase(0n);
    this.#vnet = options.vnetHeader === false ? 0 : 10;
    this.#configure(options);
    const fib = new FibWriter(this.memory);
    fib.replace(
      options.peers.map(({ publicIp, prefixes, socketAddress }) => ({
        publicIp,
        socketAddress: socketAddress ?? new Uint8Array(16),
        prefixes: prefixes.map((text) => prefix(text)),
      })),
    );
    this.kernels.useFib(this.words[CONFIG_FIB_WANTED / 4]!);
  }

  #configure(options: HarnessOptions): void {
    const own4 = prefix(options.own4);
    const set = (at: number, value: number) => {
      this.words[at / 4] = value;
    };
    if (own4.family !== 4) throw new Error('own4 must be IPv4');
    set(CONFIG_OWN4, own4.address);
    set(CONFIG_OWN4_MASK, own4.length === 0 ? 0 : (-1 << (32 - own4.length)) | 0);
    set(CONFIG_TUNNEL4, options.tunnel4 ?? own4.address);
    set(CONFIG_VNET_HEADER, this.#vnet);
    set(CONFIG_SOURCE_CHECK, Number(options.sourceCheck ?? true));
    set(CONFIG_MAX_SEGMENTS, options.maxSegments ?? 64);
    set(CONFIG_TUN_GRO, Number(options.tunGro ?? true));
    set(CONFIG_TUN_USO, Number(options.tunUso ?? true));
    set(CONFIG_ICMP_TOKENS, options.icmpTokens ?? 1_000_000);
    if (options.own6 !== undefined) {
      const own6 = prefix(options.own6);
      if (own6.family !== 6) throw new Error('own6 must be IPv6');
      const mask = ((1n << 128n) - 1n) ^ ((1n << BigInt(128 - own6.length)) - 1n);
      const low = (1n << 64n) - 1n;
      const words = [own6.address >> 64n, own6.address & low, mask >> 64n, mask & low];
      new BigUint64Array(this.memory.buffer, CONFIG_OWN6, 4).set(words);
    }
    if (options.tunnel6 !== undefined) {
      set(CONFIG_HAS_TUNNEL6, 1);
      this.bytes.set(addressBytes({ family: 6, address: options.tunnel6, length: 128 }), CONFIG_TUNNEL6);
    }
  }

  /** Feeds frames as read from the TUN; everything is flushed at the end, or when the frames' memory is full. */
  outbound(frames: readonly Uint8Array[]): Outbound {
    const result: Outbound = { messages: [], datagrams: [], icmp: [], drops: [] };
    const before = this.#drops();
    let at = OUT_FRAMES;
    for (const frame of frames) {
      if (at + frame.length + 64 > OUT_FRAMES + OUT_FRAMES_SIZE || this.kernels.segmentSpaceUsed() > 400_000) {
        this.#flush(result);
        at = OUT_FRAMES;
      }
      this.bytes.set(frame, at);
      this.kernels.outboundFrame(at, frame.length);
      at = (at + frame.length + 63) & ~63;
    }
    this.#flush(result);
    result.drops.push(...this.#newDrops(before));
    return result;
  }

  #flush(result: Outbound): void {
    const total = this.kernels.trainsStaged();
    this.kernels.outboundMessages(0, total);
    for (let i = 0; i < total; i++) {
      const message = OUT_MESSAGES + i * MMSGHDR_SIZE;
      const publicIp = this.words[(this.kernels.trainPeer(i) + PEER_PUBLIC4) / 4]! >>> 0;
      const bytes = this.#gather(
        Number(this.view.getBigUint64(message + 16, true)),
        Number(this.view.getBigUint64(message + 24, true)),
      );
      const control = Number(this.view.getBigUint64(message + 32, true));
      const segmentSize = control === 0 ? undefined : this.view.getUint16(control + 16, true);
      result.messages.push({ publicIp, segmentSize, bytes });
      for (let offset = 0; offset < bytes.length; offset += segmentSize ?? bytes.length) {
        result.datagrams.push({ publicIp, bytes: bytes.subarray(offset, offset + (segmentSize ?? bytes.length)) });
      }
    }
    this.kernels.outboundSent(0, total);
    this.kernels.outboundReset();
    result.icmp.push(...this.#takeIcmp());
  }

  /** Feeds messages as recvmmsg returns them, a batch at a time. */
  inbound(messages: readonly ReceivedMessage[], batch = 8): Inbound {
    const result: Inbound = { writes: [], icmp: [], drops: [] };
    const before = this.#drops();
    const size = Math.min(batch, MAX_IN_SLOTS);
    for (let first = 0; first < messages.length; first += size) {
      const group = messages.slice(first, first + size);
      this.kernels.inboundPrepare(group.length);
      group.forEach((message, index) => {
        this.#receive(index, message);
      });
      for (const index of group.keys()) {
        let offset = 0;
        do {
          offset = this.kernels.inboundMessage(index, offset);
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
    this.view.setUint16(name, 2, true);
    this.view.setUint16(name + 2, 8285);
    this.view.setUint32(name + 4, message.outerSource);
    const control = IN_CONTROL + index * IN_CONTROL_SIZE;
    let controlLength = 0;
    if (message.segmentSize !== undefined) {
      this.view.setBigUint64(control, 20n, true);
      this.view.setUint32(control + 8, 17, true);
      this.view.setUint32(control + 12, 104, true);
      this.view.setUint32(control + 16, message.segmentSize, true);
      controlLength = 24;
    }
    this.view.setBigUint64(header + 40, BigInt(controlLength), true);
  }

  /** The first item's packets as they are written one by one after the TUN refused the joined write. */
  partsOf(messages: readonly ReceivedMessage[]): Uint8Array[] {
    this.kernels.inboundPrepare(messages.length);
    for (const [index, message] of messages.entries()) {
      this.#receive(index, message);
      this.kernels.inboundMessage(index, 0);
    }
    this.kernels.inboundWrite(0);
    const parts = Array.from({ length: this.kernels.itemCount(0) }, (_, part) =>
      this.#gather(WRITE_IOVECS, this.kernels.itemPart(0, part)).subarray(this.#vnet),
    );
    this.kernels.inboundReset();
    return parts;
  }

  #write(result: Inbound): void {
    const items = this.kernels.inboundItems();
    for (let i = 0; i < items; i++) {
      const count = this.kernels.itemCount(i);
      const bytes = this.#gather(WRITE_IOVECS, this.kernels.inboundWrite(i));
      result.writes.push({ vnet: bytes.subarray(0, this.#vnet), packet: bytes.subarray(this.#vnet), count });
      this.kernels.itemWritten(i);
    }
    this.kernels.inboundReset();
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
    const packets = Array.from({ length: this.kernels.icmpQueued() }, (_, i) => {
      const slot = ICMP_QUEUE + i * ICMP_SLOT_SIZE;
      return this.bytes.slice(slot + ICMP_PACKET, slot + ICMP_PACKET + this.words[slot / 4]!);
    });
    this.kernels.icmpReset();
    return packets;
  }

  counter(index: number): number {
    return Number(this.#counters[index]);
  }

  #drops(): number[] {
    return DROP_REASONS.map((_, i) => this.counter(COUNT_DROPS + i));
  }

  #newDrops(before: readonly number[]): DropReason[] {
    const now = this.#drops();
    return DROP_REASONS.flatMap((reason, i) => Array.from({ length: now[i]! - before[i]! }, () => reason));
  }
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Not a prefix: "${text}"`);
  return parsed;
}
