import test from 'ava';
import {
  formatLoss,
  formatNanoseconds,
  formatRtt,
  NOTHING,
  plural,
  stateWords,
  troubleOf,
} from '../../../lib/page/live/words.ts';
import { WAITING } from '../../cli/replies.ts';
import { peer, status, withHealth } from './scene.ts';

test('figures', (t) => {
  t.deepEqual([0.2, 12.34, 120, null].map(formatRtt), ['0.20 ms', '12.3 ms', '120 ms', NOTHING]);
  t.deepEqual([0, 0.004, 0.1, 1, undefined].map(formatLoss), ['0 %', '<1 %', '10 %', '100 %', NOTHING]);
  t.deepEqual([850, 12_300, 999_960].map(formatNanoseconds), ['850 ns', '12.3 µs', '1.0 ms']);
  t.deepEqual([plural(1, 'peer'), plural(1000, 'peer')], ['1 peer', '1,000 peers']);
});

test('trouble is loss, no answer, or a lease that is ignored; nothing else', (t) => {
  const ignored = { ...peer(0), note: 'ignored: its backend type is vxlan, ours is udp' };
  t.is(troubleOf(peer(0)), undefined);
  t.is(troubleOf({ ...peer(0), health: null }), undefined);
  t.is(troubleOf({ ...peer(0), leaving: true, note: 'leaving: its key is gone' }), undefined);
  t.is(troubleOf(withHealth(peer(0), { loss: null })), undefined);
  t.like(troubleOf(withHealth(peer(0), { loss: 0.1 })), { level: 'warn', text: 'loss 10 %', short: '10 %' });
  t.like(troubleOf(withHealth(peer(0), { loss: 1 })), { level: 'bad', text: 'no answer' });
  t.like(troubleOf(ignored), { level: 'warn', text: 'lease ignored' });
  t.like(troubleOf({ ...peer(0), note: 'IPv6 subnet ignored: not ours' }), { level: 'warn' });
});

test('each state is a sentence', (t) => {
  t.deepEqual(stateWords(status()), { text: 'ready, packets can pass', level: undefined });
  t.deepEqual(stateWords(WAITING), {
    text: 'waiting: no network configuration at /coreos.com/network/config',
    level: 'warn',
  });
  t.is(stateWords(status({ state: 'degraded' })).level, 'bad');
});
