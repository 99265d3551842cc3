/** The stage clock over the last seconds: where a turn's time went, each way. Pure. */
import type { StageReply, StagesReply } from '../../control/protocol.ts';
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

/** Words of the stages in the order of a turn: those of `weft stats`. */
const OUTBOUND = [
  ['wake-up', ({ outbound }: StagesReply) => outbound.wake],
  ['read', ({ outbound }: StagesReply) => outbound.read],
  ['our code', ({ outbound }: StagesReply) => outbound.code],
  ['send', ({ outbound }: StagesReply) => outbound.send],
] as const;
const INBOUND = [
  ['wake-up', ({ inbound }: StagesReply) => inbound.wake],
  ['receive', ({ inbound }: StagesReply) => inbound.receive],
  ['our code', ({ inbound }: StagesReply) => inbound.code],
  ['write', ({ inbound }: StagesReply) => inbound.write],
] as const;

/** Of what these ticks measured; undefined: no turn of that direction was. */
export function stageShares(
  ticks: readonly PageTick[],
  direction: 'outbound' | 'inbound',
): DirectionStages | undefined {
  const measured = ticks.flatMap(({ stages }) => (stages === null ? [] : [stages]));
  const stages = (direction === 'outbound' ? OUTBOUND : INBOUND).map(([name, of]) => {
    const sum = total(measured.map(of));
    return {
      name,
      turns: sum.turns,
      packets: sum.packets,
      perTurn: sum.turns === 0 ? 0 : sum.sum / sum.turns,
      perPacket: sum.packets === 0 ? null : sum.sum / sum.packets,
    };
  });
  const read = stages[1]!;
  if (read.turns === 0) return undefined;
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
