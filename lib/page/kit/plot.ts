/** uPlot in the page's colours: axes, cursor and legend alike in report and live page. */
/*!
 * uPlot, https://github.com/leeoniya/uPlot: its licence goes with every copy, and both pages are one.
 *
 * The MIT License (MIT)
 *
 * Copyright (c) 2022 Leon Sorokin
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
 * THE SOFTWARE.
 */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export type { AlignedData, Options } from 'uplot';

/** A colour of theme.css as it is now: light, dark or print. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Calls `draw` when the reader changes between light and dark, and before and after printing. */
export function onThemeChange(draw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  matchMedia('print').addEventListener('change', draw);
}

/** An axis in the page's colours; add what is special to it. */
export function axis(options: uPlot.Axis = {}): uPlot.Axis {
  return {
    stroke: colour('muted'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    ...options,
  };
}

/**
 * A plot in `target`, as wide as it. `label` is what one sees in a sentence: for those who do not see the picture. It is drawn
 * anew by who made it when the theme changes: uPlot keeps colours.
 */
export function plot(
  target: HTMLElement,
  label: string,
  options: Omit<uPlot.Options, 'width'>,
  data: uPlot.AlignedData,
): uPlot {
  const made = new uPlot({ ...options, width: Math.max(200, target.clientWidth) }, data, target);
  made.root.setAttribute('role', 'img');
  made.root.setAttribute('aria-label', label);
  return made;
}
