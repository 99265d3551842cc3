import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { sideBySide } from './side-by-side.ts';

/** Jobs that end when they are told to. */
function jobs() {
  const running = new Map<string, (goesOn: boolean) => void>();
  return {
    running: () => [...running.keys()].sort().join(' '),
    run: (job: string): Promise<boolean> => new Promise((resolve) => running.set(job, resolve)),
    end: async (job: string, goesOn = true): Promise<void> => {
      running.get(job)!(goesOn);
      running.delete(job);
      await turn();
    },
  };
}

test('short files and networks run side by side, and whoever is done helps with what is left (T3)', async (t) => {
  const { running, run, end } = jobs();
  const all = sideBySide(['u1', 'u2', 'u3'], ['n1', 'n2', 'n3'], 3, run);
  t.is(running(), 'n1 n2 u1');
  await end('u1');
  await end('n2');
  t.is(running(), 'n1 n3 u2');
  await end('n1');
  t.is(running(), 'n3 u2 u3', 'no network is left');
  for (const job of ['u2', 'u3', 'n3']) await end(job);
  await all;
  t.is(running(), '');
});

test('one at a time is one after the other, and nothing begins when it is to end (T3)', async (t) => {
  const { running, run, end } = jobs();
  const all = sideBySide([], ['n1', 'n2', 'n3'], 1, run);
  t.is(running(), 'n1');
  await end('n1');
  t.is(running(), 'n2');
  await end('n2', false);
  await all;
  t.is(running(), '');
});
