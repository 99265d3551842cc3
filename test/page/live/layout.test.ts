import test from 'ava';
import { EDGE_WIDTHS, edgeClass, type Layout, layOut, placeLabels, spotAt } from '../../../lib/page/live/layout.ts';
import { random } from '../../random.ts';

const SIZES = [
  [400, 330],
  [330, 300],
  [700, 380],
] as const;

for (const count of [0, 1, 2, 12, 16, 17, 60, 200, 1000, 3000])
  test(`${count} peers have a place each, inside the picture and beside the host`, (t) => {
    for (const [width, height] of SIZES) {
      const { spots, centre, radius } = layOut(count, width, height);
      t.is(spots.length, count);
      for (const { x, y } of spots) {
        t.true(x >= 0 && x <= width && y >= 0 && y <= height);
        t.true(Math.hypot(x - centre.x, y - centre.y) > 18 || count > 1000, `a peer at ${x}, ${y} is on the host`);
      }
      // Nearer than a dot is wide: some of 3,000 may touch.
      if (count <= 1000) t.true(nearest(spots) >= 1.6 * radius, `${nearest(spots)} between dots of radius ${radius}`);
    }
  });

test('a single peer is beside the host, and the two are in the middle together', (t) => {
  for (const [width, height] of SIZES) {
    const { centre, spots } = layOut(1, width, height);
    t.is(spots[0]!.y, centre.y);
    t.is((centre.x + spots[0]!.x) / 2, width / 2);
  }
});

test('above the host, where its name is, no peer is straight overhead', (t) => {
  for (let count = 1; count <= 12; count++) {
    const { centre, spots } = layOut(count, 400, 330);
    for (const { x, y } of spots) t.true(y >= centre.y || Math.abs(x - centre.x) > 20, `${count} peers: ${x}, ${y}`);
  }
});

function nearest(spots: Layout['spots']): number {
  let best = Number.POSITIVE_INFINITY;
  for (const [k, a] of spots.entries())
    for (const b of spots.slice(k + 1)) best = Math.min(best, Math.hypot(a.x - b.x, a.y - b.y));
  return best;
}

test('labels are inside, none is over another, and who wishes first has one', (t) => {
  const { next, seed } = random();
  for (const count of [1, 5, 12, 60, 1000]) {
    const layout = layOut(count, 408, 330);
    const wishes = Array.from({ length: Math.min(count, 120) }, () => next(count)).map((index) => ({
      index,
      lines: ['192.0.2.100', 'no answer'],
    }));
    const labels = placeLabels(layout, wishes, 24);
    t.is(labels[0]?.index, wishes[0]!.index, `seed ${seed}`);
    t.true(labels.length <= 24);
    const boxes = labels.map(({ at, anchor, lines }) => {
      const wide = Math.max(...lines.map((line) => line.length)) * 7;
      const left = anchor === 'start' ? at.x : anchor === 'end' ? at.x - wide : at.x - wide / 2;
      return { left, right: left + wide, top: at.y - 11, bottom: at.y + 15 * (lines.length - 1) + 3 };
    });
    for (const [k, a] of boxes.entries()) {
      t.true(a.left >= -1 && a.right <= 409 && a.top >= -1 && a.bottom <= 331, `seed ${seed}: ${JSON.stringify(a)}`);
      for (const b of boxes.slice(k + 1))
        t.false(a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom, `seed ${seed}`);
    }
  }
});

test('a text that is wider than the picture has no label', (t) => {
  t.deepEqual(placeLabels(layOut(1, 400, 300), [{ index: 0, lines: ['x'.repeat(80)] }], 5), []);
});

test('an edge is as wide as the logarithm of its traffic', (t) => {
  t.is(edgeClass(0), -1);
  t.is(edgeClass(1), 0);
  t.is(edgeClass(125), 1, '1 kb/s');
  t.is(edgeClass(1250), 2, '10 kb/s');
  t.is(edgeClass(125_000), 4, '1 Mb/s');
  t.is(edgeClass(1e12), EDGE_WIDTHS.length - 1);
  for (let bytes = 1; bytes < 1e10; bytes *= 3) t.true(edgeClass(bytes * 3) >= edgeClass(bytes));
});

test('what is pointed at is the nearest peer within reach', (t) => {
  const layout = layOut(12, 400, 300);
  const { x, y } = layout.spots[5]!;
  t.is(spotAt(layout, { x: x + 3, y: y - 2 }, 16), 5);
  t.is(spotAt(layout, layout.centre, 16), -1);
});
