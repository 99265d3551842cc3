/** What the main thread and a data-plane worker say to each other, beside the shared memory (lib/fastpath/abi.ts). */
import type { IpAddress } from '../addr/ip.ts';
import type { UnderlaySocket } from './segment.ts';
import type { OffloadName } from './stats.ts';

/** Handed to the worker when it starts. The descriptors belong to the main thread, which closes them after the worker's end. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly receive: readonly UnderlaySocket[];
  readonly send: readonly UnderlaySocket[];
  /** Wakes the worker from poll: to stop, to take new tables, or to look at devices again. */
  readonly eventFd: number;
  /** Frames taken from a device before what they became is sent; 1 is one packet a system call, as `--offload=off` wants it. */
  readonly batch: number;
  /** Turns of one direction before the other has its chance. */
  readonly turns: number;
}

export type WorkerMessage =
  | { readonly type: 'ready' }
  /** The thread runs at the normal priority; without consequence but for speed when CPUs are busy. */
  | { readonly type: 'priority-refused'; readonly reason: string }
  /** The kernel refused an offload in operation; the packets were sent another way. */
  | { readonly type: 'offload-refused'; readonly offload: OffloadName; readonly reason: string }
  /** The device of a segment is gone (deleted under us); its descriptor is not used any more. */
  | { readonly type: 'device-lost'; readonly segment: number; readonly reason: string }
  /** An ICMP error says that packets to this underlay address are longer than `mtu`, with the outer header. */
  | { readonly type: 'path-hint'; readonly peer: IpAddress; readonly mtu: number }
  /** The answer to CONFIG_NEIGHBORS_WANTED. */
  | { readonly type: 'neighbors'; readonly request: number; readonly neighbors: readonly LearnedNeighbor[] };

export interface LearnedNeighbor {
  readonly segment: number;
  /** Number of the peer it is behind. */
  readonly peer: number;
  readonly address: string;
  readonly mac: string;
  readonly ageSeconds: number;
}
