import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { messageOf, WeftError } from '../error.ts';
import { MEMORY_PAGES } from './abi.ts';

/** What the fast path exports (assembly/index.ts). Numbers are 32-bit; addresses are offsets in the queue's memory. */
export interface Fastpath {
  /** Tells where byte 0 of the memory lies in the process. The argument is a u64. */
  setBase(address: bigint): void;
  useTables(generation: number): void;
  /** Chooses the segment that lookups and ICMP errors are for. */
  enterSegment(segment: number): void;
  lookup4(address: number): number;
  lookup6(at: number): number;
  /** For the benchmark: of `count` addresses (u32 each), of `count` MAC addresses (u64 each) at `at`. */
  lookupMany4(at: number, count: number): number;
  fdbLookupMany(at: number, count: number): number;
  /** The peer behind a MAC address in the segment in hand; 0: not known. */
  fdbLookup(mac: bigint): number;
  fdbSweep(): void;
  fdbForget(): void;

  /** Returns FRAME_DONE, FRAME_FLOOD or FRAME_ASK (abi.ts). */
  outboundFrame(segment: number, frame: number, size: number): number;
  outboundDrop(segment: number, reason: number): void;
  outboundFlood(segment: number, frame: number, size: number, from: number, to: number): void;
  outboundFloodPeers(segment: number): number;
  /** Where the IP packet begins in a datagram of the train; -1: nowhere. */
  datagramIp(train: number, at: number, size: number): number;
  /** Queues an ICMP error about the packet in that datagram: `what` is ERROR_* (abi.ts). */
  datagramError(train: number, at: number, size: number, what: number, parameter: number): void;
  /** 1: the datagram is a copy of a BUM frame. Call outboundSplit for the train first. */
  isFloodCopy(train: number, at: number): number;
  /** The first train from `from` on that may still grow. */
  outboundComplete(from: number): number;
  outboundMessages(from: number, to: number): void;
  messageTrain(message: number): number;
  messageSocket(message: number): number;
  /** The first message from `message` on, up to `to`, that leaves by another socket. */
  messageGroupEnd(message: number, to: number): number;
  outboundReset(): void;
  /** Numbers of messages, as outboundMessages arranged them. */
  outboundSent(first: number, count: number): void;
  outboundRefused(train: number, reason: number): void;
  outboundSplit(train: number): number;
  splitAddress(index: number): number;
  splitLength(index: number): number;
  splitSent(train: number, index: number): void;
  splitRefused(train: number, index: number, reason: number): void;
  trainCount(train: number): number;
  /** Offset of the peer's record. */
  trainPeer(train: number): number;
  trainsStaged(): number;
  piecesFree(): number;
  cutBytesStaged(): number;

  inboundPrepare(slots: number): void;
  /** MESSAGE_DONE, or the offset to go on from once the items have been written. */
  inboundMessage(index: number, offset: number): number;
  inboundItems(): number;
  /** Number of items at IN_SNOOPED that carry ARP or neighbour discovery. */
  inboundSnooped(): number;
  inboundReset(): void;
  inboundWrite(item: number): number;
  itemCount(item: number): number;
  itemProtocol(item: number): number;
  itemSegment(item: number): number;
  itemL2(item: number): number;
  itemWritten(item: number): void;
  itemRefused(item: number, reason: number): void;
  itemPart(item: number, part: number): number;
  /** Both are about the part that itemPart made last. */
  partWritten(): void;
  partRefused(reason: number): void;

  /** Begins or stops to record packets: CONFIG_TAP (abi.ts). Call between two turns, with nothing staged. */
  tapSet(wanted: number): void;
  /** The frame that outboundFrame was called with last was answered in its place. */
  tapAnswered(segment: number): void;

  icmpQueued(): number;
  icmpReset(): void;
}

/** The memory of one queue (abi.ts): fixed in size, shared between threads. Throws WeftError NO_MEMORY. */
export function createQueueMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  } catch (error) {
    throw new WeftError('NO_MEMORY', `Cannot reserve the data plane's memory: ${messageOf(error)}`, {
      cause: error,
      hint: 'LimitAS= and LimitDATA= of the unit, ulimit -v and -d, or vm.overcommit_memory=2 leave too little; 11 GiB are reserved, and not used',
    });
  }
}

/**
 * Instantiates the fast path over a queue's memory; `now`, in ms, is asked for records of the tap alone. In weftd each worker has
 * one; the main thread has none.
 */
export function loadFastpath(memory: WebAssembly.Memory, now = () => performance.now()): Fastpath {
  const file = new URL('./fastpath.wasm', import.meta.url);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new WeftError('NOT_BUILT', `Cannot read the fast path "${file.pathname}"`, {
      cause: error,
      hint: 'run "npm run build" in the checkout',
    });
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, now } });
  return instance.exports as unknown as Fastpath;
}
