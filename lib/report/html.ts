/** HTML whose text cannot become markup: what is put into a template is text, unless it is HTML of another one. Pure. */
import { printable } from '../printable.ts';

/** Made by `html` alone. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Part = Html | string | number | undefined | readonly Part[];

/** Strings are escaped, for text and for attributes in double quotes; undefined is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, index) => (index === 0 ? text : `${sourceOf(parts[index - 1])}${text}`)).join(''));
}

function sourceOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.source;
  if (typeof part === 'number') return String(part);
  return typeof part === 'string' ? escapeHtml(printable(part, MOST_CHARACTERS)) : part.map(sourceOf).join('');
}

/** Our choice: longer than any sentence of ours, and of a name of 10 kB enough to see what it is. */
const MOST_CHARACTERS = 1000;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** JSON for a script element of type application/json: nothing in it ends the element or begins a comment. */
export function jsonForScript(value: unknown): Html {
  // Inside JSON these three are in strings alone, where an escape means the same.
  return new Html(
    JSON.stringify(value).replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

export interface TableColumn {
  readonly title: string;
  readonly number?: boolean;
}

/** In a box of its own that scrolls, where the page is narrow. `caption`: for those who do not see it. */
export function table(
  caption: string,
  columns: readonly TableColumn[],
  rows: readonly (readonly (Html | string)[])[],
): Html {
  const cls = ({ number }: TableColumn): string => (number === true ? 'number' : '');
  const head = columns.map((column) => html`<th scope="col" class="${cls(column)}">${column.title}</th>`);
  const body = rows.map((row) => {
    const cells = row.map((cell, index) =>
      index === 0
        ? html`<th scope="row">${cell}</th>`
        : html`<td class="${cls(columns[index] ?? { title: '' })}">${cell}</td>`,
    );
    return html`<tr>${cells}</tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${caption}"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
