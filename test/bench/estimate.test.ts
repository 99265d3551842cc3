import test from 'ava';
import { Estimate, formatLeft, type Piece } from '../../lib/bench/estimate.ts';
import { random } from '../random.ts';

/** A clock that goes when it is told to. */
function handClock(): { readonly clock: () => number; readonly pass: (seconds: number) => void } {
  let now = 1000;
  return {
    clock: () => now,
    pass: (seconds) => {
      now += seconds;
    },
  };
}

test('before anything is measured the plan speaks, then the most alike that was measured', (t) => {
  const { clock, pass } = handClock();
  const piece = (planned: number, ...kinds: string[]): Piece => ({ kinds, planned });
  const first = piece(3, 'free tcp1 a', 'tcp1 a', 'tcp1');
  const again = piece(3, 'free tcp1 a', 'tcp1 a', 'tcp1');
  const elsewhere = piece(3, 'one-core tcp1 a', 'tcp1 a', 'tcp1');
  const other = piece(3, 'free tcp1 b', 'tcp1 b', 'tcp1');
  const rtt = piece(1, 'free rtt a', 'rtt a', 'rtt');
  const estimate = new Estimate([first, again, elsewhere, other, rtt], clock);
  t.deepEqual(estimate.now(), { share: 0, leftSeconds: 13 });
  pass(5);
  estimate.done(first, 5);
  t.deepEqual(estimate.now(), { share: 5 / 21, leftSeconds: 16 }, 'three more like it, one unlike');
  pass(9);
  estimate.done(other, 9);
  t.is(estimate.secondsOf(again), 5, 'the same path in the same setting');
  t.is(estimate.secondsOf(elsewhere), 5, 'the same path');
  t.is(estimate.secondsOf(piece(3, 'free tcp1 c', 'tcp1 c', 'tcp1')), 7, 'the same test: mean of 5 and 9');
  pass(100);
  estimate.done(again, undefined);
  t.is(estimate.secondsOf(elsewhere), 5, 'a failure took long, and says nothing about others');
  estimate.done(elsewhere, 5);
  estimate.done(rtt, 1);
  t.deepEqual(estimate.now(), { share: 1, leftSeconds: 0 });
});

test('what it said in the middle is held against what came', (t) => {
  const { clock, pass } = handClock();
  const pieces = Array.from({ length: 10 }, (): Piece => ({ kinds: ['x'], planned: 1 }));
  const estimate = new Estimate(pieces, clock);
  // The plan was wrong by 2; the last four took 3 instead of 2.
  for (const [index, piece] of pieces.entries()) {
    t.is(estimate.check(), null, 'what was broken off says nothing about the rest');
    const seconds = index < 6 ? 2 : 3;
    pass(seconds);
    estimate.done(piece, seconds);
  }
  t.deepEqual(estimate.check(), { atSeconds: 10, leftSeconds: 10, tookSeconds: 14, error: 10 / 14 - 1 });
});

test('of rounds that repeat, the middle is right within a fifth, whatever was planned', (t) => {
  const rng = random();
  for (let run = 0; run < 50; run++) {
    const { clock, pass } = handClock();
    const kinds = Array.from({ length: 40 }, (_, kind) => ({ kind, seconds: 1 + rng.next(100) / 10 }));
    const rounds = Array.from({ length: 5 }, () =>
      kinds.map(({ kind, seconds }) => ({
        piece: { kinds: [`${kind}`, 'any'], planned: 0.1 + rng.next(30) },
        seconds,
      })),
    );
    const estimate = new Estimate(
      rounds.flat().map(({ piece }) => piece),
      clock,
    );
    for (const { piece, seconds } of rounds.flat()) {
      // A repeat differs by up to 8 %: the estimate is then wrong by 17 % at most, however the dice fall.
      const took = seconds * (0.92 + rng.next(17) / 100);
      pass(took);
      estimate.done(piece, took);
    }
    const check = estimate.check();
    t.true(check !== null && Math.abs(check.error) < 0.2, JSON.stringify(check));
  }
});

test('what is left is said as people say it', (t) => {
  t.is(formatLeft(4), 'less than 10 s left');
  t.is(formatLeft(38), 'about 40 s left');
  t.is(formatLeft(89), 'about 90 s left');
  t.is(formatLeft(431), 'about 7 min left');
});
