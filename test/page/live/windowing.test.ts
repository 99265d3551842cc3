import test from 'ava';
import { moved, scrollTo, visibleRows } from '../../../lib/page/live/windowing.ts';
import { random } from '../../random.ts';

/** All rows that a pixel of the window shows, one after the other. */
function seen(scrollTop: number, height: number, rowHeight: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => k).filter(
    (k) => (k + 1) * rowHeight > scrollTop && k * rowHeight < scrollTop + height,
  );
}

test('all rows that are seen are drawn, and few more', (t) => {
  const { next, seed } = random();
  for (let round = 0; round < 500; round++) {
    const [rowHeight, height, count] = [18 + next(30), next(900), next(400)];
    const scrollTop = next(Math.max(1, count * rowHeight)) - 20;
    const { first, end } = visibleRows(scrollTop, height, rowHeight, count);
    const rows = seen(Math.max(0, scrollTop), height, rowHeight, count);
    const about = `seed ${seed}: ${[scrollTop, height, rowHeight, count].join()}`;
    t.true(first >= 0 && first <= end && end <= count, about);
    t.true(
      rows.every((k) => k >= first && k < end),
      about,
    );
    t.true(end - first <= height / rowHeight + 10, about);
  }
});

test('a row is brought into the window with the smallest step', (t) => {
  const window = { scrollTop: 100, height: 100, rowHeight: 10 };
  t.is(scrollTo(3, window), 30);
  t.is(scrollTo(12, window), 100);
  t.is(scrollTo(10, window), 100);
  t.is(scrollTo(19, window), 100);
  t.is(scrollTo(20, window), 110);
});

test('keys move by a row, a page, or to an end, and never beyond', (t) => {
  t.is(moved('ArrowDown', -1, 10, 5), 0);
  t.is(moved('ArrowDown', 9, 10, 5), 9);
  t.is(moved('ArrowUp', 0, 10, 5), 0);
  t.is(moved('PageDown', 2, 10, 5), 7);
  t.is(moved('PageUp', 2, 10, 5), 0);
  t.is(moved('Home', 7, 10, 5), 0);
  t.is(moved('End', 2, 10, 5), 9);
  t.is(moved('ArrowDown', -1, 0, 5), undefined);
  t.is(moved('a', 2, 10, 5), undefined);
});
