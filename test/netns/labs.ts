import anyTest from 'ava';
import { destroyLab } from '../../lib/lab/remove.ts';
import { type NetnsTest, whySkipped } from './enter.ts';

/**
 * For tests that build labs, one at a time: one line at the top of a test file,
 *
 *   const { id, test } = testInLabs('v');
 *
 * gives the id of these labs, the letter and the process id, and a serial `test`. What a test leaves of its lab is removed
 * at the end. Without root the tests are skipped, and the reason is printed.
 */
export function testInLabs(letter: string): { readonly id: string; readonly test: NetnsTest } {
  const id = `${letter}${process.pid.toString(36)}`;
  const reason = whySkipped();
  if (reason !== undefined) {
    process.stderr.write(`Skipping tests in labs: ${reason}\n`);
    return { id, test: (title) => anyTest.skip(title, () => {}) };
  }
  anyTest.after.always('nothing of the lab is left', () => destroyLab(id));
  return { id, test: (title, body) => anyTest.serial(title, body) };
}
