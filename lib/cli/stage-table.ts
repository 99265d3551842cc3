/** The stage clock for people: where a turn's time goes, by its stages. */
import type { StageReply, StagesReply } from '../control/protocol.ts';
import { turnStages } from '../control/stages.ts';
import { quantile } from '../measure/log2-buckets.ts';
import { formatCount, formatNanoseconds } from '../units.ts';
import { type Column, formatTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'Stage' },
  { title: 'Turns', align: 'right' },
  { title: 'p50', align: 'right' },
  { title: 'p90', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'Mean', align: 'right' },
  { title: 'Per packet', align: 'right' },
];

const decimal = (value: number): string => value.toFixed(1);

export function formatStages(stages: StagesReply): string {
  const rows = [
    row('asleep', stages.asleep, formatNanoseconds),
    ...turnStages(stages, 'outbound').map(([name, stage]) => row(`out: ${name}`, stage, formatNanoseconds)),
    ...turnStages(stages, 'inbound').map(([name, stage]) => row(`in: ${name}`, stage, formatNanoseconds)),
    row('out: frames', stages.outbound.frames, decimal),
    row('in: messages', stages.inbound.messages, decimal),
  ];
  return formatTable(COLUMNS, rows);
}

function row(name: string, stage: StageReply, format: (value: number) => string): string[] {
  const { turns, packets, sum, buckets } = stage;
  const at = (q: number): string => {
    const value = quantile(buckets, q);
    return value === undefined ? '-' : format(value);
  };
  const mean = turns === 0 ? '-' : format(sum / turns);
  return [name, formatCount(turns), at(0.5), at(0.9), at(0.99), mean, packets === 0 ? '-' : format(sum / packets)];
}
