import { PassThrough } from 'node:stream';
import type { ReadStream } from 'node:tty';
import test from 'ava';
import { readSecret } from '../../lib/cli/secret.ts';

/** A terminal whose modes are written down. */
function terminal(typed: readonly string[]) {
  const modes: boolean[] = [];
  const stream = Object.assign(new PassThrough(), {
    setRawMode(mode: boolean) {
      modes.push(mode);
    },
  });
  for (const text of typed) stream.write(text);
  // Only its input and its modes are used.
  return { stream: stream as unknown as ReadStream, modes };
}

test('what is typed up to Enter is read in raw mode, so that nothing echoes it', async (t) => {
  for (const [typed, expected] of [
    [['abc\r'], 'abc'],
    [['a', 'b', 'c\n', 'more'], 'abc'],
    [['abx\u007fc\r'], 'abc'],
    [['xyz\u0015abc\r'], 'abc'],
    [['abc\u0004'], 'abc'],
    [['\u007f\r'], ''],
  ] as const) {
    const { stream, modes } = terminal(typed);
    t.is(await readSecret('', stream), expected);
    t.deepEqual(modes, [true, false]);
  }
});

test('Ctrl-C ends it, and the terminal is as before', async (t) => {
  const { stream, modes } = terminal(['ab\u0003']);
  await t.throwsAsync(readSecret('', stream), { code: 'INTERRUPTED' });
  t.deepEqual(modes, [true, false]);
});
