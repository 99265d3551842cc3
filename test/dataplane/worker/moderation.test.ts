import test from 'ava';
import { Moderation } from '../../../lib/dataplane/worker/moderation.ts';

/** Notes `perMs` frames in each of `ms` milliseconds, a tenth at a time. */
function feed(moderation: Moderation, from: number, ms: number, perMs: number, packetsPerFrame = 1): number {
  let now = from;
  for (let i = 0; i < ms * 10; i++) {
    now += 0.1;
    moderation.note(perMs / 10, (perMs / 10) * packetsPerFrame, now);
  }
  return now;
}

test('small packets at a high rate are gathered, and no longer once the rate has fallen', (t) => {
  const moderation = new Moderation(0);
  let now = feed(moderation, 0, 5, 100);
  t.true(moderation.active);
  now = feed(moderation, now, 5, 20);
  t.true(moderation.active, 'between the two thresholds it stays as it is');
  feed(moderation, now, 5, 5);
  t.false(moderation.active);
});

test('a ping is never delayed, however often it is sent by one who waits for the answer', (t) => {
  const moderation = new Moderation(0);
  feed(moderation, 0, 20, 10);
  t.false(moderation.active);
});

test('super-packets are never delayed', (t) => {
  const moderation = new Moderation(0);
  feed(moderation, 0, 20, 100, 45);
  t.false(moderation.active);
});
