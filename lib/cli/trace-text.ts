/** `weft trace` for people: 80 columns, one thing a line, the answer last. */
import { fitText } from '../fit-text.ts';
import type { WireHeader } from '../headers/fields.ts';
import type { Point, TableStep } from '../observe/trace/model.ts';
import type { ProbeReport, TraceReport } from '../observe/trace/trace.ts';
import { explainDrop } from './drop-words.ts';
import { PLAIN, type Style } from './style.ts';

const COLUMNS = 80;
/** Of the codes of an answer: weftd dropped it, for the reason behind this. */
const DROPPED = 'dropped-';
const MARKS = { ok: 'ok', fault: 'FAULT', unknown: '?' } as const;

export function formatTrace(report: TraceReport, style: Style = PLAIN): string {
  const { source, destination, transport, port, answer } = report;
  const what = transport === 'icmp' ? 'ICMP echo' : `${transport.toUpperCase()} port ${port}`;
  const lines = [`${source} to ${destination}, ${what}`, '', ' by the tables'];
  for (const { name, text, state } of report.tables) lines.push(...tableLines(name, text, marked(state, style)));
  if (report.wire !== null) lines.push(...wireLines(report.wire));
  for (const probe of report.probes) lines.push(...probeLines(probe, report.peer));
  for (const note of report.notes) lines.push(...wrap(`note: ${note}`, 1));
  const [first = '', ...more] = wrap(answer.text, 0);
  lines.push('', first.replace(/^[a-z ]+(?=:)/, answer.arrived ? style.green : style.red), ...more);
  if (answer.code.startsWith(DROPPED)) lines.push(...wrap(explainDrop(answer.code.slice(DROPPED.length)), 2));
  if (answer.hint !== null) lines.push(...wrap(`try: ${answer.hint}`, 2));
  return `${lines.join('\n')}\n`;
}

function marked(state: TableStep['state'], style: Style): string {
  const mark = MARKS[state];
  if (state === 'ok') return mark;
  return state === 'fault' ? style.red(mark) : style.yellow(mark);
}

function tableLines(name: string, text: string, mark: string): string[] {
  const width = COLUMNS - 14 - 7;
  const [first = '', ...more] = wrap(text, 0, width);
  return [`  ${name.padEnd(11)} ${first.padEnd(width)} ${mark}`, ...more.map((line) => `${' '.repeat(14)}${line}`)];
}

function wireLines(wire: NonNullable<TraceReport['wire']>): string[] {
  const title = wire.seen ? 'on the wire, as it was sent' : 'on the wire, as it would be';
  const lines = [`  ${title}: ${wire.bytes} bytes`];
  for (const header of wire.headers) lines.push(...headerLines(header, wire.hex));
  return lines;
}

/** The fields in words, and below them their bytes. */
function headerLines({ name, fields }: WireHeader, hex: string): string[] {
  const words = fields.map((field) => `${field.name} ${field.value}`).join(', ');
  const lines = wrap(words, 0, COLUMNS - 21).map((line, i) => `     ${(i === 0 ? name : '').padEnd(15)} ${line}`);
  const first = fields[0];
  const last = fields.at(-1);
  if (first === undefined || last === undefined) return lines;
  const bytes = hex.slice(first.at * 2, (last.at + last.length) * 2).match(/../g) ?? [];
  for (let i = 0; i < bytes.length; i += 18) lines.push(`${' '.repeat(21)}${bytes.slice(i, i + 18).join(' ')}`);
  return lines;
}

const WORDS: Readonly<Record<Point['kind'], string>> = {
  probe: '',
  answer: 'answer',
  error: 'error',
  'underlay-error': 'about the tunnel',
  // Not on the packet's way: said beside it.
  'underlay-answer': '',
  'tunnel-answer': '',
};

function probeLines({ size, points: seen, answer }: ProbeReport, peer: string | null): string[] {
  const lines = ['', ` one probe of ${size} bytes`];
  const points = seen.filter(({ kind }) => kind !== 'underlay-answer' && kind !== 'tunnel-answer');
  for (const host of ['here', 'far'] as const) {
    const own = points.filter((point) => point.host === host);
    if (host === 'far' && own.length > 0) lines.push('  on the other host, by its own clock');
    let before: Point | undefined;
    for (const point of own) {
      lines.push(...pointLines(point, before));
      before = point;
    }
  }
  if (answer.arrived) return lines;
  lines.push(`     ........  ${points.length === 0 ? 'never seen' : 'nothing more was seen'}`);
  if (points.some(({ place, kind }) => place === 'underlay' && kind === 'probe')) lines.push(...besides(seen, peer));
  return lines;
}

/** What came of the echoes that were sent to the peer meanwhile. */
function besides(points: readonly Point[], peer: string | null): string[] {
  if (peer === null) return [];
  const said = (kind: Point['kind']): string => (points.some((point) => point.kind === kind) ? 'answered' : 'silent');
  const through = points.some(({ place }) => place === 'overlay')
    ? `, through the tunnel ${said('tunnel-answer')}`
    : '';
  return wrap(`meanwhile ${peer}: a ping on the underlay ${said('underlay-answer')}${through}`, 5);
}

function pointLines(point: Point, before: Point | undefined): string[] {
  const ms = before === undefined ? 0 : elapsed(before, point);
  const time = before === undefined ? '0.000 ms' : `+${ms.toFixed(3)}   `;
  const who = point.by === null || point.kind === 'answer' ? '' : ` by ${point.by}`;
  const words = [WORDS[point.kind], point.note ?? ''].filter((word) => word !== '').join(', ');
  const text = `${time.padStart(13)}  ${point.place.padEnd(9)} ${point.device.padEnd(12)} ${point.direction.padEnd(3)}  ${words}${who}`;
  return wrap(text, 0);
}

function elapsed(a: Point, b: Point): number {
  return (b.seconds - a.seconds) * 1000 + (b.nanoseconds - a.nanoseconds) / 1e6;
}

function wrap(text: string, indent: number, width = COLUMNS - indent): string[] {
  return fitText(text, width)
    .split('\n')
    .map((line) => `${' '.repeat(indent)}${line}`);
}
