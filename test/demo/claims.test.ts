import test from 'ava';
import { Claims } from '../../lib/demo/claims.ts';

test('after an interruption nothing is claimed any more', (t) => {
  const lines: string[] = [];
  const claims = new Claims((line) => lines.push(line));
  const abort = new AbortController();
  claims.until(abort.signal);
  claims.check('water is wet', true, 'seen');
  abort.abort();
  claims.check('the lab answers', false, 'it is being removed');
  t.deepEqual(lines, ['  ok       water is wet: seen']);
});
