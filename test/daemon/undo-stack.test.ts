import test from 'ava';
import type { Log } from '../../lib/daemon/log.ts';
import { UndoStack } from '../../lib/daemon/undo-stack.ts';

test('undoes last first, each once, and a failure keeps nothing else from being undone', async (t) => {
  const done: string[] = [];
  const errors: unknown[] = [];
  const ignore = () => undefined;
  const error = (fields: object) => errors.push(fields);
  const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error };
  const stack = new UndoStack();
  stack.push('first', () => {
    done.push('first');
  });
  stack.push('broken', () => Promise.reject(new Error('stuck')));
  stack.push('last', async () => {
    await Promise.resolve();
    done.push('last');
  });
  await stack.undoAll(log);
  t.deepEqual(done, ['last', 'first']);
  t.deepEqual(errors, [{ what: 'broken', reason: 'stuck' }]);
  await stack.undoAll(log);
  t.is(done.length, 2);
});
