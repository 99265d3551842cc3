import test from 'ava';
import { raisePriority } from '../../../lib/dataplane/worker/priority.ts';

const refuse = (): never => {
  throw new Error('EPERM: operation not permitted, uv_os_setpriority');
};

test('a priority that is high enough is left, whatever the kernel would say (H9)', (t) => {
  for (const nice of [-19, -20]) t.is(raisePriority({ get: () => nice, set: refuse }), undefined);
});

test('a lower one is raised', (t) => {
  const set: number[] = [];
  t.is(raisePriority({ get: () => 0, set: (nice) => set.push(nice) }), undefined);
  t.deepEqual(set, [-19]);
});

test('where it cannot be raised, the reason has the priority in force (H9)', (t) => {
  t.regex(raisePriority({ get: () => -5, set: refuse }) ?? '', /EPERM.*; its nice value is -5$/);
  t.regex(raisePriority({ get: refuse, set: refuse }) ?? '', /EPERM.*; its nice value is not known$/);
});
