/**
 * A program that has the whole terminal, and gives it back as it was: its text, its cursor, its line editing. xterm's "Control
 * sequences" (private modes 25 and 1049), termios(3).
 */
import type { ReadStream, WriteStream } from 'node:tty';
import { WeftError } from '../error.ts';
import { drawn } from './screen.ts';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** Keys that send a sequence, and Ctrl-C and Ctrl-Z, which a terminal in raw mode does not turn into signals. */
const KEYS: Readonly<Record<string, Key>> = {
  '\u0003': 'interrupt',
  '\u001a': 'suspend',
  '\u001b[A': 'up',
  '\u001b[B': 'down',
  '\u001bOA': 'up',
  '\u001bOB': 'down',
  '\u001b[5~': 'page-up',
  '\u001b[6~': 'page-down',
};

const ESCAPE = '\u001b';
/** A sequence, an escape character alone, any other character. */
const SEQUENCE = new RegExp(`${ESCAPE}(?:\\[[0-9;]*[A-Za-z~]|O[A-Za-z])|${ESCAPE}|[^${ESCAPE}]`, 'g');

/** A character, or the name of a key. */
export type Key = string;

const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface FullScreen {
  readonly size: { readonly rows: number; readonly columns: number };
  /** In place of what is there: lines that fit, with one row left free. */
  draw(lines: readonly string[]): void;
  /** Aborted by SIGINT, SIGTERM, SIGHUP, Ctrl-C and q. */
  readonly signal: AbortSignal;
}

/**
 * Runs `body` with the terminal. `onKey` is called for each key but those that end or suspend it, `onResize` when the terminal has another
 * size or was given back after a suspension. Throws USAGE where input or output is no terminal.
 */
export async function withFullScreen<T>(
  { input, output }: { readonly input: ReadStream; readonly output: WriteStream },
  { onKey, onResize }: { readonly onKey: (key: Key) => void; readonly onResize: () => void },
  body: (screen: FullScreen) => Promise<T>,
): Promise<T> {
  if (input.isTTY !== true || output.isTTY !== true)
    throw new WeftError('USAGE', 'This needs a terminal for its input and its output', {
      hint: 'weft top --json prints an object a line; weft stats --watch counters and rates',
    });
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const enter = (): void => {
    input.setRawMode(true);
    output.write(ENTER);
  };
  const leave = (): void => {
    output.write(LEAVE);
    input.setRawMode(false);
  };
  // Whoever stopped it by a signal has set the terminal to his liking.
  const goOn = (): void => {
    input.setRawMode(true);
    onResize();
  };
  const suspend = (): void => {
    leave();
    // To the whole group, as the terminal would have done. Returns when it goes on; at once where nobody could continue it.
    process.kill(0, 'SIGTSTP');
    enter();
    onResize();
  };
  const keys = (chunk: Buffer): void => {
    for (const key of keysOf(chunk.toString('latin1'))) {
      if (key === 'interrupt' || key === 'q') end();
      else if (key === 'suspend') suspend();
      else onKey(key);
    }
  };
  for (const signal of ENDS) process.on(signal, end);
  process.on('SIGCONT', goOn);
  output.on('resize', onResize);
  input.on('data', keys);
  // Also when the process ends in a way that nobody here sees coming.
  process.on('exit', leave);
  enter();
  input.resume();
  try {
    return await body({
      get size() {
        return { rows: output.rows, columns: output.columns };
      },
      draw: (lines) =>
        void output.write(drawn(lines.join('\n'), { rows: output.rows, columns: Number.POSITIVE_INFINITY })),
      signal: ending.signal,
    });
  } finally {
    for (const signal of ENDS) process.off(signal, end);
    process.off('SIGCONT', goOn);
    process.off('exit', leave);
    output.off('resize', onResize);
    input.off('data', keys);
    input.pause();
    leave();
  }
}

/** What was typed, key by key: a terminal may send several at once. Unknown sequences are left out. */
export function keysOf(text: string): Key[] {
  const keys: Key[] = [];
  for (const [sequence] of text.matchAll(SEQUENCE)) {
    const name = KEYS[sequence];
    if (name !== undefined) keys.push(name);
    else if (sequence.length === 1 && sequence >= ' ') keys.push(sequence);
  }
  return keys;
}
