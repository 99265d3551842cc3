/** The stage clock for people: where a turn's time goes, by its stages. */
import type { StageReply, StagesReply } from '../control/protocol.ts';
import { quantile } from '../measure/log2-buckets.ts';
import { formatCount } from '../units.ts';
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

/** Words of the stages, in the order of a turn: docs/operations.md explains each. */
const TIMES = [
  ['asleep', ({ asleep }: StagesReply) => asleep],
  ['out: wake-up', ({ outbound }: StagesReply) => outbound.wake],
  ['out: read', ({ outbound }: StagesReply) => outbound.read],
  ['out: our code', ({ outbound }: StagesReply) => outbound.code],
  ['out: send', ({ outbound }: StagesReply) => outbound.send],
  ['in: wake-up', ({ inbound }: StagesReply) => inbound.wake],
  ['in: receive', ({ inbound }: StagesReply) => inbound.receive],
  ['in: our code', ({ inbound }: StagesReply) => inbound.code],
  ['in: write', ({ inbound }: StagesReply) => inbound.write],
] as const;

const COUNTS = [
  ['out: frames', ({ outbound }: StagesReply) => outbound.frames],
  ['in: messages', ({ inbound }: StagesReply) => inbound.messages],
] as const;

export function formatStages(stages: StagesReply): string {
  const rows = [
    ...TIMES.map(([name, of]) => row(name, of(stages), formatNanoseconds)),
    ...COUNTS.map(([name, of]) => row(name, of(stages), (value) => value.toFixed(1))),
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

/** "850 ns", "12.3 us", "4.1 ms". */
export function formatNanoseconds(value: number): string {
  if (value < 1000) return `${Math.round(value)} ns`;
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} us` : `${(value / 1e6).toFixed(1)} ms`;
}
