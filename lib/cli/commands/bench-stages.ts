/** The table of a report of `weft bench` that says what a packet costs weftd: what is in the stages of its clock, in sum. */
import type { BenchReport } from '../../bench/report.ts';
import { formatCount } from '../../units.ts';
import { type Column, formatTable } from '../table.ts';

type StageRows = NonNullable<BenchReport['stages']>;

/** The extremes: packets that come in super-packets, and the smallest one by one. */
const SHOWN = ['tcp1', 'udp64'];
const COLUMNS: readonly Column[] = [
  { title: 'Test' },
  { title: 'Path' },
  { title: 'sender', align: 'right' },
  { title: 'our code', align: 'right' },
  { title: 'receiver', align: 'right' },
  { title: 'our code', align: 'right' },
];

/** '' where it was not measured. The stages one by one are in the JSON, and in the page of --html. */
export function formatStageCosts(stages: BenchReport['stages'] = []): string {
  const shown = stages.filter(({ setting, test }) => setting === 'free' && SHOWN.includes(test));
  const places = new Map(shown.map(({ test, path }) => [`${test} ${path}`, { test, path }]));
  if (places.size === 0) return '';
  const byTest = [...places.values()].toSorted((a, b) => SHOWN.indexOf(a.test) - SHOWN.indexOf(b.test));
  const rows = byTest.map(({ test, path }) => {
    const of = (side: string): StageRows =>
      shown.filter((row) => row.test === test && row.path === path && row.side === side);
    return [test, path, ...cells(of('sender')), ...cells(of('receiver'))];
  });
  return `Time of weftd for a packet, ns, free: without what it waits in queues\n${formatTable(COLUMNS, rows)}`;
}

function cells(rows: StageRows): [all: string, code: string] {
  const sum = (some: StageRows): string => formatCount(some.reduce((total, { median }) => total + median, 0));
  return rows.length === 0 ? ['-', '-'] : [sum(rows), sum(rows.filter(({ stage }) => stage === 'code'))];
}
