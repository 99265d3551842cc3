import test from 'ava';
import { doubling } from '../../lib/backoff.ts';
import { type Obstacle, type Wait, waitFor } from '../../lib/daemon/wait.ts';
import { WeftError } from '../../lib/error.ts';
import { logTo } from '../log.ts';

interface Run {
  readonly sleeps: number[];
  readonly logged: [code: string, atMs: number][];
  /** What was kept; undefined at the end. */
  readonly all: (Obstacle | undefined)[];
  readonly recovered: number[];
  result?: unknown;
}

/** Runs `waitFor` on a clock that only its own sleeps move. `attempt` gets the number of the attempt, from 1. */
async function run(
  attempt: (number: number) => unknown,
  signal = new AbortController().signal,
  more: Pick<Wait, 'pausesMs'> = {},
): Promise<Run> {
  const state: Run = { sleeps: [], logged: [], all: [], recovered: [] };
  let clock = 1000;
  let number = 0;
  const wait: Wait = {
    ...more,
    isTemporary: (code) => code === 'DOWN' || code === 'MISSING',
    keep: (obstacle) => state.all.push(obstacle),
    words: { obstacle: 'Waiting', recovery: 'No longer waiting' },
  };
  state.result = await waitFor(async () => attempt(++number), wait, {
    signal,
    now: () => clock,
    random: () => 0,
    sleep: async (ms) => {
      state.sleeps.push(ms);
      clock += ms;
    },
    onChange: () => undefined,
    log: logTo((fields, message) => {
      const { code, waitedSeconds } = fields as { code: string; waitedSeconds: number };
      if (message === 'No longer waiting') state.recovered.push(waitedSeconds);
      else state.logged.push([code, clock - 1000]);
    }),
  });
  return state;
}

const down = () => {
  throw new WeftError('DOWN', 'down');
};

test('a first success is all there is', async (t) => {
  t.deepEqual(await run(() => 7), { sleeps: [], logged: [], all: [undefined], recovered: [], result: 7 });
});

test('pauses can be others', async (t) => {
  const { sleeps } = await run((number) => (number < 6 ? down() : 'up'), undefined, { pausesMs: doubling(1000, 5000) });
  t.deepEqual(sleeps, [1000, 2000, 4000, 5000, 5000]);
});

test('pauses double up to three seconds', async (t) => {
  const { sleeps, all, recovered } = await run((number) => (number < 8 ? down() : 'up'));
  t.deepEqual(sleeps, [200, 400, 800, 1600, 3000, 3000, 3000]);
  t.deepEqual(recovered, [12]);
  t.is(all.pop(), undefined);
  t.deepEqual(
    all.map((obstacle) => [obstacle?.sinceMs, obstacle?.attempts]),
    [1, 2, 3, 4, 5, 6, 7].map((attempt) => [1000, attempt]),
  );
});

test('in an hour of trouble the log gets a line at once and then ever fewer', async (t) => {
  const { logged, sleeps } = await run((number) => (number < 1200 ? down() : 'up'));
  t.true(sleeps.reduce((sum, ms) => sum + ms, 0) > 3_500_000);
  t.deepEqual(logged[0], ['DOWN', 0]);
  t.true(logged.length >= 8 && logged.length <= 13, JSON.stringify(logged));
  const gaps = logged.slice(1).map(([, at], index) => at - logged[index]![1]);
  t.true(gaps[0]! >= 10_000 && gaps.at(-1)! >= 600_000, JSON.stringify(gaps));
});

test('another reason is logged at once, and the wait counts from the first', async (t) => {
  const { logged, all } = await run((number) => {
    if (number <= 2) down();
    if (number === 3) throw new WeftError('MISSING', 'no config');
    return 'up';
  });
  t.deepEqual(logged, [
    ['DOWN', 0],
    ['MISSING', 600],
  ]);
  t.is(all.at(-2)?.sinceMs, 1000);
});

test('an error that is not temporary ends it', async (t) => {
  await t.throwsAsync(
    run(() => {
      throw new WeftError('OUT_OF_SUBNETS', 'none left');
    }),
    { code: 'OUT_OF_SUBNETS' },
  );
  await t.throwsAsync(
    run(() => {
      throw new TypeError('a bug');
    }),
    { instanceOf: TypeError },
  );
});

test('an abort ends it even while an attempt hangs', async (t) => {
  const controller = new AbortController();
  const hanging = run(() => new Promise(() => undefined), controller.signal);
  controller.abort(new Error('stop'));
  await t.throwsAsync(hanging, { message: 'stop' });
  await t.throwsAsync(
    run(() => 1, controller.signal),
    { message: 'stop' },
  );
});
