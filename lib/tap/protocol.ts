/** What main thread and reader thread of the tap say to each other. */
import type { TapNetwork, TapRequest } from '../control/tap-protocol.ts';

export type ToTapThread =
  /** A data plane, by a number of its own, has begun or ended. */
  | { readonly type: 'begun'; readonly id: number; readonly memory: SharedArrayBuffer }
  | { readonly type: 'ended'; readonly id: number }
  /** A connection whose owner may read, and a descriptor of it that is the thread's from now on. */
  | {
      readonly type: 'reader';
      readonly id: number;
      readonly fd: number;
      readonly networks: readonly TapNetwork[];
      readonly reasons: readonly string[];
    }
  | { readonly type: 'stop' };

export type FromTapThread =
  /** CONFIG_TAP for all data planes, lib/fastpath/abi.ts. */
  | { readonly type: 'wanted'; readonly tap: number }
  | { readonly type: 'opened'; readonly id: number; readonly request: TapRequest }
  | { readonly type: 'counts'; readonly id: number; readonly sent: number; readonly lost: number }
  /** `problem`: what was wrong with what it asked for. */
  | { readonly type: 'closed'; readonly id: number; readonly problem: string | undefined };
