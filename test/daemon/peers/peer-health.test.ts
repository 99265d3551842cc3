import test from 'ava';
import { cutOff, PeerHealth, PROBE_TIMEOUT_MS } from '../../../lib/daemon/peers/peer-health.ts';

/** One probe that is answered, or not. `heard`: packets that have come from the peer. */
function ask(health: PeerHealth, at: number, answered: boolean, heard = 0): void {
  health.heard(heard, at);
  health.sent(at, at);
  if (answered) health.answered(at, 2.5, at + 3);
  health.expire(at + PROBE_TIMEOUT_MS);
}

test('round-trip time, loss and when it was seen', (t) => {
  const health = new PeerHealth();
  t.is(health.loss, undefined);
  for (let i = 1; i <= 30; i++) ask(health, i * 10_000, i % 4 !== 0);
  t.is(health.rttMs, 2.5);
  t.deepEqual(health.loss, { probes: 20, ratio: 0.25 });
  t.is(health.seenMs, 300_003);
  ask(health, 310_000, false, 5);
  t.is(health.seenMs, 310_000, 'a packet came');
});

test('an answer counts once, and not when it is late', (t) => {
  const health = new PeerHealth();
  health.sent(1, 0);
  t.true(health.answered(1, 1, 1));
  t.false(health.answered(1, 1, 2));
  health.sent(2, 10);
  health.expire(10 + PROBE_TIMEOUT_MS);
  t.false(health.answered(2, 1, 20 + PROBE_TIMEOUT_MS));
  t.is(health.unanswered, 1);
});

test('a peer that was there is cut off after three probes, if the underlay answers', (t) => {
  const health = new PeerHealth();
  ask(health, 0, true);
  ask(health, 10_000, false);
  ask(health, 20_000, false);
  t.is(cutOff(health, 'answers'), undefined, 'two are not enough');
  ask(health, 30_000, false);
  t.is(cutOff(health, 'answers'), 'both');
  t.is(cutOff(health, 'silent'), undefined, 'the node is down');
  t.is(cutOff(health, 'unknown'), undefined);
  ask(health, 40_000, true);
  t.is(cutOff(health, 'answers'), undefined, 'over');
});

test('a peer whose packets come and that does not answer is reached in one direction', (t) => {
  const health = new PeerHealth();
  for (let i = 0; i < 4; i++) ask(health, i * 10_000, false, i * 7);
  t.is(cutOff(health, 'answers'), 'one-way', 'though it never answered');
  t.is(cutOff(health, 'unknown'), undefined, 'it may answer no pings at all');
  const known = new PeerHealth();
  ask(known, 0, true, 1);
  for (let i = 1; i < 5; i++) ask(known, i * 10_000, false, i * 7);
  t.is(cutOff(known, 'unknown'), 'one-way');
  for (let i = 5; i < 7; i++) ask(known, i * 10_000, false, 28);
  t.is(cutOff(known, 'unknown'), 'one-way', 'one that sends little');
  ask(known, 70_000, false, 28);
  t.is(cutOff(known, 'unknown'), undefined, 'nothing came since');
});

test('a peer that never answered and of whom nothing comes is no alarm', (t) => {
  const health = new PeerHealth();
  for (let i = 0; i < 10; i++) ask(health, i * 10_000, false);
  t.is(cutOff(health, 'answers'), undefined);
});
