import test from 'ava';
import { PacketLog } from '../../../lib/page/live/packet-log.ts';
import { random } from '../../random.ts';
import { batch, line, lines } from './scene.ts';

const ANY = { text: '', direction: undefined, verdict: undefined };
const ids = (log: PacketLog): number[] => log.view.map(({ id }) => id);

test('a filter asks for all its words, a direction and a verdict', (t) => {
  const log = new PacketLog();
  log.add(
    batch([
      line(1, {
        words: 'tcp 443 > 1 PA',
        source: '10.244.1.2',
        verdict: 'forwarded',
        reason: null,
        direction: 'outbound',
      }),
      line(2, { words: 'ECHO request', peer: '192.0.2.9', verdict: 'forwarded', reason: null, direction: 'inbound' }),
      line(3, { words: 'tcp 80 > 1 S', verdict: 'dropped', reason: 'no-route', direction: 'outbound' }),
    ]),
  );
  const shown = (filter: Partial<typeof log.filter>): number[] => {
    log.filter = { ...ANY, ...filter };
    return ids(log);
  };
  t.deepEqual(shown({}), [1, 2, 3]);
  t.deepEqual(shown({ text: 'tcp' }), [1, 3]);
  t.deepEqual(shown({ text: 'tcp 10.244.1' }), [1]);
  t.deepEqual(shown({ text: 'echo' }), [2]);
  t.deepEqual(shown({ text: '192.0.2.9' }), [2]);
  t.deepEqual(shown({ text: 'no-route' }), [3]);
  t.deepEqual(shown({ direction: 'inbound' }), [2]);
  t.deepEqual(shown({ direction: 'outbound', verdict: 'forwarded' }), [1]);
  t.deepEqual(shown({ verdict: 'answered' }), []);
});

test('while it is paused what is shown stays, and what came is counted', (t) => {
  const log = new PacketLog();
  log.add(batch(lines(1, 10)));
  log.pause();
  log.add(batch(lines(11, 20)));
  t.deepEqual(ids(log), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  t.is(log.arrived, 20);
  log.filter = { ...ANY, verdict: 'dropped' };
  t.deepEqual(ids(log), [3]);
  log.add(batch(lines(31, 8)));
  t.is(log.arrived, 1, 'of the eight one is dropped');
  log.follow();
  t.deepEqual(ids(log), [3, 11, 19, 27, 35]);
  t.is(log.arrived, 0);
});

test('what is shown is what a list of all that came would show, and no more is kept than there is room for', (t) => {
  const { next, seed } = random();
  const log = new PacketLog();
  let all: number[] = [];
  let [id, paused, frozen] = [1, false, [] as number[]];
  const isDropped = (k: number): boolean => k % 8 === 3;
  let only = false;
  for (let round = 0; round < 300; round++) {
    const what = next(10);
    if (what < 6) {
      const count = next(400);
      log.add(batch(lines(id, count)));
      for (let k = 0; k < count; k++) all.push(id++);
    } else if (what === 6) {
      if (!paused) frozen = [...all];
      paused = true;
      log.pause();
    } else if (what === 7) {
      paused = false;
      log.follow();
    } else {
      only = next(2) === 0;
      log.filter = { ...ANY, verdict: only ? 'dropped' : undefined };
    }
    all = all.slice(-12_000);
    const expected = (paused ? frozen : all).filter((k) => !only || isDropped(k));
    t.true(log.size <= 6000);
    const view = ids(log);
    t.deepEqual(view, expected.slice(expected.length - view.length), `seed ${seed}, round ${round}`);
    t.true(view.length >= Math.min(expected.length, only ? 600 : 5000), `seed ${seed}, round ${round}`);
    const probe = view[next(Math.max(1, view.length))];
    if (probe !== undefined) t.is(log.view[log.indexOf(probe)]?.id, probe);
  }
  t.is(log.indexOf(id + 1), -1);
});

test('another server begins anew', (t) => {
  const log = new PacketLog();
  log.add(batch(lines(100, 10), { lost: 3 }));
  log.pause();
  log.clear();
  t.false(log.paused);
  t.is(log.counts, undefined);
  log.add(batch(lines(1, 2)));
  t.deepEqual(ids(log), [1, 2]);
});
