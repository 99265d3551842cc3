import test from 'ava';
import { PathMtuSearch } from '../../../lib/daemon/peers/path-mtu.ts';
import { random } from '../../random.ts';

const BOUNDS = { least: 576, base: 1200, most: 1500 };
const TIMEOUT_MS = 50;
const STEP_MS = 10;

/** Runs the search over a path that carries `carries` bytes; `loses` says of each probe whether it is lost besides. */
class Path {
  readonly search: PathMtuSearch;
  carries: number;
  loses: (size: number) => boolean = () => false;
  nowMs = 0;
  readonly probed: number[] = [];

  constructor(carries: number, bounds = BOUNDS) {
    this.search = new PathMtuSearch(bounds);
    this.carries = carries;
  }

  /** Until the search has nothing to wait for, and `forMs` at least. */
  run(forMs = 0): void {
    const end = this.nowMs + forMs;
    for (let i = 0; i < 100_000 && (this.nowMs <= end || this.search.busy); i++) {
      for (const size of this.search.due(this.nowMs, TIMEOUT_MS)) {
        this.probed.push(size);
        if (size <= this.carries && !this.loses(size)) this.search.answered(size, this.nowMs + 1);
      }
      this.nowMs += STEP_MS;
    }
  }
}

test('a path that carries what the interface takes: one probe, and no limit', (t) => {
  const path = new Path(1500);
  t.is(path.search.mtu, undefined);
  path.run();
  t.deepEqual(path.probed, [1500]);
  t.is(path.search.mtu, 1500);
  t.is(path.search.limit, undefined);
});

test('every narrow path is found, to the byte, within two seconds of losses and answers', (t) => {
  for (const most of [1500, 9000, 65_535])
    for (let carries = 576; carries < 1600 && carries < most; carries += carries === 1279 ? 1 : 7) {
      const path = new Path(carries, { ...BOUNDS, most });
      path.run();
      t.is(path.search.mtu, carries, `${carries} of ${most}`);
      t.is(path.search.limit, carries);
      t.true(path.nowMs < 4500, `${carries} of ${most}: ${path.nowMs} ms`);
    }
});

test('a path that becomes narrow is found out with the next look, and a wide one ten minutes later', (t) => {
  const path = new Path(1500);
  path.run();
  path.carries = 1400;
  path.run(31_000);
  t.is(path.search.limit, 1400);
  path.carries = 1500;
  path.run(300_000);
  t.is(path.search.limit, 1400, 'not yet');
  path.run(310_000);
  t.is(path.search.limit, undefined);
});

test('an honest hint is believed after two lost probes', (t) => {
  const path = new Path(1500);
  path.run();
  path.carries = 1400;
  path.probed.length = 0;
  const before = path.nowMs;
  path.search.hint(1400, path.nowMs);
  path.run();
  t.is(path.search.limit, 1400);
  t.deepEqual(path.probed, [1500, 1400, 1500, 1400]);
  t.true(path.nowMs - before <= 2 * TIMEOUT_MS + 2 * STEP_MS);
});

test('a forged hint changes nothing, costs two probes, and then nobody listens for a while', (t) => {
  const path = new Path(1500);
  path.run();
  path.probed.length = 0;
  for (const mtu of [0, 68, 552, 575, 1500, 1501, 65_535]) path.search.hint(mtu, path.nowMs);
  t.false(path.search.busy, 'no path is like that');
  for (let i = 0; i < 1000; i++) {
    path.search.hint(576 + (i % 900), path.nowMs);
    path.run(STEP_MS);
    t.is(path.search.limit, undefined);
  }
  t.true(path.probed.length < 30, `${path.probed.length} probes in ${path.nowMs} ms`);
});

test('a hint that is too small is not taken where the path carries more', (t) => {
  const path = new Path(1400);
  path.run();
  path.search.hint(600, path.nowMs);
  path.run();
  t.is(path.search.limit, 1400);
});

test('where not even small probes pass nothing is concluded', (t) => {
  const path = new Path(1500);
  path.run();
  path.carries = 100;
  path.run(31_000);
  t.is(path.search.limit, undefined, 'what was known before');
  t.is(path.search.mtu, 1500);
  path.carries = 1492;
  path.run(61_000);
  t.is(path.search.limit, 1492);
});

test('a path that is down for a while, whenever and for however long, is not taken for a narrow one', (t) => {
  const { seed, next } = random();
  for (let run = 0; run < 200; run++) {
    const path = new Path(1500);
    if (run % 2 === 0) path.run();
    for (let outage = 0; outage < 5; outage++) {
      // From before, in or after the next look, or the search that follows a chance loss of its first probes.
      const from = path.nowMs + next(32_000);
      const to = from + next(3000);
      let chance = next(5);
      path.loses = (size) => (path.nowMs >= from && path.nowMs < to) || (size === 1500 && chance-- > 0);
      path.run(40_000);
      t.is(path.search.limit, undefined, `seed ${seed}, run ${run}`);
    }
  }
});

test('probes that are lost by chance do not leave a path narrower than it is', (t) => {
  const path = new Path(1500);
  path.run();
  let lost = 0;
  path.loses = (size) => size === 1500 && lost++ < 3;
  path.run(31_000);
  t.is(path.search.mtu, 1500);
  t.is(path.search.limit, undefined);
});

test('IPv6: no path is narrower than 1280', (t) => {
  const path = new Path(1280, { least: 1280, base: 1280, most: 1500 });
  path.run();
  t.is(path.search.mtu, 1280);
});
