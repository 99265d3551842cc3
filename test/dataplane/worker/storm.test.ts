import test from 'ava';
import { StormLimiter } from '../../../lib/dataplane/worker/storm.ts';

const SEGMENT = 1;
const LOUD = 0x02_00_00_00_00_01;
const QUIET = 0x02_00_00_00_00_02;

/** Frames a second, sent evenly; returns how many were allowed, as the worker asks. */
function send(limiter: StormLimiter, sender: number, perSecond: number, fromMs: number, seconds: number, copies = 1) {
  let allowed = 0;
  let shutOut = 0;
  for (let i = 0; i < perSecond * seconds; i++) {
    const nowMs = fromMs + (i * 1000) / perSecond;
    if (limiter.allows(SEGMENT, sender, copies, nowMs)) allowed++;
    else if (limiter.refused(SEGMENT, sender, nowMs)) shutOut++;
  }
  return { allowed, shutOut };
}

test('what hosts broadcast in everyday life passes', (t) => {
  const limiter = new StormLimiter();
  t.deepEqual(send(limiter, QUIET, 100, 0, 10), { allowed: 1000, shutOut: 0 });
});

test('a burst passes, then the rate holds', (t) => {
  const limiter = new StormLimiter();
  t.is(send(limiter, LOUD, 1000, 0, 1).allowed, 400 + 200 - 1);
  t.is(send(limiter, LOUD, 1000, 1000, 10).allowed, 2000);
});

test('one sender’s storm leaves the others their frames', (t) => {
  const limiter = new StormLimiter();
  for (let second = 0; second < 5; second++) {
    send(limiter, LOUD, 5000, second * 1000, 1);
    t.is(send(limiter, QUIET, 100, second * 1000, 1).allowed, 100);
  }
});

test('the copies of all senders together have a limit: the more VTEPs, the fewer frames', (t) => {
  const limiter = new StormLimiter();
  const passed = (copies: number): number => {
    let allowed = 0;
    // 50 senders far below their own limits.
    for (let i = 0; i < 50 * 100; i++) {
      if (limiter.allows(2, QUIET + (i % 50), copies, 10_000 + (i * 1000) / 5000)) allowed++;
    }
    return allowed;
  };
  t.is(passed(100), 199, '10,000 copies of the burst and 10,000 of the second: 100 each, less the last');
});

test('a frame for more VTEPs than the bucket holds passes while it is full', (t) => {
  const limiter = new StormLimiter();
  t.true(limiter.allows(SEGMENT, QUIET, 16_000, 0));
  t.false(limiter.allows(SEGMENT, QUIET, 16_000, 1));
  t.true(limiter.allows(SEGMENT, QUIET, 16_000, 1001));
});

test('a super-packet costs what its packets would', (t) => {
  const limiter = new StormLimiter();
  // 45 of the sender's 400 each; for 40 VTEPs 1800 of the segment's 10,000.
  for (let i = 0; i < 5; i++) t.true(limiter.allows(SEGMENT, LOUD, 40, 0, 45));
  t.false(limiter.allows(SEGMENT, LOUD, 40, 0, 45), 'the copies of all');
  t.true(limiter.allows(SEGMENT, LOUD, 1, 0, 45));
  for (let i = 0; i < 2; i++) t.true(limiter.allows(SEGMENT, LOUD, 1, 0, 45));
  t.false(limiter.allows(SEGMENT, LOUD, 1, 0, 45), 'its own');
  t.true(limiter.allows(SEGMENT, LOUD, 1, 0, 40), 'a smaller one passes');
  t.true(limiter.allows(SEGMENT, QUIET, 1, 0));
});

test('the largest super-packet passes while the buckets are full, and who sends nothing else is shut out', (t) => {
  const limiter = new StormLimiter();
  t.true(limiter.allows(SEGMENT, LOUD, 1, 0, 1400));
  const shutOut = Array.from({ length: 500 }, (_, i) => {
    // One packet's worth comes back meanwhile: too little for this one.
    t.false(limiter.allows(SEGMENT, LOUD, 1, i / 50, 1400));
    return limiter.refused(SEGMENT, LOUD, i / 50, 1400);
  });
  t.deepEqual([shutOut.filter(Boolean).length, shutOut.at(-1)], [1, true]);
});

test('who floods is shut out for a second, again and again, and nobody else', (t) => {
  const limiter = new StormLimiter();
  t.is(send(limiter, LOUD, 2000, 0, 1).shutOut, 1, 'what was on its way already comes all the same');
  t.deepEqual(limiter.shutOut(SEGMENT), [LOUD]);
  t.deepEqual(limiter.letIn(400), []);
  t.deepEqual(limiter.letIn(2000), [SEGMENT]);
  t.deepEqual(limiter.shutOut(SEGMENT), []);
  t.is(send(limiter, QUIET, 150, 2000, 5).shutOut, 0);
});

test('a sender that is refused only because of the others is not shut out', (t) => {
  const limiter = new StormLimiter();
  let shutOut = 0;
  for (let i = 0; i < 2000; i++) {
    const sender = QUIET + (i % 100);
    if (!limiter.allows(SEGMENT, sender, 1000, i / 2) && limiter.refused(SEGMENT, sender, i / 2)) shutOut++;
  }
  t.is(shutOut, 0);
});

test('a segment that ends is forgotten', (t) => {
  const limiter = new StormLimiter();
  send(limiter, LOUD, 2000, 0, 1);
  limiter.forget(SEGMENT);
  t.deepEqual(limiter.shutOut(SEGMENT), []);
  t.true(limiter.allows(SEGMENT, LOUD, 1, 1000));
});

test('memory is bounded: of 4,096 senders and more the one that was quiet longest is forgotten', (t) => {
  const limiter = new StormLimiter();
  for (let i = 0; i < 400; i++) limiter.allows(SEGMENT, LOUD, 1, 0);
  t.false(limiter.allows(SEGMENT, LOUD, 1, 0));
  for (let i = 0; i < 4096; i++) limiter.allows(2, QUIET + i, 1, 0);
  t.true(limiter.allows(SEGMENT, LOUD, 1, 0), 'its bucket is a new one');
});
