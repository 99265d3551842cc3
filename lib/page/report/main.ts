/** The benchmark's report as its reader has it: everything but the curves is there without this script. */
import '../kit/theme.css';
import './report.css';
import './paper.css';
import { type CurveReport, curvePlots } from '../../report/curves.ts';
import { byId } from '../kit/dom.ts';
import { onThemeChange } from '../kit/plot.ts';
import { drawCurve } from './curve.ts';

/** Of A4 between margins, in CSS pixels. */
const PAPER_WIDTH = 640;
const paper = matchMedia('print');

// Node wrote it of a report that it had checked.
const report = JSON.parse(byId('report').textContent) as CurveReport;
const plots = curvePlots(report);

function drawCurves(): void {
  for (const place of document.querySelectorAll<HTMLElement>('[data-curve]')) {
    const model = plots.find(({ id }) => id === place.dataset.curve);
    if (model === undefined) continue;
    const label = `${place.closest('figure')?.querySelector('figcaption')?.textContent ?? ''} ${model.yLabel}`;
    const several = place.closest('.curves') !== null && place.closest('.curves')!.childElementCount > 1;
    drawCurve(place, model, label, paper.matches ? PAPER_WIDTH / (several ? 2 : 1) : undefined);
  }
}

/** On paper nobody can open a table: all are, and afterwards those that were. */
function openTables(): void {
  for (const details of document.querySelectorAll('details'))
    if (paper.matches) {
      details.dataset.open = String(details.open);
      details.open = true;
    } else if (details.dataset.open === 'false') details.open = false;
}

let drawnWidth = document.body.clientWidth;
new ResizeObserver(() => {
  if (paper.matches || document.body.clientWidth === drawnWidth) return;
  drawnWidth = document.body.clientWidth;
  drawCurves();
}).observe(document.body);
paper.addEventListener('change', openTables);
onThemeChange(drawCurves);
drawCurves();
