/** The tap without a daemon: data planes are the packet code, driven by hand. No root needed. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { openTap, type TapRecord } from '../../lib/control/tap-client.ts';
import { DROP_REASONS } from '../../lib/dataplane/drop.ts';
import { CONFIG_TAP } from '../../lib/fastpath/abi.ts';
import { until } from '../../lib/lab/until.ts';
import { Tap } from '../../lib/tap/server.ts';
import { Harness, NETWORK } from '../fastpath/harness.ts';
import { frame, payload, udp4 } from '../fastpath/packets.ts';
import { PATIENCE_MS } from '../patience.ts';

interface Context {
  readonly tap: Tap;
  readonly path: string;
  readonly lines: string[];
}
const test = anyTest.serial as TestFn<Context>;

test.beforeEach(async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-tap-'));
  const lines: string[] = [];
  const write = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const tap = new Tap({
    log: { debug: write, info: write, warn: write, error: write },
    networks: () => [{ number: NETWORK, name: 'blue', linkType: 101 }],
    reasons: Object.keys(DROP_REASONS),
    now: Date.now,
  });
  const path = join(directory, 'tap.sock');
  await tap.open(path, undefined);
  t.context = { tap, path, lines };
});
test.afterEach.always(async (t) => {
  await t.context.tap.close();
  rmSync(dirname(t.context.path), { recursive: true });
});

const PEER = 0xc0000202;

/** A data plane that looks at CONFIG_TAP whenever it is woken, as the worker does in its next turn. */
class DataPlane {
  readonly harness = new Harness({ own4: '10.244.1.0/24', peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24'] }] });
  readonly end: () => void;
  wanted = 0;

  constructor(tap: Tap) {
    this.end = tap.attach(this.harness.memory.buffer, () => {
      this.wanted = Atomics.load(this.harness.words, CONFIG_TAP / 4) >>> 0;
      this.harness.fastpath.tapSet(this.wanted);
    });
  }

  send(id: number): void {
    const packet = udp4({ source: '10.244.1.2', destination: '10.244.2.2', id, payload: payload(20, id), ttl: 63 });
    this.harness.outbound([frame(packet, {})]);
  }
}

const idOf = ({ bytes }: TapRecord): number => (bytes[4]! << 8) | bytes[5]!;

test('readers see what data planes do, also one that takes the place of another while they read', async (t) => {
  const { tap, path } = t.context;
  const first = new DataPlane(tap);
  first.send(1);
  const reading = openTap(path, { sample: 1, snapLength: 64 });
  const ids: number[] = [];
  const done = (async () => {
    for await (const record of reading) {
      ids.push(idOf(record));
      t.like(record, { network: 'blue', peer: '192.0.2.2', verdict: 'forwarded' });
    }
  })();
  t.true(await until(() => first.wanted !== 0, PATIENCE_MS));
  first.send(2);
  t.true(await until(() => ids.length === 1, PATIENCE_MS));
  // Its thread dies, as far as the tap knows, with a record that nobody has read.
  first.send(3);
  first.end();
  const second = new DataPlane(tap);
  t.not(second.wanted, 0, 'it records from the start');
  second.send(4);
  t.true(await until(() => ids.length === 3, PATIENCE_MS));
  t.deepEqual(ids, [2, 3, 4]);
  t.like(tap.readers()[0], { pid: process.pid, uid: process.getuid!(), sample: 1, snapLength: 64, network: null });
  reading.close();
  await done;
  t.true(await until(() => second.wanted === 0, PATIENCE_MS), 'it still records');
  t.deepEqual(tap.readers(), []);
  t.regex(
    t.context.lines.join('\n'),
    /A reader of the tap sees packets .*"sample":1.*\n.*has left .*"records":3,"lost":0/,
  );
});

test('what is recorded follows what the readers want', async (t) => {
  const { tap, path } = t.context;
  const plane = new DataPlane(tap);
  const drops = openTap(path, { sample: 1, snapLength: 100, droppedOnly: true });
  await drops.reply;
  t.true(await until(() => plane.wanted >>> 20 === 100, PATIENCE_MS));
  t.is(plane.wanted & 0xfffff, 0xfffff);
  const wide = openTap(path, { sample: 50, snapLength: 2048 });
  await wide.reply;
  t.true(await until(() => plane.wanted >>> 20 === 2048 && (plane.wanted & 0xfffff) === 50, PATIENCE_MS));
  wide.close();
  t.true(await until(() => plane.wanted >>> 20 === 100, PATIENCE_MS));
  drops.close();
});

test('a tap that closes ends its readers, and the last thing they hear is what they have lost', async (t) => {
  const { tap, path } = t.context;
  const reading = openTap(path, { sample: 1, snapLength: 64 });
  await reading.reply;
  const records: TapRecord[] = [];
  const done = (async () => {
    for await (const record of reading) records.push(record);
  })();
  await tap.close();
  await done;
  t.deepEqual(records, []);
});

test('the socket is for its owner alone, and nobody else than a live one answers there', async (t) => {
  const { path } = t.context;
  t.is(statSync(path).mode & 0o777, 0o600);
  const other = new Tap({
    log: { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 },
    networks: () => [],
    reasons: [],
    now: Date.now,
  });
  await t.throwsAsync(other.open(path, undefined), { code: 'ALREADY_RUNNING' });
  await t.throwsAsync(other.open('/proc/nothing/tap.sock', undefined), { code: 'TAP_SOCKET_REFUSED' });
});

test('whoever is refused again and again does not fill the log', async (t) => {
  const { path, lines } = t.context;
  for (let i = 0; i < 20; i++) {
    const reading = openTap(path, { sample: 0, snapLength: 0 });
    await t.throwsAsync(reading.reply, { code: 'TAP_REQUEST_INVALID' });
  }
  await t.context.tap.close();
  const refused = lines.filter((line) => line.startsWith('Somebody was refused at the tap'));
  t.true(refused.length > 0 && refused.length <= 6, refused.join('\n'));
});

test('where no tap is, the reader says so', async (t) => {
  const { path } = t.context;
  for (const [where, code] of [
    [`${path}.other`, 'NOT_RUNNING'],
    [`/${'x'.repeat(120)}`, 'NOT_RUNNING'],
  ] as const) {
    const reading = openTap(where, { sample: 1, snapLength: 0 });
    await t.throwsAsync(reading.reply, { code });
    await t.throwsAsync(reading[Symbol.asyncIterator]().next(), { code });
  }
});
