import { readFileSync } from 'node:fs';
import { WeftError } from '../error.ts';
import { MEMORY_PAGES } from './abi.ts';

/** What the packet kernels export (assembly/index.ts). Numbers are 32-bit; addresses are offsets in the queue's memory. */
export interface PacketKernels {
  /** Tells where byte 0 of the memory lies in the process. The argument is a u64. */
  setBase(address: bigint): void;
  useFib(generation: number): void;
  lookup4(address: number): number;
  lookup6(at: number): number;
  /** For the benchmark. */
  lookupMany4(at: number, count: number): number;

  outboundFrame(frame: number, size: number): void;
  /** The first train from `from` on that may still grow. */
  outboundComplete(from: number): number;
  outboundMessages(from: number, to: number): void;
  outboundReset(): void;
  outboundSent(first: number, count: number): void;
  outboundRefused(train: number, reason: number): void;
  outboundSplit(train: number): number;
  splitAddress(index: number): number;
  splitLength(index: number): number;
  splitSent(train: number, index: number): void;
  splitRefused(reason: number): void;
  trainCount(train: number): number;
  /** Offset of the peer's record. */
  trainPeer(train: number): number;
  trainsStaged(): number;
  piecesFree(): number;
  segmentSpaceUsed(): number;

  inboundPrepare(slots: number): void;
  /** -1: the message is done; else the offset to go on from once the items have been written. */
  inboundMessage(index: number, offset: number): number;
  inboundItems(): number;
  inboundReset(): void;
  inboundWrite(item: number): number;
  itemCount(item: number): number;
  itemProtocol(item: number): number;
  itemWritten(item: number): void;
  itemRefused(item: number, reason: number): void;
  itemPart(item: number, part: number): number;
  partWritten(item: number, part: number): void;
  partRefused(reason: number): void;

  icmpError(ip: number, total: number, what: number, parameter: number): void;
  icmpQueued(): number;
  icmpReset(): void;
}

/** The memory of one queue (abi.ts): fixed in size, shared between threads. */
export function createQueueMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
}

/** Instantiates the packet kernels over a queue's memory. Each thread that runs kernels has an instance of its own. */
export function loadPacketKernels(memory: WebAssembly.Memory): PacketKernels {
  const file = new URL('./fastpath.wasm', import.meta.url);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new WeftError('NOT_BUILT', `Cannot read the packet kernels "${file.pathname}"`, {
      cause: error,
      hint: 'run "npm run build" in the checkout',
    });
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return instance.exports as unknown as PacketKernels;
}
