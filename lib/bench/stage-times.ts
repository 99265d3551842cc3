/** What a packet costs in each stage of the sending and of the receiving weftd: two readings of a stage clock. Pure. */
import type { StagesReply } from '../control/protocol.ts';
import { turnStages } from '../control/stages.ts';
import { medianDeviation, summarize } from '../measure/statistics.ts';
import { stagesSince } from '../watch/stages-since.ts';
import type { Setting, TestName } from './matrix.ts';
import type { PathName, StageReading } from './paths.ts';

/** In the order of a turn: docs/operations.md says what each is. */
const STAGES = {
  sender: ['wake-up', 'read', 'code', 'send'],
  receiver: ['wake-up', 'receive', 'code', 'write'],
} as const;

type Side = keyof typeof STAGES;
type StageName = (typeof STAGES)[Side][number];

/** Mean nanoseconds for each inner packet of the turns that were measured. A side without a weftd, or without a packet, is absent. */
export type StageTimes = Readonly<Partial<Record<Side, Readonly<Partial<Record<StageName, number>>>>>>;

export interface StageRow {
  readonly setting: Setting;
  readonly test: TestName;
  readonly path: PathName;
  /** The sender's outbound turns, the receiver's inbound ones. */
  readonly side: Side;
  readonly stage: StageName;
  readonly unit: 'ns/packet';
  /** One a round. */
  readonly samples: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly deviation: number;
}

export function stageTimes(before: StageReading, after: StageReading): StageTimes {
  const sender = perPacket(stagesSince(before.sender, after.sender), 'sender');
  const receiver = perPacket(stagesSince(before.receiver, after.receiver), 'receiver');
  return { ...(sender && { sender }), ...(receiver && { receiver }) };
}

/** A wake-up is a round's, whatever it moves: it is shared by the packets of all its turns. */
function perPacket(clock: StagesReply | null, side: Side): Partial<Record<StageName, number>> | undefined {
  const stages = clock === null ? [] : turnStages(clock, side === 'sender' ? 'outbound' : 'inbound');
  const packets = stages[1]?.[1].packets ?? 0;
  if (packets === 0) return undefined;
  return Object.fromEntries(STAGES[side].map((name, k) => [name, stages[k]![1].sum / packets]));
}

interface StageSample {
  readonly setting: Setting;
  readonly test: TestName;
  readonly path: PathName;
  readonly stages?: StageTimes;
}

/** Rows in the order setting, test, path in which their first samples came, of each the sender's stages before the receiver's. */
export function toStageRows(samples: readonly StageSample[]): StageRow[] {
  const groups = new Map<string, StageSample[]>();
  for (const sample of samples) {
    if (sample.stages === undefined) continue;
    const key = `${sample.setting} ${sample.test} ${sample.path}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  return [...groups.values()].flatMap((group) => {
    const { setting, test, path } = group[0]!;
    const sides: Side[] = ['sender', 'receiver'];
    return sides.flatMap((side) =>
      STAGES[side].flatMap((stage): StageRow[] => {
        const values = group.map(({ stages }) => stages?.[side]?.[stage]).filter((value) => value !== undefined);
        if (values.length === 0) return [];
        const spread = { ...summarize(values), deviation: medianDeviation(values) };
        return [{ setting, test, path, side, stage, unit: 'ns/packet', samples: values, ...spread }];
      }),
    );
  });
}
