/** What the main thread and a data-plane worker say to each other, beside the shared memory (lib/fastpath/abi.ts). */
import type { OffloadName } from './stats.ts';

/** Handed to the worker when it starts. The descriptors belong to the main thread, which closes them after the worker's end. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly tunFd: number;
  readonly socketFd: number;
  /** Wakes the worker from poll: to stop, or to take a new FIB. */
  readonly eventFd: number;
  /** Frames taken from the TUN before what they became is sent; 1 is one packet a system call, as `--offload=off` wants it. */
  readonly batch: number;
  /** Datagrams or trains asked of one recvmmsg. */
  readonly receiveSlots: number;
  /** Turns of one direction before the other has its chance. */
  readonly turns: number;
}

export type WorkerMessage =
  | { readonly type: 'ready' }
  /** The thread runs at the normal priority; without consequence but for speed when CPUs are busy. */
  | { readonly type: 'priority-refused'; readonly reason: string }
  /** The kernel refused an offload in operation; the packets were sent another way. */
  | { readonly type: 'offload-refused'; readonly offload: OffloadName; readonly reason: string }
  /** The TUN device is gone (deleted under us); the worker has ended. */
  | { readonly type: 'device-lost'; readonly reason: string };
