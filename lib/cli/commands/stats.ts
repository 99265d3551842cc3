import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { askDaemon } from '../../control/client.ts';
import type { StatsReply } from '../../control/protocol.ts';
import { countAt, counterRows } from '../../dataplane/counters.ts';
import { toJson } from '../../printable.ts';
import { formatBitRate, formatBytes, formatCount } from '../../units.ts';
import { seconds } from '../numbers.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { drawn } from '../screen.ts';
import { formatStages } from '../stage-table.ts';
import { type Column, formatFields, formatTable } from '../table.ts';

interface StatsOptions extends QueryOptions {
  /** Seconds between two readings; true: the default. */
  readonly watch?: number | true;
}

const DEFAULT_INTERVAL_S = 1;

export function statsCommand(): Command {
  return addQueryOptions(new Command('stats'))
    .description('Show packet counters and why packets were dropped')
    .option('--watch [seconds]', 'read again and again and show rates', seconds(0.1, 86_400))
    .addHelpText(
      'after',
      `
Examples:
  weft stats                 counters since the daemon started
  weft stats --watch 2       and the rates of the last two seconds, until Ctrl-C
  weft stats --watch --json  one JSON object a line`,
    )
    .action(async (options: StatsOptions) => {
      if (options.watch === undefined) await printReply('/v1/stats', options, (stats) => formatStats(stats));
      else await watch(options, options.watch === true ? DEFAULT_INTERVAL_S : options.watch);
    });
}

/** Runs until the process is interrupted or the daemon goes away. */
async function watch(options: StatsOptions, intervalS: number): Promise<never> {
  let before: StatsReply | undefined;
  for (;;) {
    const stats = await askDaemon(options.controlSocket, '/v1/stats', options.network);
    if (options.json === true) process.stdout.write(`${toJson(stats)}\n`);
    else
      process.stdout.write(
        process.stdout.isTTY ? drawn(formatStats(stats, before), terminalSize()) : `${formatStats(stats, before)}\n`,
      );
    before = stats;
    await sleep(intervalS * 1000);
  }
}

/** Asked each time: a window changes. */
function terminalSize(): { rows: number; columns: number } {
  return { rows: process.stdout.rows, columns: process.stdout.columns };
}

/** Counters, with a column of rates when there is an earlier reading. */
export function formatStats(stats: StatsReply, before?: StatsReply): string {
  // A weftd that is older than this command has no clock, and a network without a data plane none.
  const { stages = null } = stats as Partial<StatsReply>;
  const clock = stages === null ? '' : `\n${formatStages(stages)}`;
  return `${formatDirections(stats, before)}\n${formatFields(otherLines(stats))}\n${formatDrops(stats, before)}${clock}`;
}

/** The counters that the table has lines for: of what a learning network does, and of the tap, only where there is any. */
function otherLines(stats: StatsReply): [title: string, text: string][] {
  const isIdle = (counts: Readonly<Record<string, number>>) => Object.values(counts).every((count) => count === 0);
  // A weftd that is older than this command has no tap.
  const idle = [...(isIdle(stats.bridge) ? ['bridge.'] : []), ...(isIdle(stats.tap ?? {}) ? ['tap.'] : [])];
  const lines = new Map<string, string>();
  for (const [name, { line }] of counterRows()) {
    if (line === undefined || idle.some((group) => name.startsWith(group))) continue;
    const [title, words] = line;
    const value = countAt(stats, name);
    // Not in the reply of a weftd that is older than this command.
    if (Number.isNaN(value)) continue;
    const text = words.replace('#', formatCount(value));
    const first = lines.get(title);
    lines.set(title, first === undefined ? text : `${first} ${text}`);
  }
  return [...lines];
}

function formatDirections(stats: StatsReply, before: StatsReply | undefined): string {
  const columns: Column[] = [
    { title: 'Direction' },
    { title: 'Received', align: 'right' },
    { title: 'Forwarded', align: 'right' },
    { title: 'Bytes', align: 'right' },
  ];
  // Before the columns that 80 characters have no room for.
  if (before !== undefined) columns.push({ title: 'Packets/s', align: 'right' }, { title: 'Rate', align: 'right' });
  columns.push({ title: 'Packets/read', align: 'right' }, { title: 'Packets/write', align: 'right' });
  const rows = (['outbound', 'inbound'] as const).map((name) => {
    const now = stats[name];
    const cells = [name, formatCount(now.received), formatCount(now.forwarded), formatBytes(now.forwardedBytes)];
    const batching = [ratio(now.received, now.reads), ratio(now.forwarded, now.writes)];
    if (before === undefined) return [...cells, ...batching];
    const then = before[name];
    const packets = perSecond(stats, before, now.forwarded - then.forwarded);
    const bytes = perSecond(stats, before, now.forwardedBytes - then.forwardedBytes);
    return [...cells, rate(packets, formatCount), rate(bytes, formatBitRate), ...batching];
  });
  return formatTable(columns, rows);
}

/** All reasons, those that happened first and the most frequent of them at the top. */
function formatDrops(stats: StatsReply, before: StatsReply | undefined): string {
  const columns: Column[] = [{ title: 'Drop reason' }, { title: 'Packets', align: 'right' }];
  if (before !== undefined) columns.push({ title: 'Packets/s', align: 'right' });
  const reasons = Object.entries(stats.drops).toSorted(([, a], [, b]) => b - a);
  const rows = reasons.map(([reason, count]) => {
    const cells = [reason, formatCount(count)];
    if (before === undefined) return cells;
    return [...cells, rate(perSecond(stats, before, count - (before.drops[reason] ?? 0)), formatCount)];
  });
  return formatTable(columns, rows);
}

function ratio(packets: number, calls: number): string {
  return calls === 0 ? '-' : (packets / calls).toFixed(1);
}

/** undefined when the daemon was restarted in between, so that counters went back. */
function perSecond(stats: StatsReply, before: StatsReply, difference: number): number | undefined {
  const elapsedS = (Date.parse(stats.at) - Date.parse(before.at)) / 1000;
  return elapsedS > 0 && difference >= 0 ? difference / elapsedS : undefined;
}

function rate(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? '-' : format(value);
}
