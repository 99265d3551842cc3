/** The stage clock over a while: the difference of two readings. Pure. */
import type { StageReply, StagesReply } from '../control/protocol.ts';

/** `before` and `now` of one daemon; where its data plane was started anew between them, all since then. */
export function stagesSince(before: StagesReply | null, now: StagesReply | null): StagesReply | null {
  if (before === null || now === null || now.asleep.turns < before.asleep.turns) return now;
  const [a, b] = [before, now];
  return {
    asleep: since(a.asleep, b.asleep),
    outbound: {
      wake: since(a.outbound.wake, b.outbound.wake),
      read: since(a.outbound.read, b.outbound.read),
      code: since(a.outbound.code, b.outbound.code),
      send: since(a.outbound.send, b.outbound.send),
      frames: since(a.outbound.frames, b.outbound.frames),
    },
    inbound: {
      wake: since(a.inbound.wake, b.inbound.wake),
      receive: since(a.inbound.receive, b.inbound.receive),
      code: since(a.inbound.code, b.inbound.code),
      write: since(a.inbound.write, b.inbound.write),
      messages: since(a.inbound.messages, b.inbound.messages),
    },
  };
}

function since(before: StageReply, now: StageReply): StageReply {
  return {
    turns: now.turns - before.turns,
    packets: now.packets - before.packets,
    sum: now.sum - before.sum,
    buckets: now.buckets.map((count, k) => count - (before.buckets[k] ?? 0)),
  };
}
