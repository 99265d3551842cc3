/**
 * Two hosts, etcd, a weftd on each, backend udp: what a user sees of them.
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel0, weftd       [ net ]        flannel0, weftd
 *                                    etcd
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { PeersReply, StatusReply } from '../../lib/control/protocol.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, startEtcd } from '../../lib/lab/etcd.ts';
import { createLab } from '../../lib/lab/lab.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { destroyLab, destroyLabNow } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import { CONTROL_PATHS, violations } from '../control/schema.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { PATIENTLY, pingsOf } from './pings.ts';

const skipped = whySkipped();
if (skipped !== undefined) process.stderr.write(`Skipping tests of two daemons: ${skipped}\n`);
const test = skipped === undefined ? anyTest.serial : anyTest.skip;

const id = `d${process.pid}`;
const SUBNETS = '/coreos.com/network/subnets/';
/** Of a ping without options: IPv4 header, ICMP header, payload. */
const ECHO_BYTES = 20 + 8 + 56;

interface World {
  readonly lab: Lab;
  readonly overlay: Overlay;
  readonly h1: LabHost;
  readonly h2: LabHost;
  etcd: LabProcess;
}
let world: World;

if (skipped === undefined) {
  process.once('exit', () => destroyLabNow(id));
  anyTest.before('a lab of two hosts, etcd and a weftd on each', async () => {
    const lab = await createLab({ id, hosts: 2 });
    const overlay = await startOverlay(lab, { daemonArgs: ['--log-level=debug'] });
    const [h1, h2] = lab.hosts;
    world = { lab, overlay, h1: h1!, h2: h2!, etcd: overlay.etcd };
  });
  anyTest.after.always('nothing of the lab is left', () => destroyLab(id));
}

async function status(host: LabHost): Promise<StatusReply> {
  return await askDaemon(host.controlSocket, '/v1/status');
}

async function peers(host: LabHost): Promise<PeersReply['peers']> {
  return (await askDaemon(host.controlSocket, '/v1/peers')).peers;
}

/** Waits until both daemons are ready and know each other. */
async function connected(t: ExecutionContext): Promise<void> {
  for (const host of [world.h1, world.h2]) {
    const settled = async () => (await status(host)).state === 'ready' && (await peers(host)).length === 1;
    t.true(await until(settled, PATIENCE_MS), `${host.netns} is not ready`);
  }
}

function ping(host: LabHost, address: string, count: number, intervalS: number): LabProcess {
  return spawnInNetns(host.podNetns, ['ping', ...PATIENTLY, '-c', `${count}`, '-i', `${intervalS}`, address]);
}

async function routes(host: LabHost): Promise<string[]> {
  const reply = await askDaemon(host.controlSocket, '/v1/routes');
  return reply.routes.map(({ prefix, via }) => `${prefix} ${via}`);
}

/** What flanneld's udp writes for a host. */
function leaseValue(host: LabHost): string {
  return `{"PublicIP":"${host.underlayAddress}","PublicIPv6":null}`;
}

async function put(key: string, value: string): Promise<void> {
  await etcdctl(world.lab, ['put', '--', `${SUBNETS}${key}`, value]);
}

test('pods on two hosts ping each other, and both daemons counted every packet', async (t) => {
  const { overlay, h1, h2 } = world;
  await connected(t);
  const [pod1, pod2] = overlay.pods;
  const there = await pingsOf(ping(h1, pod2!.address, 20, 0.01), 20);
  const back = await pingsOf(ping(h2, pod1!.address, 20, 0.01), 20);
  t.deepEqual([there.answered, back.answered], [20, 20]);
  // Each host: its requests, and as many replies.
  const packets = there.sent + back.sent;
  for (const host of [h1, h2]) {
    const traffic = async () => (await peers(host))[0]?.traffic;
    await until(async () => (await traffic())?.inboundPackets === packets, PATIENCE_MS);
    t.deepEqual(await traffic(), {
      outboundPackets: packets,
      outboundBytes: packets * ECHO_BYTES,
      inboundPackets: packets,
      inboundBytes: packets * ECHO_BYTES,
    });
  }
});

test('every reply of a running daemon is what the schema says', async (t) => {
  await connected(t);
  for (const path of CONTROL_PATHS) t.deepEqual(violations(path, await askDaemon(world.h1.controlSocket, path)), []);
});

test('etcd holds what flanneld would have written, and subnet.env is the same subnet', async (t) => {
  const { lab, h1, h2, overlay } = world;
  const dump = (await etcdctl(lab, ['get', '--prefix', SUBNETS])).stdout.trimEnd().split('\n');
  t.is(dump.length, 4, 'two keys, two values');
  for (const [index, host] of [h1, h2].entries()) {
    const { lease } = await status(host);
    const value = dump[dump.indexOf(`${SUBNETS}${lease?.ipv4.replace('/', '-')}`) + 1];
    t.is(value, leaseValue(host));
    const base = lease?.ipv4.replace(/\.0\/24$/, '') ?? '';
    t.true(readFileSync(host.subnetFile, 'utf8').includes(`\nFLANNEL_SUBNET=${base}.1/24\n`));
    t.is(overlay.pods[index]?.address, `${base}.2`);
  }
});

test('etcd that is killed and started again costs no packet between known peers', async (t) => {
  const { lab, overlay, h1, h2 } = world;
  await connected(t);
  const pings = [ping(h1, overlay.pods[1]!.address, 400, 0.01), ping(h2, overlay.pods[0]!.address, 400, 0.01)];
  await world.etcd.stop('SIGKILL');
  const notice = async () => !(await status(h1)).store.connected;
  t.true(await until(notice, PATIENCE_MS), 'the loss of etcd is not shown');
  t.is((await status(h1)).state, 'ready');
  world.etcd = await startEtcd(lab);
  for (const program of pings) t.is((await pingsOf(program, 400)).answered, 400);
  for (const host of [h1, h2])
    t.true(
      await until(async () => (await status(host)).store.connected, PATIENCE_MS),
      `${host.netns} has not come back`,
    );
});

