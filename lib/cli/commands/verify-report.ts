/** `weft verify` for people: what was looked at, who sent what to whom, what is wrong, what is not and why it looks so. */
import { fitText } from '../../fit-text.ts';
import type { VerifyFault, VerifyReport } from '../../observe/verify/report.ts';
import { printable } from '../../printable.ts';
import { formatCount } from '../../units.ts';
import { PLAIN, type Style } from '../style.ts';
import { type Column, formatTable } from '../table.ts';

const COLUMNS = 80;
/** Our choice: a screen of them. */
const MOST_ROWS = 20;

export function formatVerify(report: VerifyReport, style: Style = PLAIN): string {
  return [
    headline(report),
    directions(report),
    ...report.faults.map((fault) => faultLines(fault, style)),
    remarks(report),
    verdict(report, style),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function headline({ source, seconds, frames, checked, others, probes }: VerifyReport): string {
  const time = seconds === null ? '' : `, ${seconds} s`;
  const rest = [
    others > 0 ? `${formatCount(others)} of others` : '',
    probes > 0 ? `${formatCount(probes)} of peer monitors` : '',
  ].filter((part) => part !== '');
  const left = rest.length === 0 ? '' : `; ${rest.join(', ')} left out`;
  return wrap(`${printable(source)}${time}: ${formatCount(frames)} frames, ${formatCount(checked)} checked${left}`);
}

function directions({ directions: all }: VerifyReport): string {
  if (all.length === 0) return '';
  const hasNames = all.some(({ network }) => network !== '');
  const columns: Column[] = [
    ...(hasNames ? [{ title: 'Network' }] : []),
    { title: 'From' },
    { title: 'To' },
    { title: 'Frames', align: 'right' },
    { title: 'Packets', align: 'right' },
    { title: 'Faults', align: 'right' },
    { title: 'Unfinished', align: 'right' },
    { title: 'Uncut', align: 'right' },
  ];
  const sorted = all.toSorted((a, b) => b.faults - a.faults || b.frames - a.frames);
  const rows = sorted
    .slice(0, MOST_ROWS)
    .map((row) => [
      ...(hasNames ? [printable(row.network)] : []),
      row.from,
      row.to,
      ...[row.frames, row.innerPackets, row.faults, row.unfinished, row.superPackets].map(formatCount),
    ]);
  const more = all.length > MOST_ROWS ? `and ${all.length - MOST_ROWS} more\n` : '';
  return `${formatTable(columns, rows)}${more}`;
}

function faultLines({ network, check, rule, count, where, frame }: VerifyFault, style: Style): string {
  const name = network === '' ? '' : ` (${printable(network)})`;
  const title = `${style.red('FAULT')} ${check}${name}, ${formatCount(count)} ${count === 1 ? 'frame' : 'frames'}\n`;
  const details = [`must hold: ${rule}`, `the first, ${where}: ${printable(frame)}`];
  return `${title}${details.map((line) => fitText(line, COLUMNS - 2).replaceAll(/^/gm, '  ')).join('\n')}\n`;
}

function remarks({ unfinished, superPackets, fragments, cut, lost, notChecked }: VerifyReport): string {
  const lines = [
    unfinished.outer + unfinished.inner > 0
      ? `${formatCount(unfinished.outer)} outer and ${formatCount(unfinished.inner)} inner checksums unfinished (offload): no fault`
      : '',
    superPackets > 0 ? `${formatCount(superPackets)} super-packets, not cut (offload): no fault` : '',
    fragments > 0 ? `${formatCount(fragments)} later fragments: only their outer headers were seen` : '',
    cut > 0 ? `${formatCount(cut)} frames cut by the snap length: not all of them could be checked` : '',
    lost > 0 ? `${formatCount(lost)} frames lost: the kernel had no room for them` : '',
    ...notChecked.map((text) => `not checked: ${printable(text)}`),
  ];
  return lines
    .filter((line) => line !== '')
    .map((line) => wrap(line))
    .join('');
}

function verdict({ ok, checked, faults }: VerifyReport, style: Style): string {
  if (ok) return `${style.green('OK')}: nothing is wrong with ${formatCount(checked)} frames\n`;
  if (checked === 0)
    return `${style.yellow('NOTHING')} was checked: no tunnel packet was seen. They pass the underlay's interface, not\nthe overlay's device\n`;
  const kinds = faults.length === 1 ? 'one check' : `${faults.length} checks`;
  return `${style.red('FAULTS')}: ${kinds} failed\n`;
}

function wrap(text: string): string {
  return `${fitText(text, COLUMNS)}\n`;
}
