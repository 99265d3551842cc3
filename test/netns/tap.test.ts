/**
 * The tap of a running weftd: who may read it, what they see, and that nothing they do or leave undone disturbs it.
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel0, weftd       [ net ]        flannel0, weftd
 */
import { chmodSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { openTap, type TapRecord, type TapRequest } from '../../lib/control/tap-client.ts';
import { tapSocketBeside } from '../../lib/control/tap-protocol.ts';
import { createLab } from '../../lib/lab/lab.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { execInNetns, spawnInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { destroyLab, destroyLabNow } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { PATIENTLY, pingsOf } from './pings.ts';

const skipped = whySkipped();
if (skipped !== undefined) process.stderr.write(`Skipping tests of the tap: ${skipped}\n`);
const test = skipped === undefined ? anyTest.serial : anyTest.skip;

const id = `tap${process.pid}`;
/** A group that has no members here, and a user that is in no group of ours. */
const GROUP = 54_321;
const STRANGER = 54_322;

interface World {
  readonly overlay: Overlay;
  readonly h1: LabHost;
  readonly h2: LabHost;
  readonly path: string;
}
let world: World;

if (skipped === undefined) {
  process.once('exit', () => destroyLabNow(id));
  anyTest.before('a lab of two hosts, etcd and a weftd on each', async (t) => {
    const lab = await createLab({ id, hosts: 2 });
    const overlay = await startOverlay(lab, { daemonArgs: [`--tap-group=${GROUP}`, `--control-group=${GROUP}`] });
    const [h1, h2] = lab.hosts;
    world = { overlay, h1: h1!, h2: h2!, path: tapSocketBeside(h1!.controlSocket) };
    for (const host of lab.hosts) {
      const settled = async () => (await status(host)).peers === 1 && (await status(host)).state === 'ready';
      t.true(await until(settled, PATIENCE_MS), `${host.netns} is not ready`);
    }
  });
  anyTest.after.always('nothing of the lab is left', () => destroyLab(id));
}

async function status(host: LabHost): Promise<StatusReply> {
  return await askDaemon(host.controlSocket, '/v1/status');
}

const ALL: TapRequest = { sample: 1, snapLength: 128 };

/** Reads until `enough` says so, or for PATIENCE_MS. */
class Watch {
  readonly records: TapRecord[] = [];
  readonly tap;
  readonly done: Promise<void>;

  constructor(request: TapRequest) {
    this.tap = openTap(world.path, request);
    this.done = this.#read();
    this.done.catch(() => undefined);
  }

  async #read(): Promise<void> {
    for await (const record of this.tap) this.records.push(record);
  }

  /** Resolves when it is recorded for this reader. */
  async begin(t: ExecutionContext): Promise<this> {
    const { readers } = (await status(world.h1)).tap;
    await this.tap.reply;
    await until(async () => (await status(world.h1)).tap.readers.length >= Math.max(1, readers.length), PATIENCE_MS);
    // The worker looks once in a turn: a packet that is seen says that it has.
    const seen = async () => {
      await pingOnce(0);
      return this.records.length > 0;
    };
    t.true(await until(seen, PATIENCE_MS), 'nothing is recorded');
    return this;
  }

  async end(): Promise<TapRecord[]> {
    this.tap.close();
    await this.done;
    return this.records;
  }

  find(wanted: (record: TapRecord) => boolean): Promise<boolean> {
    return until(() => this.records.some(wanted), PATIENCE_MS);
  }
}

const pod2 = (): string => world.overlay.pods[1]!.address;

async function pingOnce(payload: number, address = pod2()): Promise<void> {
  await pingsOf(
    spawnInNetns(world.h1.podNetns, ['ping', ...PATIENTLY, '-c', '1', '-s', `${payload}`, address]),
    1,
  ).catch(() => undefined);
}

/** Sends a ping that is not answered; why shows in the records. */
async function sendOne(netns: string, args: readonly string[]): Promise<void> {
  await execInNetns(netns, ['ping', '-c', '1', '-W', '1', ...args]).catch(() => undefined);
}

test('a reader sees both directions of a ping, with peer, times and bytes', async (t) => {
  const watch = await new Watch(ALL).begin(t);
  await pingOnce(333);
  const length = 20 + 8 + 333;
  t.true(await watch.find((record) => record.direction === 'outbound' && record.length === length));
  t.true(await watch.find((record) => record.direction === 'inbound' && record.length === length));
  const records = (await watch.end()).filter((record) => record.length === length);
  t.is(records.length, 2);
  for (const record of records) {
    t.like(record, {
      verdict: 'forwarded',
      reason: null,
      peer: world.h2.underlayAddress,
      ethernet: false,
      network: '',
    });
    t.is(record.bytes.length, 128);
    t.true(record.timeOut !== null && record.timeOut >= record.timeIn);
    // The time of day, as the kernel's stamps have it.
    t.true(Math.abs(Number(record.timeIn / 1_000_000n) - Date.now()) < PATIENCE_MS);
  }
  t.is(watch.tap.lost, 0);
});

test('what is dropped is seen with its reason, also by one who asks for nothing else', async (t) => {
  const all = await new Watch({ sample: 100, snapLength: 64 }).begin(t).catch(() => undefined);
  const dropped = new Watch({ ...ALL, droppedOnly: true });
  await dropped.tap.reply;
  const subnet = world.overlay.pods[0]!.address.split('.').slice(0, 2).join('.');
  const sendLost = async () => {
    // Nobody has this subnet; and a TTL that ends at the engine.
    await sendOne(world.h1.podNetns, [`${subnet}.251.9`]);
    await sendOne(world.h1.podNetns, ['-t', '2', pod2()]);
    const seen = new Set(dropped.records.map(({ reason }) => reason));
    return seen.has('no-route') && seen.has('ttl-expired');
  };
  t.true(await until(sendLost, PATIENCE_MS), dropped.records.map(({ reason }) => reason).join());
  t.true((await dropped.end()).every(({ verdict, timeOut }) => verdict === 'dropped' && timeOut === null));
  await all?.end();
});

