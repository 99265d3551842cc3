/** Reads a line from the terminal without showing it. */
import type { ReadStream } from 'node:tty';
import { WeftError } from '../error.ts';

const ENTER = ['\r', '\n'];
/** What a terminal in raw mode sends in place of signals and edits: Ctrl-C, Ctrl-D, backspace (either way), Ctrl-U. */
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const ERASE = ['\u007f', '\b'];
const CTRL_U = '\u0015';

/** `prompt` goes to standard error. Code: INTERRUPTED on Ctrl-C. */
export async function readSecret(prompt: string, terminal: ReadStream): Promise<string> {
  process.stderr.write(prompt);
  terminal.setRawMode(true);
  terminal.setEncoding('utf8');
  let typed = '';
  try {
    for await (const text of terminal as AsyncIterable<string>)
      for (const character of text) {
        if (character === CTRL_C) throw new WeftError('INTERRUPTED', 'Interrupted');
        if (ENTER.includes(character) || character === CTRL_D) return typed;
        if (ERASE.includes(character)) typed = typed.slice(0, -1);
        else typed = character === CTRL_U ? '' : typed + character;
      }
    return typed;
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    process.stderr.write('\n');
  }
}
