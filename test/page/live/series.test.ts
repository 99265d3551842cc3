import test from 'ava';
import {
  dropColumns,
  dropLines,
  niceTop,
  placeNames,
  rttColumns,
  span,
  trafficColumns,
} from '../../../lib/page/live/series.ts';
import { random } from '../../random.ts';
import { START_MS, tick } from './scene.ts';

const at = (n: number): number => START_MS / 1000 + n;

test('each tick is a value at its time, in packets or in bits', (t) => {
  const ticks = [tick(0, 2), tick(1, 2)];
  const packets = trafficColumns(ticks, 'packets');
  t.deepEqual(packets.times, [at(0), at(1)]);
  t.deepEqual(packets.columns, [ticks.map((each) => each.outbound.packets), ticks.map((each) => each.inbound.packets)]);
  t.deepEqual(
    trafficColumns(ticks, 'bits').columns[0],
    ticks.map((each) => each.outbound.bytes * 8),
  );
});

test('where the daemon was silent is a gap, and the axis still rises', (t) => {
  const { times, columns } = trafficColumns([tick(0, 1), tick(1, 1), tick(30, 1), tick(29, 1), tick(31, 1)], 'packets');
  t.deepEqual(times, [at(0), at(1), at(1.5), at(2), at(29), at(31)]);
  t.is(columns[0]![2], null);
  t.is(columns[0]![3], null);
  t.not(columns[0]![4], null);
});

test('after a clock was set back, what is drawn are the ticks since', (t) => {
  const ticks = [tick(3600, 1), tick(3601, 1), tick(1, 2), tick(2, 3)];
  const { times, columns } = trafficColumns(ticks, 'packets');
  t.deepEqual(times, [at(1), at(2)]);
  t.deepEqual(
    columns[0],
    ticks.slice(2).map((each) => each.outbound.packets),
  );
  t.deepEqual(span([...ticks, tick(100, 1)]), [at(-20), at(100)]);
});

test('a tick every five seconds is no gap', (t) => {
  const ticks = [0, 5, 10].map((n) => ({ ...tick(n, 1), seconds: 5 }));
  t.is(trafficColumns(ticks, 'packets').times.length, 3);
});

test('no peer has a round trip: nothing is drawn', (t) => {
  t.deepEqual(rttColumns([{ ...tick(0, 0), rtt: null }]).columns, [[null], [null]]);
});

test('the most frequent reasons have a line each, all others one', (t) => {
  const ticks = [
    tick(0, 0, { 'no-route': 5, multicast: 9, 'not-ip': 1, 'ttl-expired': 2, truncated: 0.5 }),
    tick(1, 0, { 'no-route': 5 }),
  ];
  const lines = dropLines(ticks);
  t.deepEqual(lines, ['multicast', 'no-route', 'ttl-expired', 'others']);
  t.deepEqual(dropColumns(ticks, lines).columns, [
    [9, 0],
    [5, 5],
    [2, 0],
    [1.5, 0],
  ]);
  t.deepEqual(dropLines([tick(0, 1)]), []);
});

test('the axis ends with the last tick, and grows in steps', (t) => {
  const length = (ticks: number): number => {
    const [from, to] = span([tick(0, 0), tick(ticks, 0)])!;
    t.is(to, at(ticks));
    return to - from;
  };
  t.deepEqual([1, 60, 61, 299, 301, 599, 2000].map(length), [60, 60, 120, 300, 600, 600, 600]);
  t.is(span([]), undefined);
});

test('a scale ends at 1, 2 or 5 times a power of ten', (t) => {
  t.deepEqual(
    [0, 0.4, 1, 1.1, 3, 7, 19, 480, 1e6 + 1].map((most) => niceTop(most, 1)),
    [1, 1, 1, 2, 5, 10, 20, 500, 2e6],
  );
});

test('names stand at the ends of their lines, none over another, none outside', (t) => {
  t.deepEqual(placeNames([80, 20], 0, 97, 14), [80, 20], 'where there is room, there');
  t.deepEqual(placeNames([100, 100], 0, 97, 14), [97, 83], 'two at the bottom');
  t.deepEqual(placeNames([0, 0], 0, 97, 14), [14, 0], 'two at the top');
  const { next, seed } = random();
  for (let round = 0; round < 200; round++) {
    const wished = Array.from({ length: 1 + next(7) }, () => next(120)).toSorted((a, b) => b - a);
    const places = placeNames(wished, 0, 97, 14);
    for (const [k, y] of places.entries()) {
      t.true(y >= 0 && y <= 97, `seed ${seed}: ${wished.join(' ')} at ${places.join(' ')}`);
      if (k > 0) t.true(places[k - 1]! - y >= 14, `seed ${seed}: ${wished.join(' ')} at ${places.join(' ')}`);
    }
  }
});
