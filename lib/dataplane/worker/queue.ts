import type { Fastpath } from '../../fastpath/load.ts';
import type { UnderlaySocket } from '../segment.ts';
import type { OffloadName } from '../stats.ts';
import type { NeighborTables } from './neighbor/tables.ts';
import type { StageClock } from './stage-clock.ts';
import type { StormLimiter } from './storm.ts';

/** Everything one data-plane thread works with. Addresses handed to system calls are `base` + offset (lib/fastpath/abi.ts). */
export interface Queue {
  readonly fastpath: Fastpath;
  readonly base: number;
  /** The queue's memory as 32-bit words: word i is byte 4 i. */
  readonly words: Int32Array;
  /** Where datagrams arrive. */
  readonly receive: readonly UnderlaySocket[];
  /** Where they leave by, in the order of their numbers. */
  readonly send: readonly UnderlaySocket[];
  /** The sockets are raw: what they carry is an IP packet each, without UDP. */
  readonly raw: boolean;
  /** Frames a turn takes before it sends; 1 is one packet a system call. */
  readonly batch: number;
  /** Messages asked of one recvmmsg: many while datagrams come alone, few while trains come. */
  receiveSlots: number;
  /** An interrupted send. While there is one, no device is read. */
  pending: PendingSend | undefined;
  /** A BUM frame whose copies have not all left. While there is one, no device is read. */
  flood: PendingFlood | undefined;
  readonly neighbors: NeighborTables;
  readonly storm: StormLimiter;
  readonly clock: StageClock;
  /** Milliseconds of a clock that never goes back, as of this turn. */
  nowMs: number;
  /** Told once when the kernel refuses an offload. */
  readonly onRefused: (offload: OffloadName, reason: string) => void;
}

/** Messages `next` to `total` - 1 wait for room in the buffer of the socket with number `socket`. */
interface PendingSend {
  readonly next: number;
  readonly total: number;
  readonly socket: number;
}

/** The frame lies at FLOOD_FRAME; peers from `next` on have no copy yet. */
interface PendingFlood {
  readonly segment: number;
  readonly size: number;
  readonly next: number;
}

/** What a turn returns when the device is gone; otherwise the number of frames or messages it took. */
export const DEVICE_LOST = -1;
