/** What the stage clock of a data plane has measured since its start: lib/dataplane/worker/stage-clock.ts. */
import {
  STAGE_ASLEEP,
  STAGE_BUCKETS,
  STAGE_IN_CODE,
  STAGE_IN_MESSAGES,
  STAGE_IN_RECEIVE,
  STAGE_IN_WAKE,
  STAGE_IN_WRITE,
  STAGE_OUT_CODE,
  STAGE_OUT_FRAMES,
  STAGE_OUT_READ,
  STAGE_OUT_SEND,
  STAGE_OUT_WAKE,
  STAGE_PACKETS,
  STAGE_SIZE,
  STAGE_SUM,
  STAGE_TURNS,
  STAGES,
} from '../fastpath/abi.ts';

/** Values of some turns: nanoseconds, or how many of something. */
export interface Stage {
  /** Turns that were measured. */
  readonly turns: number;
  /** Inner packets of those turns; 0 where it is not a matter of packets. */
  readonly packets: number;
  readonly sum: number;
  /** buckets[k]: how many were from 2^k to below 2^(k+1); 0 and 1 are in the first. Without the empty ones at the end. */
  readonly buckets: readonly number[];
}

/** Of each direction, in the order of a turn. */
export interface Stages {
  /** Waiting for packets, ns; a wait that nothing ends is over after 50 ms. */
  readonly asleep: Stage;
  readonly outbound: {
    /** From the end of a wait to the first read, ns. */
    readonly wake: Stage;
    /** Reading frames from the device: the system calls of a turn, ns. */
    readonly read: Stage;
    /** Look-up, transform, cutting, joining: our own code, ns. */
    readonly code: Stage;
    /** Sending to peers: the system calls of a turn, ns. */
    readonly send: Stage;
    /** Frames that a turn took from the device. */
    readonly frames: Stage;
  };
  readonly inbound: {
    readonly wake: Stage;
    readonly receive: Stage;
    readonly code: Stage;
    /** Writing to the device, ns. */
    readonly write: Stage;
    /** Messages that one call received. */
    readonly messages: Stage;
  };
}

/** Reads them from a queue's memory. What is written meanwhile may be in one number and not yet in another. */
export function readStages(memory: ArrayBufferLike): Stages {
  const words = new Uint32Array(memory);
  const doubles = new Float64Array(memory);
  const stage = (index: number): Stage => {
    const at = STAGES + index * STAGE_SIZE;
    const buckets = [...words.subarray(at / 4, at / 4 + STAGE_BUCKETS)];
    return {
      turns: doubles[(at + STAGE_TURNS) / 8]!,
      packets: doubles[(at + STAGE_PACKETS) / 8]!,
      sum: doubles[(at + STAGE_SUM) / 8]!,
      buckets: buckets.slice(0, buckets.findLastIndex((count) => count > 0) + 1),
    };
  };
  return {
    asleep: stage(STAGE_ASLEEP),
    outbound: {
      wake: stage(STAGE_OUT_WAKE),
      read: stage(STAGE_OUT_READ),
      code: stage(STAGE_OUT_CODE),
      send: stage(STAGE_OUT_SEND),
      frames: stage(STAGE_OUT_FRAMES),
    },
    inbound: {
      wake: stage(STAGE_IN_WAKE),
      receive: stage(STAGE_IN_RECEIVE),
      code: stage(STAGE_IN_CODE),
      write: stage(STAGE_IN_WRITE),
      messages: stage(STAGE_IN_MESSAGES),
    },
  };
}

/** Two data planes as one; those that ended count, too. */
export function addStages(a: Stages | undefined, b: Stages | undefined): Stages | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    asleep: addStage(a.asleep, b.asleep),
    outbound: {
      wake: addStage(a.outbound.wake, b.outbound.wake),
      read: addStage(a.outbound.read, b.outbound.read),
      code: addStage(a.outbound.code, b.outbound.code),
      send: addStage(a.outbound.send, b.outbound.send),
      frames: addStage(a.outbound.frames, b.outbound.frames),
    },
    inbound: {
      wake: addStage(a.inbound.wake, b.inbound.wake),
      receive: addStage(a.inbound.receive, b.inbound.receive),
      code: addStage(a.inbound.code, b.inbound.code),
      write: addStage(a.inbound.write, b.inbound.write),
      messages: addStage(a.inbound.messages, b.inbound.messages),
    },
  };
}

function addStage(a: Stage, b: Stage): Stage {
  const longer = a.buckets.length > b.buckets.length ? a : b;
  return {
    turns: a.turns + b.turns,
    packets: a.packets + b.packets,
    sum: a.sum + b.sum,
    buckets: longer.buckets.map((_, k) => (a.buckets[k] ?? 0) + (b.buckets[k] ?? 0)),
  };
}
