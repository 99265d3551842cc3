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

const ESCAPE = '\u001b';

const SGR: Readonly<Record<string, string>> = { 1: '<b>', 22: '</b>', 31: '<span class="red">', 39: '</span>' };

/** `$ command` and its output; bold and red text stay. */
export function terminal(command: string, output: string): string {
  const lines = output.replaceAll('\r', '').trimEnd();
  const shown = escapeHtml(lines).replace(new RegExp(`${ESCAPE}\\[(\\d+)m`, 'g'), (_, code: string) => SGR[code] ?? '');
  return `<pre><span class="prompt">$ ${escapeHtml(command)}</span>\n${shown}</pre>`;
}

/** The last screen of a program that draws again and again from the top left corner (lib/cli/screen.ts). */
export function lastScreen(output: string): string {
  const screens = output.split(`${ESCAPE}[H`).slice(1);
  return (screens.at(-1) ?? '').replace(new RegExp(`${ESCAPE}\\[[?\\d]*[A-Zhl]`, 'g'), '');
}
