import type { Readable } from 'node:stream';

/** Our choice: an error is a line or two; Node's own, with its stack, some twenty. */
const MOST_CHARACTERS = 2000;

/**
 * Keeps the end of what a child writes to standard error, so that it is said with the error that its end becomes, or not at
 * all when the end was wanted. Returns a function: ": what it wrote", '' if nothing.
 */
export function lastWordsOf(stderr: Readable): () => string {
  let words = '';
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    words = (words + text).slice(-MOST_CHARACTERS);
  });
  return () => (words.trim() === '' ? '' : `: ${words.trim()}`);
}