test('status names the readers, stats count the records, and the fifth reader is told that there is no room', async (t) => {
  const watches = Array.from({ length: 4 }, (_, i) => new Watch({ sample: i + 1, snapLength: 0 }));
  await Promise.all(watches.map(({ tap }) => tap.reply));
  const named = async () => (await status(world.h1)).tap.readers.map(({ sample }) => sample);
  t.true(await until(async () => (await named()).length === 4, PATIENCE_MS));
  t.deepEqual(
    (await named()).toSorted((a, b) => a - b),
    [1, 2, 3, 4],
  );
  const fifth = new Watch(ALL);
  await t.throwsAsync(fifth.done, { code: 'TAP_BUSY' });
  await watches[0]!.begin(t);
  t.true((await askDaemon(world.h1.controlSocket, '/v1/stats')).tap.records > 0);
  await Promise.all(watches.map((watch) => watch.end()));
  t.true(await until(async () => (await named()).length === 0, PATIENCE_MS));
});

/** Runs a reader as another user: prints the first line it gets. */
async function asUser(args: readonly string[], path: string): Promise<string> {
  const script = `const s=require('node:net').connect(process.argv[1]);s.on('connect',()=>s.write('{}\\n'));
    s.on('data',(d)=>{console.log(String(d).split('\\n')[0].slice(0,400));process.exit(0)});s.on('error',(e)=>{console.log(e.code);process.exit(0)});`;
  const { stdout } = await execInNetns(world.h1.netns, ['setpriv', ...args, process.execPath, '-e', script, path]);
  return stdout.trim();
}

test('the socket is for root and one group: strangers are refused by the file, and by the kernel that names them', async (t) => {
  t.is(statSync(world.path).mode & 0o777, 0o660);
  t.is(statSync(world.path).gid, GROUP);
  t.is(statSync(world.h1.controlSocket).mode & 0o777, 0o660);
  t.is(statSync(world.h1.controlSocket).gid, GROUP);
  // Of the lab's directory nobody else may see anything.
  for (const directory of [dirname(world.path), dirname(dirname(world.path))]) chmodSync(directory, 0o711);
  const user = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`];
  t.is(await asUser([...user, '--clear-groups'], world.path), 'EACCES');
  t.regex(await asUser([...user, `--groups=${GROUP}`], world.path), /^\{"version":1,.*"linkType":101/);
  // Somebody opened the file to all: who connects is asked all the same.
  chmodSync(world.path, 0o666);
  t.regex(await asUser([...user, '--clear-groups'], world.path), /"TAP_DENIED".*user 54322 may not see packets/);
  chmodSync(world.path, 0o660);
});

test('what is no request is answered with one line, and closed', async (t) => {
  for (const [text, problem] of [
    ['GET / HTTP/1.1\r\n\r\n', /not a line of JSON/],
    ['x'.repeat(100_000), /longer than 1024 bytes/],
    ['{"network":"nowhere"}\n', /no network .*nowhere/],
    ['{"snapLength":99999}\n', /snapLength is not/],
  ] as const) {
    const answer = await new Promise<string>((resolve) => {
      let all = '';
      const socket = connect({ path: world.path, allowHalfOpen: true });
      socket.on('data', (data) => {
        all += String(data);
      });
      socket.on('error', () => undefined);
      socket.on('end', () => socket.destroy());
      socket.on('close', () => resolve(all));
      socket.write(text);
    });
    t.regex(answer, problem);
    t.is(answer.trimEnd().split('\n').length, 1);
    t.regex(answer, /^\{"error":/);
  }
});

/** Bytes of memory that weftd has. */
const memory = async (): Promise<number> => (await status(world.h1)).memory.rssBytes;

test('a reader that does not read loses records, is told how many, and does not make weftd grow', async (t) => {
  const other = await new Watch(ALL).begin(t);
  const idle: Socket = connect({ path: world.path, allowHalfOpen: true });
  idle.pause();
  idle.on('error', () => undefined);
  idle.write(`${JSON.stringify({ sample: 1, snapLength: 2048 })}\n`);
  const named = async () => (await status(world.h1)).tap.readers.find(({ snapLength }) => snapLength === 2048);
  t.true(await until(async () => (await named()) !== undefined, PATIENCE_MS));
  const before = await memory();
  const flood = async () => {
    await execInNetns(world.h1.podNetns, ['ping', '-q', '-f', '-c', '300', '-s', '1200', pod2()]).catch(
      () => undefined,
    );
    return ((await named())?.lost ?? 0) > 500;
  };
  t.true(await until(flood, PATIENCE_MS), 'nothing was lost');
  t.true((await memory()) - before < 40e6);
  t.is(other.tap.lost, 0);
  // It wakes up, and asks for the end.
  let bytes = 0;
  idle.on('data', (data) => {
    bytes += data.length;
  });
  const closed = new Promise((resolve) => idle.on('close', resolve));
  idle.on('end', () => idle.destroy());
  idle.resume();
  idle.end();
  await closed;
  t.true(bytes > 100_000 && bytes < 2_000_000, `${bytes} bytes`);
  await other.end();
});
