import test from 'ava';
import { Undo } from '../lib/undo.ts';
import { logTo } from './log.ts';

test('undoes last first, each once, and a failure keeps nothing else from being undone', async (t) => {
  const done: string[] = [];
  const errors: unknown[] = [];
  const log = logTo((fields) => errors.push(fields));
  const undo = new Undo();
  undo.add('first', () => {
    done.push('first');
  });
  undo.add('broken', () => Promise.reject(new Error('stuck')));
  undo.add('last', async () => {
    await Promise.resolve();
    done.push('last');
  });
  await undo.run(log);
  t.deepEqual(done, ['last', 'first']);
  t.deepEqual(errors, [{ what: 'broken', reason: 'stuck' }]);
  await undo.run(log);
  t.is(done.length, 2);
});
