/** The stage clock over the last seconds: where a turn's time went, each way. Pure. */
import type { StageReply } from '../../control/protocol.ts';
import { turnStages } from '../../control/stages.ts';
import type { PageTick } from '../../ui/messages.ts';

interface StageShare {
  readonly name: string;
  /** Mean of a turn, and of a packet that it moved, nanoseconds; null where it is no matter of packets. */
  readonly perTurn: number;
  readonly perPacket: number | null;
}

export interface DirectionStages {
  readonly stages: readonly StageShare[];
  /** Turns that were measured, and the inner packets they moved. */
  readonly turns: number;
  readonly packets: number;
  readonly perTurn: number;
}

/** Of what these ticks measured; undefined: no turn of that direction was. */
export function stageShares(
  ticks: readonly PageTick[],
  direction: 'outbound' | 'inbound',
): DirectionStages | undefined {
  const measured = ticks.flatMap(({ stages }) => (stages === null ? [] : [turnStages(stages, direction)]));
  const stages = (measured[0] ?? []).map(([name], k) => {
    const sum = total(measured.map((each) => each[k]![1]));
    return {
      name,
      turns: sum.turns,
      packets: sum.packets,
      perTurn: sum.turns === 0 ? 0 : sum.sum / sum.turns,
      perPacket: sum.packets === 0 ? null : sum.sum / sum.packets,
    };
  });
  const read = stages[1];
  if (read === undefined || read.turns === 0) return undefined;
  return {
    stages,
    turns: read.turns,
    packets: read.packets,
    perTurn: stages.reduce((sum, { perTurn }) => sum + perTurn, 0),
  };
}

function total(stages: readonly StageReply[]): { turns: number; packets: number; sum: number } {
  const sum = { turns: 0, packets: 0, sum: 0 };
  for (const each of stages) {
    sum.turns += each.turns;
    sum.packets += each.packets;
    sum.sum += each.sum;
  }
  return sum;
}
