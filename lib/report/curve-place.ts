/** Where the browser draws a curve: lib/page/report/curve.ts looks for it. Pure. */
import type { CurvePlot } from './curves.ts';
import { type Html, html } from './html.ts';

/** Until a script draws there, it says why there is none. */
export function curvePlace({ id, yLabel }: CurvePlot): Html {
  return html`<p class="group">${yLabel}</p><div class="curve" data-curve="${id}"><p class="missing">A script draws this curve; it has not run. The table below has its numbers.</p></div>`;
}
