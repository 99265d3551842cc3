/** One curve plot of the report: lib/report/curves.ts says what lies where, uPlot draws it. */
import type uPlot from 'uplot';
import type { Curve, CurvePlot } from '../../report/curves.ts';
import { figure } from '../../report/numbers.ts';
import { axis, colour, plot } from '../kit/plot.ts';

/** Of lines of one colour: the first is drawn through, names stand at their ends. */
const DASHES: readonly number[][] = [[], [7, 4], [2, 3], [12, 3, 2, 3]];
const FONT = 12;
const HEIGHT = 260;
/** Room for the numbers of the vertical axis: "800,000". */
const LEFT = 66;

/** Where a test finds the plot. */
export interface CurvePlace extends HTMLElement {
  uplot?: uPlot;
}

/** Draws it anew: uPlot keeps sizes and colours. `width`: undefined is that of the place. */
export function drawCurve(place: CurvePlace, model: CurvePlot, label: string, width: number | undefined): void {
  place.uplot?.destroy();
  place.replaceChildren();
  const named = model.curves.some(({ name }) => name !== '');
  const styles = stylesOf(model.curves);
  const size = width ?? place.clientWidth;
  const target = width === undefined ? place : sized(place, width);
  const at = [...new Set(model.curves.flatMap(({ points }) => points.map((point) => point.at)))].toSorted(
    (a, b) => a - b,
  );
  const data: uPlot.AlignedData = [
    at,
    ...model.curves.map(({ points }) => at.map((x) => points.find((point) => point.at === x)?.y ?? null)),
  ];
  const right = named ? labelRoom(model.curves, size) : 20;
  const options: Omit<uPlot.Options, 'width'> = {
    height: named ? HEIGHT : 190,
    padding: [12, right, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, min, max) => around(min, max) },
      y: { range: (_, __, max) => [0, topOf(model, max)] },
    },
    axes: [
      axis({
        splits: () => spaced(model, at, size - LEFT - right),
        values: (_, splits) => splits.map((split) => model.ticks.find((tick) => tick.at === split)?.text ?? ''),
        label: model.xLabel,
        labelSize: 20,
        labelFont: `${FONT}px ${getComputedStyle(document.body).fontFamily}`,
        size: 32,
      }),
      axis({
        values: (_, splits) =>
          splits.map((split) =>
            split === 0 ? '0' : split >= 1000 ? figure(split) : String(Number(split.toPrecision(6))),
          ),
        size: LEFT,
      }),
    ],
    series: [
      {},
      ...model.curves.map((_, index) => ({
        ...styles[index]!,
        width: 2,
        points: { show: true, size: 6, fill: styles[index]!.stroke },
        spanGaps: true,
      })),
    ],
    hooks: { draw: [(drawn) => drawSpread(drawn, model, styles), (drawn) => drawNames(drawn, model, styles)] },
  };
  place.uplot = plot(target, label, options, data);
}

/** On paper the place is as wide as it was on the screen when it is drawn. */
function sized(place: HTMLElement, width: number): HTMLElement {
  const target = document.createElement('div');
  target.style.width = `${width}px`;
  place.append(target);
  return target;
}

interface Style {
  readonly stroke: string;
  readonly dash: number[];
}

/** One colour is Weft's, another that of what it is compared with. */
function stylesOf(curves: readonly Curve[]): Style[] {
  let [ours, others] = [0, 0];
  return curves.map((curve) => {
    const index = curve.ours ? ours++ : others++;
    return { stroke: colour(curve.ours ? 'accent' : 'series-6'), dash: DASHES[index % DASHES.length]! };
  });
}

/** Some room at both ends, so that no mark is cut. */
function around(min: number, max: number): [number, number] {
  const room = (max - min) * 0.04;
  return [min - room, max + room];
}

function topOf({ curves }: CurvePlot, seen: number): number {
  const most = Math.max(seen, ...curves.flatMap(({ points }) => points.map(({ max }) => max)));
  return most === 0 ? 1 : most * 1.08;
}

/** Without those that would stand on the one to their right: 10,000 beside 100,000 on a phone. `width`: of the axis, pixels. */
function spaced({ ticks }: CurvePlot, at: readonly number[], width: number): number[] {
  const [first, last] = around(at[0] ?? 0, at.at(-1) ?? 1);
  const perPixel = (last - first) / width;
  const kept: number[] = [];
  let left = Number.POSITIVE_INFINITY;
  for (const tick of ticks.toReversed()) {
    const half = ((tick.text.length * 7) / 2 + 4) * perPixel;
    if (tick.at + half > left) continue;
    kept.unshift(tick.at);
    left = tick.at - half;
  }
  return kept;
}

function labelRoom(curves: readonly Curve[], width: number): number {
  const longest = Math.max(...curves.map(({ name }) => name.length));
  return Math.min(longest * 7 + 16, width * 0.4);
}

/** From the least to the greatest of the rounds, behind each point. */
function drawSpread(drawn: uPlot, { curves }: CurvePlot, styles: readonly Style[]): void {
  const { ctx } = drawn;
  ctx.save();
  ctx.lineWidth = 1.25 * devicePixelRatio;
  for (const [index, { points }] of curves.entries()) {
    ctx.strokeStyle = styles[index]!.stroke;
    ctx.beginPath();
    for (const { at, min, max } of points) {
      const x = drawn.valToPos(at, 'x', true);
      ctx.moveTo(x, drawn.valToPos(min, 'y', true));
      ctx.lineTo(x, drawn.valToPos(max, 'y', true));
    }
    ctx.stroke();
  }
  ctx.restore();
}

/** At the end of each line, moved apart where lines end close together. */
function drawNames(drawn: uPlot, { curves }: CurvePlot, styles: readonly Style[]): void {
  const { ctx } = drawn;
  const ratio = devicePixelRatio;
  const line = (FONT + 3) * ratio;
  const labels = curves
    .map(({ name, points }, index) => {
      const last = points.at(-1)!;
      return { name, index, x: drawn.valToPos(last.at, 'x', true), y: drawn.valToPos(last.y, 'y', true) };
    })
    .toSorted((a, b) => a.y - b.y);
  for (const [index, label] of labels.entries()) label.y = Math.max(label.y, (labels[index - 1]?.y ?? -line) + line);
  // What was pushed below the axis pushes back.
  let floor = drawn.bbox.top + drawn.bbox.height;
  for (const label of labels.toReversed()) {
    label.y = Math.min(label.y, floor);
    floor = label.y - line;
  }
  ctx.save();
  ctx.font = `${FONT * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  const x = Math.max(...labels.map((label) => label.x)) + 10 * ratio;
  for (const { name, index, y } of labels) {
    ctx.fillStyle = styles[index]!.stroke;
    ctx.fillText(name, x, y, drawn.ctx.canvas.width - x);
  }
  ctx.restore();
}
