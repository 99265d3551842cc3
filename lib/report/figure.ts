/** What each picture of the report has: a sentence that says what one sees, the picture, its reading, and its numbers. Pure. */
import { Html, html } from './html.ts';

/** A figure, or what stands where there is none. */
export type SectionPart = Figure | Html | undefined;

export interface Section {
  /** Of its element, and in the contents. */
  readonly id: string;
  readonly title: string;
  readonly parts: readonly SectionPart[];
}

export interface Figure {
  readonly id: string;
  /** What one sees, in a sentence with its numbers. */
  readonly finding: string;
  readonly picture: Html;
  /** How to read it: unit, what bar, line and dot are. */
  readonly reading: string;
  readonly numbers: Html;
}

export function partHtml(part: SectionPart): Html | undefined {
  return part === undefined || part instanceof Html ? part : figureHtml(part);
}

/** The first figure of a section: what one should know of it. */
export function headlineOf({ parts }: Section): Figure | undefined {
  return parts.find((part): part is Figure => part !== undefined && !(part instanceof Html));
}

function figureHtml({ id, finding, picture, reading, numbers }: Figure): Html {
  return html`<figure id="${id}"><figcaption>${finding}</figcaption>${picture}<p class="reading">${reading}</p>${details('The numbers', numbers)}</figure>`;
}

function details(summary: string, body: Html): Html {
  return html`<details><summary>${summary}</summary>${body}</details>`;
}

/** In place of a picture, so that nobody takes what is missing for what is zero. */
export function notMeasured(what: string): Html {
  return html`<p class="missing">Not measured: ${what}.</p>`;
}
