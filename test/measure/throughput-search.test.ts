import test from 'ava';
import { type SearchOptions, searchThroughput, type TrialOutcome } from '../../lib/measure/throughput-search.ts';
import { random } from '../random.ts';

const OPTIONS: SearchOptions = { maxLoss: 0.001, floor: 1000, ceiling: 1_000_000, resolution: 0.02, attempts: 1 };

/** A device that carries `capacity` packets a second and loses the rest, fed by a sender that reaches `senderLimit`. */
function device(capacity: number, senderLimit = Number.POSITIVE_INFINITY) {
  const asked: number[] = [];
  const trial = async (rate: number): Promise<TrialOutcome> => {
    asked.push(rate);
    const sentRate = Math.min(rate, senderLimit);
    return { sentRate, loss: Math.max(0, 1 - capacity / sentRate) };
  };
  return { trial, asked };
}

test('the search ends within its resolution below what the device carries, wherever it starts', async (t) => {
  const rng = random();
  const { seed } = rng;
  for (let round = 0; round < 300; round++) {
    const capacity = 2000 + rng.next(900_000);
    const guess = rng.next(2) === 0 ? {} : { guess: 1 + rng.next(1_200_000) };
    const { trial, asked } = device(capacity);
    const result = await searchThroughput(trial, { ...OPTIONS, ...guess });
    const detail = `seed ${seed}, capacity ${capacity}, guess ${guess.guess}: ${JSON.stringify(result)} after ${asked.join()}`;
    // What passes is up to 0.1 % above the capacity.
    t.true(result.rate <= capacity / (1 - OPTIONS.maxLoss), detail);
    t.true(result.rate >= capacity * (1 - OPTIONS.resolution), detail);
    t.is(result.limit, 'loss', detail);
    t.is(result.trials, asked.length, detail);
    t.true(result.loss <= OPTIONS.maxLoss, detail);
    t.true(Math.max(...asked) <= OPTIONS.ceiling, detail);
    t.true(asked.length < 60, detail);
  }
});

test('a good guess saves trials', async (t) => {
  const far = device(123_000);
  const near = device(123_000);
  await searchThroughput(far.trial, OPTIONS);
  await searchThroughput(near.trial, { ...OPTIONS, guess: 120_000 });
  t.true(near.asked.length < far.asked.length, `${near.asked.length} and ${far.asked.length}`);
});

test('a path that loses nothing at the ceiling is limited by the sender', async (t) => {
  const { trial } = device(5_000_000);
  t.deepEqual(await searchThroughput(trial, OPTIONS), { rate: 1_000_000, loss: 0, limit: 'sender', trials: 1 });
});

test('a sender that falls short of the rate asked for is named as the limit', async (t) => {
  const { trial } = device(500_000, 200_000);
  const result = await searchThroughput(trial, { ...OPTIONS, guess: 100_000 });
  t.is(result.limit, 'sender');
  t.is(result.rate, 200_000);
});

test('one trial in which the sender was held up does not end the search', async (t) => {
  const { trial } = device(400_000);
  let trials = 0;
  const result = await searchThroughput(
    async (rate) => (++trials % 3 === 1 ? { sentRate: rate * 0.3, loss: 0 } : trial(rate)),
    { ...OPTIONS, attempts: 2 },
  );
  t.true(result.rate > 390_000, String(result.rate));
  t.is(result.limit, 'loss');
});

test('a sender that always falls short a little does not keep the search going', async (t) => {
  let trials = 0;
  const capacity = 117_000;
  const result = await searchThroughput(
    async (rate) => {
      if (++trials > 100) throw new Error('the search does not end');
      return { sentRate: rate * 0.975, loss: rate > capacity ? 0.5 : 0 };
    },
    { ...OPTIONS, resolution: 0.005 },
  );
  t.true(Math.abs(result.rate - capacity * 0.975) < 1000, String(result.rate));
});

test('a device that drops everything has throughput 0', async (t) => {
  const result = await searchThroughput(async (rate) => ({ sentRate: rate, loss: 1 }), OPTIONS);
  t.is(result.rate, 0);
  t.is(result.limit, 'floor');
});

test('a loss that does not come again is not believed, one that comes as often as attempts allow is', async (t) => {
  const stallOnce = () => {
    const stalled = new Set<number>();
    return async (rate: number): Promise<TrialOutcome> => {
      const first = !stalled.has(rate);
      stalled.add(rate);
      return { sentRate: rate, loss: first || rate > 300_000 ? 0.01 : 0 };
    };
  };
  const patient = await searchThroughput(stallOnce(), { ...OPTIONS, attempts: 2 });
  t.true(patient.rate > 290_000 && patient.rate <= 300_000, String(patient.rate));
  const hasty = await searchThroughput(stallOnce(), { ...OPTIONS, attempts: 1 });
  t.is(hasty.rate, 0);
});
