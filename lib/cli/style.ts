/** A little colour on a terminal, none elsewhere, none with NO_COLOR (https://no-color.org). */

export interface Style {
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

export const PLAIN: Style = { bold: same, red: same, green: same, yellow: same };

export function terminalStyle(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Style {
  if (stream.isTTY !== true || (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb') return PLAIN;
  return { bold: sgr(1, 22), red: sgr(31, 39), green: sgr(32, 39), yellow: sgr(33, 39) };
}

/** ECMA-48 §8.3.117, select graphic rendition. */
function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}

function same(text: string): string {
  return text;
}
