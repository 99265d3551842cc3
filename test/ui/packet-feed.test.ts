import test, { type ExecutionContext } from 'ava';
import { until } from '../../lib/lab/until.ts';
import type { PacketBatch, Sentence } from '../../lib/ui/messages.ts';
import { PacketFeed } from '../../lib/ui/packet-feed.ts';
import { PATIENCE_MS } from '../patience.ts';
import { TIME } from './records.ts';
import { serveTap } from './tap-server.ts';

interface Watched {
  readonly feed: PacketFeed;
  readonly batches: PacketBatch[];
  readonly states: (Sentence | null)[];
}

function watch(t: ExecutionContext): Watched {
  const batches: PacketBatch[] = [];
  const states: (Sentence | null)[] = [];
  let id = 0;
  const feed = new PacketFeed({
    network: '',
    nextId: () => ++id,
    around: () => undefined,
    onBatch: (batch) => batches.push(batch),
    onState: (state) => states.push(state),
  });
  t.teardown(() => feed.close());
  return { feed, batches, states };
}

const linesOf = (batches: readonly PacketBatch[]) => batches.flatMap(({ lines }) => lines);

test('records become lines in the order of their times, with ids that rise, and are found by them', async (t) => {
  const tap = await serveTap(t);
  const { feed, batches, states } = watch(t);
  feed.open(tap.path);
  t.true(await until(() => tap.requests.length === 1, PATIENCE_MS));
  tap.send({ timeIn: TIME + 3_000_000n }, { timeIn: TIME + 2_000_000n, verdict: 1, reason: 0, timeOut: 0n });
  t.true(await until(() => linesOf(batches).length === 2, PATIENCE_MS));
  const lines = linesOf(batches);
  t.deepEqual(
    lines.map(({ id, verdict, reason }) => [id, verdict, reason]),
    [
      [1, 'dropped', 'no-route'],
      [2, 'forwarded', null],
    ],
  );
  t.deepEqual(states, [null]);
  t.is(feed.find(2)!.line, lines[1]!);
  t.is(feed.find(3), undefined);
  t.deepEqual(feed.latest.lines, lines);
});

test('of very many no more lines come than a batch has room for, the rest is counted, and forwarded ones have their part', async (t) => {
  const tap = await serveTap(t);
  const { feed, batches } = watch(t);
  feed.open(tap.path);
  t.true(await until(() => tap.requests.length === 1, PATIENCE_MS));
  const dropped = { verdict: 1, reason: 1, timeOut: 0n };
  tap.send(...Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? {} : dropped)));
  const counted = () => linesOf(batches).length + (batches.at(-1)?.skipped ?? 0);
  t.true(await until(() => counted() === 3000, PATIENCE_MS), `${counted()}`);
  for (const { lines } of batches) {
    t.true(lines.length <= 250, `${lines.length}`);
    if (lines.length === 250) t.true(lines.filter(({ verdict }) => verdict === 'forwarded').length >= 50);
  }
});

test('only the latest are kept', async (t) => {
  const tap = await serveTap(t);
  const { feed, batches } = watch(t);
  feed.open(tap.path);
  t.true(await until(() => tap.requests.length === 1, PATIENCE_MS));
  for (let sent = 0; linesOf(batches).length < 5100; ) {
    tap.send(...Array.from({ length: 250 }, () => ({})));
    sent += 250;
    const enough = () => linesOf(batches).length + (batches.at(-1)?.skipped ?? 0) >= sent;
    t.true(await until(enough, PATIENCE_MS));
  }
  const last = linesOf(batches).at(-1)!.id;
  t.is(feed.find(last - 5000), undefined);
  t.truthy(feed.find(last - 4999));
  t.is(feed.latest.lines.length, 1000);
});

test('the part that is asked for follows the rate', async (t) => {
  const tap = await serveTap(t);
  const { feed } = watch(t);
  feed.open(tap.path);
  feed.rate(10, tap.path);
  t.true(await until(() => tap.requests.length === 2, PATIENCE_MS));
  feed.rate(40_000, tap.path);
  t.true(await until(() => tap.requests.length === 3, PATIENCE_MS));
  t.deepEqual(
    tap.requests.map(({ sample }) => sample),
    [64, 1, 120],
  );
  t.is(feed.latest.sample, 120);
});

test('a tap that refuses is one sentence with what to do, once; and it comes back', async (t) => {
  let refusal: object | undefined = { error: { code: 'TAP_BUSY', message: 'Four look already', hint: 'end one' } };
  const tap = await serveTap(t, () => refusal);
  const { feed, states, batches } = watch(t);
  const state = () => states.at(-1);
  feed.open('/nowhere/tap.sock');
  t.true(await until(() => states.length === 1, PATIENCE_MS));
  t.regex(state()!.text, /No tap at \/nowhere\/tap\.sock/);
  feed.open(tap.path);
  t.true(await until(() => states.length === 2, PATIENCE_MS));
  t.deepEqual(state(), { text: 'Four look already', hint: 'end one' });
  refusal = undefined;
  feed.open(tap.path);
  t.true(await until(() => states.length === 3, PATIENCE_MS));
  t.is(state(), null);
  // weftd ends: whoever looks at it opens the tap again.
  tap.cut();
  const again = () => {
    feed.open(tap.path);
    tap.send({});
    return linesOf(batches).length > 0;
  };
  t.true(await until(again, PATIENCE_MS));
});
