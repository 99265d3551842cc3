import test from 'ava';
import { Progress, scheduleOf } from '../../../lib/bench/far/schedule.ts';

const DURATIONS = { rounds: 3, tcpSeconds: 2, udpTrialSeconds: 0.5, pings: 500, pingIntervalSeconds: 0.002 };
const PATHS = ['underlay', 'overlay', 'weft-udp'] as const;

test('every round has every path, and begins with another one; each test goes its ways', (t) => {
  const visits = scheduleOf(PATHS, ['tcp1', 'rtt'], DURATIONS);
  t.deepEqual(
    visits.map(({ round, path }) => `${round} ${path}`),
    [
      '1 underlay',
      '1 overlay',
      '1 weft-udp',
      '2 overlay',
      '2 weft-udp',
      '2 underlay',
      '3 weft-udp',
      '3 underlay',
      '3 overlay',
    ],
  );
  for (const { steps } of visits)
    t.deepEqual(
      steps.map(({ test: name, direction }) => `${name} ${direction}`),
      ['tcp1 to-far', 'tcp1 from-far', 'rtt both'],
    );
});

test('progress is by time: planned at first, measured later', (t) => {
  let now = 100;
  const visits = scheduleOf(['underlay'], ['tcp1'], { ...DURATIONS, rounds: 4 });
  const progress = new Progress(visits, () => now);
  // Eight runs of 2 s and what goes around them.
  t.is(progress.text, '0 %, about 30 s left');
  for (const { around, steps } of visits.slice(0, 2)) {
    progress.begin(around)(true);
    for (const { piece } of steps) {
      const done = progress.begin(piece);
      now += 60;
      done(true);
    }
  }
  t.is(progress.text, '50 %, about 4 min left');
  for (const { around, steps } of visits.slice(2))
    for (const piece of [around, ...steps.map((step) => step.piece)]) progress.begin(piece)(false);
  t.is(progress.text, '100 %');
});
