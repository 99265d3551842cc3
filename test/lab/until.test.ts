import test from 'ava';
import { until } from '../../lib/lab/until.ts';

test('waiting ends when the condition holds, or with the time', async (t) => {
  let calls = 0;
  t.true(await until(() => ++calls === 3, 5000));
  t.is(calls, 3);
  t.false(await until(() => false, 30));
});
