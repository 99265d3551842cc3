import test from 'ava';
import { readAnswer, trailer } from './agent-protocol.ts';

test('an answer is what the command wrote, and its exit code', (t) => {
  t.deepEqual(readAnswer(`one\ntwo\n${trailer(3)}`), { code: 3, output: 'one\ntwo\n' });
  t.deepEqual(readAnswer(trailer(0)), { code: 0, output: '' });
});

test('a command may write what looks like a trailer', (t) => {
  t.deepEqual(readAnswer(`${trailer(1)}more${trailer(0)}`), { code: 0, output: `${trailer(1)}more` });
});

test('an answer that broke off is none, at every byte', (t) => {
  const whole = `text${trailer(12)}`;
  for (let length = 0; length < whole.length; length++) t.is(readAnswer(whole.slice(0, length)), undefined);
});