test('a lease written by hand is a route, and leaves 15 s after its key (L1)', async (t) => {
  const { h1, h2, lab } = world;
  await connected(t);
  const before = await routes(h1);
  await put('10.244.250.0-24', '{"PublicIP":"192.0.2.77","PublicIPv6":null}');
  for (const host of [h1, h2]) {
    const there = async () => (await routes(host)).includes('10.244.250.0/24 192.0.2.77');
    t.true(await until(there, PATIENCE_MS), `${host.netns} has no route`);
  }
  await etcdctl(lab, ['del', `${SUBNETS}10.244.250.0-24`]);
  const leaving = async (): Promise<boolean> =>
    (await peers(h1)).some(({ subnet, leaving, expiresAt }) => subnet === '10.244.250.0/24' && leaving && expiresAt);
  t.true(await until(leaving, PATIENCE_MS), 'the peer is not shown as leaving');
  t.true((await routes(h1)).includes('10.244.250.0/24 192.0.2.77'), 'the route does not stay');
  t.true(await until(async () => (await routes(h1)).length === before.length, PATIENCE_MS), 'the route stays for good');
  t.deepEqual(await routes(h1), before);
});

test('keys and values that make no sense change no route and lose no packet (T1)', async (t) => {
  const { h1, lab, overlay } = world;
  await connected(t);
  const before = await routes(h1);
  const { skipped: skippedBefore } = (await status(h1)).store;
  const program = ping(h1, overlay.pods[1]!.address, 100, 0.01);
  // Beyond the hundred subnets that a daemon draws its own from.
  const bad: [string, string][] = [
    ['nonsense', '{"PublicIP":"192.0.2.9"}'],
    ['10.244.248.0-33', '{"PublicIP":"192.0.2.9"}'],
    ['10.244.249.0-24', 'not JSON'],
    ['10.244.250.0-24', '{"PublicIP":7}'],
    ['10.244.251.0-24/../x', '{"PublicIP":"192.0.2.9"}'],
  ];
  for (const [key, value] of bad) await put(key, value);
  const counted = async () => (await status(h1)).store.skipped === skippedBefore + bad.length;
  t.true(await until(counted, PATIENCE_MS), `${(await status(h1)).store.skipped} skipped`);
  t.deepEqual(await routes(h1), before);
  t.is((await pingsOf(program, 100)).answered, 100);
  for (const [key] of bad) await etcdctl(lab, ['del', '--', `${SUBNETS}${key}`]);
});

test('leases that would break the overlay are alarms, not routes', async (t) => {
  const { h1, lab } = world;
  await connected(t);
  const before = await routes(h1);
  await put('10.244.251.0-24', '{"PublicIP":"192.0.2.1"}');
  await put('10.244.252.0-24', '{"PublicIP":"10.244.1.1"}');
  t.true(await until(async () => (await status(h1)).alarms.length >= 3, PATIENCE_MS));
  const { alarms } = await status(h1);
  t.true(alarms.includes('Lease 10.244.251.0/24 has our PublicIP 192.0.2.1 too'), alarms.join('\n'));
  t.true(alarms.some((alarm) => alarm.startsWith('Lease 10.244.252.0/24 of 10.244.1.1 is not used: ')));
  t.deepEqual(await routes(h1), before);
  const notes = (await peers(h1)).map(({ subnet, note }) => `${subnet} ${note}`);
  t.true(notes.includes('10.244.251.0/24 ignored: its PublicIP is this host'), notes.join('\n'));
  t.true(
    notes.includes('10.244.252.0/24 ignored: its PublicIP lies in 10.244.1.0 to 10.244.255.255, which are for pods'),
    notes.join('\n'),
  );
  t.is((await status(h1)).peers, 1);
  for (const key of ['10.244.251.0-24', '10.244.252.0-24']) await etcdctl(lab, ['del', `${SUBNETS}${key}`]);
  t.true(await until(async () => (await status(h1)).alarms.length === 0, PATIENCE_MS));
});

test('SIGTERM leaves lease, subnet file and state only, and a new start has the same subnet and carries packets', async (t) => {
  const { lab, overlay, h1, h2 } = world;
  await connected(t);
  const { lease } = await status(h1);
  const { code } = await overlay.daemons[0]!.stop('SIGTERM');
  t.is(code, 0);
  t.deepEqual(new Set(readdirSync(dirname(h1.subnetFile))), new Set(['state', 'subnet.env', 'weftd.log']));
  const links = (await execInNetns(h1.netns, ['ip', '-br', 'link'])).stdout;
  t.deepEqual(
    links
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/[ @]/)[0]),
    ['lo', 'u0', 'cni0', 'pod0'],
  );
  t.notRegex((await execInNetns(h1.netns, ['ip', 'route'])).stdout, /flannel0|10\.244\.0\.0\/16/);
  t.false(existsSync(h1.controlSocket));
  const key = `${SUBNETS}${lease?.ipv4.replace('/', '-')}`;
  t.is((await etcdctl(lab, ['get', '--print-value-only', key])).stdout.trim(), leaseValue(h1));

  const again = await startDaemon(lab, h1);
  t.teardown(async () => {
    await again.stop();
  });
  await connected(t);
  t.is((await status(h1)).lease?.ipv4, lease?.ipv4);
  t.is((await pingsOf(ping(h2, overlay.pods[0]!.address, 10, 0.05), 10)).answered, 10);
});
