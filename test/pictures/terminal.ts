/** What a command printed, as a terminal shows it. */
import { escapeHtml } from './painter.ts';

export const TERMINAL_STYLE = `
  body { padding: 0 }
  #picture { display: inline-block; padding: 14px 18px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
  pre { margin: 0; font: 13px/1.38 var(--mono); min-width: 80ch; }
  .prompt { color: var(--accent); font-weight: 600; }
  b { font-weight: 700 }
  .red { color: var(--bad) }
`;

const SGR: Readonly<Record<string, string>> = { 1: '<b>', 22: '</b>', 31: '<span class="red">', 39: '</span>' };

/** `$ command` and its output; bold and red text stay. */
export function terminal(command: string, output: string): string {
  const lines = output.replaceAll('\r', '').trimEnd();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a terminal obeys
  const shown = escapeHtml(lines).replace(/\u001b\[(\d+)m/g, (_, code: string) => SGR[code] ?? '');
  return `<pre><span class="prompt">$ ${escapeHtml(command)}</span>\n${shown}</pre>`;
}

/** The last screen of a program that draws again and again from the top left corner (lib/cli/screen.ts). */
export function lastScreen(output: string): string {
  const screens = output.split('\u001b[H').slice(1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a terminal obeys
  return (screens.at(-1) ?? '').replace(/\u001b\[[?\d]*[A-Zhl]/g, '');
}
