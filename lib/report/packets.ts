/** How many packets a second pass without loss, by their size. Pure. */
import type { BenchReport, ResultRow } from '../bench/report.ts';
import { curvePlace } from './curve-place.ts';
import { curvePlots, packetBytes, packetRows } from './curves.ts';
import { notMeasured, type Section, type SectionPart } from './figure.ts';
import { html } from './html.ts';
import { figure } from './numbers.ts';
import { beside, READING, repeatBars, repeatTable } from './repeats.ts';
import { compare } from './throughput.ts';

const CURVES = 'Point: median; line: from the least to the greatest of the rounds. Blue is Weft.';

export function packetsSection(report: BenchReport): Section {
  const rows = packetRows(report, 'rate');
  const title = 'Packets';
  if (rows.length === 0) return { id: 'packets', title, parts: [notMeasured('packets a second')] };
  return { id: 'packets', title, parts: [rateFigure(report, rows), lossFigure(report)] };
}

function rateFigure(report: BenchReport, rows: readonly ResultRow[]): SectionPart {
  const smallest = rows.filter(({ test }) => test === rows[0]?.test);
  const plot = curvePlots(report).find(({ id }) => id === 'packet-rate');
  return {
    id: 'rates',
    finding: `Packets of ${packetBytes(smallest[0]?.test ?? '') ?? 0} bytes without loss: ${compare(smallest, 'packets/s')}.`,
    picture: plot === undefined ? repeatBars(smallest, 'packets/s') : curvePlace(plot),
    reading: `${plot === undefined ? READING : CURVES} Highest rate that loses at most ${figure(report.method.maxLoss * 100)} % of the packets, by search.`,
    numbers: repeatTable('Packets a second', 'packets/s', rows, [
      { title: 'bytes', cell: ({ test }) => String(packetBytes(test) ?? '') },
      { title: 'Gb/s', cell: (row) => figure((row.median * (packetBytes(row.test) ?? 0) * 8) / 1e9) },
      { title: 'lost %', cell: (row) => figure((beside(report, row, 'loss')?.median ?? 0) * 100) },
      { title: 'limited by', words: true, cell: ({ limits = [] }) => [...new Set(limits)].join(', ') },
    ]),
  };
}

function lossFigure(report: BenchReport): SectionPart {
  const rows = packetRows(report, 'loss');
  const worst = rows.toSorted((a, b) => b.max - a.max)[0];
  if (worst === undefined) return undefined;
  if (worst.max === 0) return html`<p class="finding">At these rates no packet was lost.</p>`;
  const plot = curvePlots(report).find(({ id }) => id === 'packet-loss');
  const none = new Set<string>(rows.map(({ path }) => path));
  for (const row of rows) if (row.max > 0) none.delete(row.path);
  return {
    id: 'losses',
    finding: `At these rates at most ${figure(worst.max * 100)} % of the packets were lost (${worst.path}, ${packetBytes(worst.test) ?? 0} bytes)${none.size === 0 ? '' : `; ${[...none].join(', ')} lost none`}.`,
    picture: plot === undefined ? repeatBars(rows, 'share lost') : curvePlace(plot),
    reading: plot === undefined ? READING : CURVES,
    numbers: repeatTable('Share of the packets that were lost', 'lost', rows, [
      { title: 'bytes', cell: ({ test }) => String(packetBytes(test) ?? '') },
    ]),
  };
}
