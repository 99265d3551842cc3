import test from 'ava';
import { LogWriter } from '../../lib/daemon/log-writer.ts';

/** A reader that takes `room` bytes. */
function reader(room: number) {
  const state = { room, text: '', lost: [] as number[], error: undefined as Error | undefined };
  const writer = new LogWriter({
    write: (bytes) => {
      if (state.error !== undefined) throw state.error;
      const taken = Math.min(bytes.length, state.room);
      state.room -= taken;
      state.text += Buffer.from(bytes.subarray(0, taken)).toString();
      return taken;
    },
    onLost: (lines) => {
      state.lost.push(lines);
      writer.write(`lost ${lines}\n`);
    },
  });
  return { state, writer };
}

test('a line is written before the call returns (H7)', (t) => {
  const { state, writer } = reader(Infinity);
  writer.write('one\n');
  writer.write('two\n');
  t.is(state.text, 'one\ntwo\n');
});

test('what a reader that hangs does not take waits, and what there is no room for is counted and said (H7)', (t) => {
  const { state, writer } = reader(6);
  const line = `${'x'.repeat(1023)}\n`;
  writer.write('first\n');
  for (let number = 0; number < 300; number++) writer.write(line);
  t.is(state.text, 'first\n');
  state.room = Infinity;
  writer.flush(0);
  t.is(state.text, `first\n${line.repeat(256)}lost 44\n`);
  writer.write('after\n');
  t.true(state.text.endsWith('lost 44\nafter\n'));
});

test('a part of a line that was taken is not written again (H7)', (t) => {
  const { state, writer } = reader(3);
  writer.write('hello\n');
  writer.write('world\n');
  t.is(state.text, 'hel');
  state.room = Infinity;
  writer.flush(0);
  t.is(state.text, 'hello\nworld\n');
});

test('a reader that is gone, or a disk that is full, is no error of who logs (H7)', (t) => {
  const { state, writer } = reader(Infinity);
  state.error = new Error('EPIPE');
  writer.write('one\n');
  writer.write('two\n');
  state.error = undefined;
  writer.flush(0);
  t.deepEqual(state.lost, [2]);
});
