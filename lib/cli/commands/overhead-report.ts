/** `weft overhead` for people: 80 columns. */
import type { StageReply } from '../../control/protocol.ts';
import { fitText } from '../../fit-text.ts';
import { quantile } from '../../measure/log2-buckets.ts';
import type { DirectionReport } from '../../observe/overhead/edge-pairs.ts';
import type { OverheadReport } from '../../observe/overhead/overhead.ts';
import { formatBytes, formatCount, formatNanoseconds } from '../../units.ts';
import { type Column, formatTable } from '../table.ts';

const WIDTH = 80;
/** Of the largest bar. */
const BAR = 40;
/** Our choice: of less, seconds for a GB are a guess. */
const LEAST_BYTES = 10_000_000;

export function formatOverhead(report: OverheadReport): string {
  const { outbound, inbound, notes } = report;
  return [
    `${headline(report)}\n`,
    latencies(report),
    ...(
      [
        ['out', outbound],
        ['in', inbound],
      ] as const
    ).flatMap(([name, direction]) => (direction.paired === 0 ? [] : [histogram(name, direction)])),
    costs(report),
    ...notes.map((note) => `${fitText(`note: ${note}`, WIDTH)}\n`),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function headline({
  seconds,
  overlayDevice,
  underlayDevice,
  outbound,
  inbound,
  notSeen,
  drops,
}: OverheadReport): string {
  const paired = (way: DirectionReport) => `${formatCount(way.paired)} of ${formatCount(way.packets)}`;
  const lines = [
    `${seconds} s between ${overlayDevice} and ${underlayDevice}`,
    `${paired(outbound)} packets out and ${paired(inbound)} in paired`,
    // What was not looked at on one edge is not told from what did not come out.
    `${notSeen > 0 ? 'at most ' : ''}${formatCount(outbound.lost + inbound.lost)} lost between the edges`,
  ];
  const dropped = Object.entries(drops).map(([reason, count]) => `${formatCount(count)} ${reason}`);
  if (dropped.length > 0) lines.push(`weftd dropped ${dropped.join(', ')}`);
  if (notSeen > 0)
    lines.push(
      `${formatCount(notSeen)} frames or packets came too fast to be looked at: they are in no figure, or seem lost`,
    );
  return lines.map((line) => fitText(line, WIDTH)).join('\n');
}

const COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'p50', align: 'right' },
  { title: 'p90', align: 'right' },
  { title: 'p99', align: 'right' },
  { title: 'Max', align: 'right' },
];

function latencies({ outbound, inbound, stages }: OverheadReport): string {
  const row = (name: string, { p50, p90, p99, max }: DirectionReport): string[] => [
    name,
    ...[p50, p90, p99, max].map((value) => (value === null ? '-' : formatNanoseconds(value))),
  ];
  const out = stages?.outbound;
  const into = stages?.inbound;
  const spent = [
    ['out', where(outbound, { read: out?.read, 'our code': out?.code, send: out?.send })],
    ['in', where(inbound, { receive: into?.receive, 'our code': into?.code, write: into?.write })],
  ] as const;
  const lines = spent.map(([name, words]) => `${name.padEnd(3)}  ${words}`);
  return `${formatTable(COLUMNS, [row('out', outbound), row('in', inbound)])}\nwhere, by the p50 of a turn\n${lines.join('\n')}\n`;
}

/** "queue 33.0 us, read 2.0 us, ...": what the stages leave is the queue's. */
function where({ p50 }: DirectionReport, stages: Readonly<Record<string, StageReply | undefined>>): string {
  if (p50 === null) return 'no packet passed';
  const parts = Object.entries(stages).map(([name, stage]) => [name, quantile(stage?.buckets ?? [], 0.5)] as const);
  if (parts.some(([, value]) => value === undefined)) return 'the clock measured no turn';
  const spent = parts.reduce((sum, [, value]) => sum + (value ?? 0), 0);
  const words = parts.map(([name, value]) => `${name} ${formatNanoseconds(value ?? 0)}`);
  return [`queue ${formatNanoseconds(Math.max(0, p50 - spent))}`, ...words].join(', ');
}

function histogram(name: string, { octaves }: DirectionReport): string {
  const first = octaves.findIndex((count) => count > 0);
  const most = Math.max(...octaves);
  const rows = octaves.slice(first).map((count, index) => {
    const bar = '#'.repeat(Math.ceil((count / most) * BAR));
    return `${formatNanoseconds(2 ** (first + index)).padStart(9)} |${bar.padEnd(BAR)} ${formatCount(count).padStart(11)}`;
  });
  return `${name}, packets by time, from\n${rows.join('\n')}\n`;
}

/** Of seconds of CPU; those of a few packets on a busy machine are many. */
function timeOf(seconds: number): string {
  return seconds < 1e-3 ? `${(seconds * 1e6).toFixed(2)} us` : `${(seconds * 1e3).toFixed(1)} ms`;
}

function costs(report: OverheadReport): string {
  const { outbound, inbound, daemonCpu, machineCpuSeconds, ownCpuSeconds, seconds } = report;
  const bytes = outbound.bytes + inbound.bytes;
  const packets = outbound.paired + inbound.paired;
  if (packets === 0) return 'No packet was paired: there is no figure for what one costs. Does anything pass?\n';
  const each = (cpu: number): string =>
    [
      ...(bytes < LEAST_BYTES ? [] : [`${(cpu / (bytes / 1e9)).toFixed(2)} s per GB`]),
      `${timeOf(cpu / packets)} a packet`,
    ].join(', ');
  const lines: string[] = [];
  if (daemonCpu === null) lines.push('CPU of weftd: it cannot be read from here');
  else {
    const total = daemonCpu.userSeconds + daemonCpu.systemSeconds;
    const user = total === 0 ? 0 : Math.round((daemonCpu.userSeconds / total) * 100);
    lines.push(`CPU of weftd      ${each(total)} (user ${user} %, kernel ${100 - user} %)`);
  }
  lines.push(`of the machine    ${each(machineCpuSeconds)}, ${ownCpuSeconds.toFixed(2)} s of it this command's`);
  lines.push(`over ${formatBytes(bytes)} of inner packets, ${formatBytes(bytes / packets)} each, in ${seconds} s`);
  return `${lines.join('\n')}\n`;
}
