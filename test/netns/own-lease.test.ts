/**
 * What happens to the own lease in etcd, and to the packets meanwhile: two hosts with weftd, backend udp, and a third without.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import { createLab } from '../../lib/lab/lab.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig } from '../../lib/lab/overlay.ts';
import { connectPod } from '../../lib/lab/pod.ts';
import { until } from '../../lib/lab/until.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('o');

const SUBNETS = '/coreos.com/network/subnets/';
/** Generous: the machine may be busy. Each is a matter of milliseconds. */
const LIMIT_MS = 20_000;

interface World {
  readonly lab: Lab;
  readonly hosts: readonly [LabHost, LabHost, LabHost];
  etcd: LabProcess;
}
let made: Promise<World> | undefined;

/** Hosts 1 and 2 run weftd and have a pod; host 3 has nothing yet. */
function world(): Promise<World> {
  made ??= (async () => {
    const lab = await createLab({ id, hosts: 3 });
    const [h1, h2, h3] = lab.hosts as [LabHost, LabHost, LabHost];
    const etcd = await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig()));
    for (const host of [h1, h2]) {
      await startDaemon(lab, host);
      await connectPod(host);
    }
    return { lab, hosts: [h1, h2, h3], etcd };
  })();
  return made;
}

function status(host: LabHost): Promise<StatusReply> {
  return askDaemon(host.controlSocket, '/v1/status');
}

async function subnetOf(host: LabHost): Promise<string> {
  return (await status(host)).lease?.ipv4 ?? 'none';
}

async function keyOf(host: LabHost): Promise<string> {
  return `${SUBNETS}${(await subnetOf(host)).replace('/', '-')}`;
}

async function isReady(host: LabHost): Promise<boolean> {
  const { state, peers } = await status(host);
  return state === 'ready' && peers > 0;
}

/** The lease's value and grant in etcd; undefined while there is none. */
async function stored(lab: Lab, key: string): Promise<{ value: string; grant: string } | undefined> {
  const { stdout } = await etcdctl(lab, ['get', '-w', 'json', key]);
  // 64-bit numbers.
  const value = /"value":"([^"]*)"/.exec(stdout)?.[1];
  const grant = /"lease":(\d+)/.exec(stdout)?.[1] ?? '0';
  return value === undefined ? undefined : { value: Buffer.from(value, 'base64').toString(), grant };
}

/** 50 pings a second from pod 1 to pod 2 while `body` runs, and until both nodes are ready again; how many were lost. */
async function lostWhile(t: ExecutionContext, body: () => Promise<void>): Promise<number> {
  const { hosts } = await world();
  const [h1, h2] = hosts;
  for (const host of [h1, h2]) t.true(await until(() => isReady(host), LIMIT_MS), `${host.netns} is not ready`);
  const target = (await subnetOf(h2)).replace(/0\/24$/, '2');
  const ping = spawnInNetns(h1.podNetns, ['ping', '-i', '0.02', '-W', '2', target]);
  t.true(await until(() => ping.stdout().includes('icmp_seq=5 '), LIMIT_MS), 'no ping is answered');
  await body();
  for (const host of [h1, h2]) t.true(await until(() => isReady(host), LIMIT_MS), `${host.netns} is not ready again`);
  await ping.stop('SIGINT');
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.stdout()) ?? [];
  t.log(`${sent} sent, ${received} received`);
  // One may have been under way when ping was told to end.
  return Math.max(0, Number(sent) - Number(received) - 1);
}

test('a node whose key is deleted takes its subnet again at once (L1)', async (t) => {
  const { lab, hosts } = await world();
  const key = await keyOf(hosts[1]);
  const before = await stored(lab, key);
  const lost = await lostWhile(t, async () => {
    await etcdctl(lab, ['del', key]);
    t.true(await until(async () => (await stored(lab, key)) !== undefined, LIMIT_MS), 'it is not written again');
  });
  const after = await stored(lab, key);
  t.is(after?.value, before?.value);
  t.not(after?.grant, before?.grant);
  t.is(lost, 0);
});

test('a node whose grant is revoked takes its subnet again at once (L2)', async (t) => {
  const { lab, hosts } = await world();
  const key = await keyOf(hosts[1]);
  const before = await stored(lab, key);
  const lost = await lostWhile(t, async () => {
    await etcdctl(lab, ['lease', 'revoke', BigInt(before!.grant).toString(16)]);
    t.true(await until(async () => (await stored(lab, key)) !== undefined, LIMIT_MS), 'it is not written again');
  });
  t.is((await stored(lab, key))?.value, before?.value);
  t.is(lost, 0);
});

test('a node whose key another one overwrote is not ready, and takes it again when it goes (L3)', async (t) => {
  const { lab, hosts } = await world();
  const [h1, h2] = hosts;
  const key = await keyOf(h2);
  const before = await stored(lab, key);
  const target = (await subnetOf(h2)).replace(/0\/24$/, '2');
  // With the time of each answer, and of each request that had none when the next was sent.
  const ping = spawnInNetns(h1.podNetns, ['ping', '-D', '-O', '-i', '0.02', target]);
  t.true(await until(() => ping.stdout().includes('icmp_seq=5 ttl'), LIMIT_MS), 'no ping is answered');
  await etcdctl(lab, ['put', '--', key, '{"PublicIP":"192.0.2.99","PublicIPv6":null}']);
  t.true(await until(async () => (await status(h2)).state === 'degraded', LIMIT_MS));
  t.regex(
    (await status(h2)).alarms[0] ?? '',
    /^Our lease 10\.244\.\d+\.0\/24 was taken by 192\.0\.2\.99; delete its key /,
  );
  t.true(await until(() => ping.stdout().includes('no answer yet'), LIMIT_MS), 'peers obey the new value');
  const givenBack = Date.now();
  await etcdctl(lab, ['del', key]);
  t.true(await until(async () => (await stored(lab, key))?.value === before?.value, LIMIT_MS));
  t.true(await until(() => isReady(h2), LIMIT_MS));
  const answered = (): number => ping.stdout().split(' ttl=').length;
  const sinceReady = answered();
  t.true(await until(() => answered() > sinceReady + 50, LIMIT_MS), 'pings are not answered again');
  await ping.stop('SIGINT');
  const lastLost = Math.max(0, ...lostAt(ping.stdout()).map((time) => time - givenBack));
  t.log(`the last lost ping was sent ${lastLost.toFixed(0)} ms after the lease was given back`);
  t.is(await lostWhile(t, async () => {}), 0);
});

/** When the requests that were never answered had no answer yet; the last, under way when ping ended, is left out. Unix time in ms. */
function lostAt(output: string): number[] {
  const answered = new Set([...output.matchAll(/icmp_seq=(\d+) ttl=/g)].map(([, number]) => number));
  const waited = [...output.matchAll(/^\[([\d.]+)\] no answer yet for icmp_seq=(\d+)/gm)];
  return waited.filter(([, , number]) => !answered.has(number!)).map(([, time]) => Number(time) * 1000);
}

test('in an etcd that was set up anew every node has its own lease again, and no packet is lost (L4)', async (t) => {
  const made = await world();
  const { lab, hosts } = made;
  const nodes = [hosts[0], hosts[1]];
  const keys = await Promise.all(nodes.map(keyOf));
  const lost = await lostWhile(t, async () => {
    await made.etcd.stop('SIGKILL');
    rmSync(join(lab.directory, 'etcd'), { recursive: true });
    made.etcd = await startEtcd(lab);
    const waits = async (): Promise<boolean> => {
      const alarms = await Promise.all(nodes.map(async (host) => (await status(host)).alarms.join()));
      return alarms.every((text) => text.includes('cannot be written again: No network configuration'));
    };
    t.true(await until(waits, LIMIT_MS), 'nobody says that the configuration is missing');
    await putConfig(lab, JSON.stringify(defaultConfig()));
    for (const key of keys) t.true(await until(async () => (await stored(lab, key)) !== undefined, LIMIT_MS), key);
  });
  t.is(lost, 0);
  t.deepEqual(await Promise.all(nodes.map(keyOf)), keys);
});

test('of two nodes that want one subnet one has it, and the other moves with device, file and a word to the pods (L5)', async (t) => {
  const { lab, hosts } = await world();
  const [, h2, h3] = hosts;
  const key = await keyOf(h2);
  const subnet = await subnetOf(h2);
  const rival = `{"PublicIP":"${h3.underlayAddress}","PublicIPv6":null}`;
  // Host 2 is faster than whoever starts after the deletion: host 3 has it only if it is put there.
  await etcdctl(lab, ['put', '--', key, rival]);
  writeFileSync(h3.subnetFile, readFileSync(h2.subnetFile));
  await startDaemon(lab, h3);
  t.is(await subnetOf(h3), subnet);
  const moved = async (): Promise<boolean> => (await subnetOf(h2)) !== subnet && (await isReady(h2));
  t.true(await until(moved, 60_000), 'host 2 still believes that it has the subnet');
  const now = await subnetOf(h2);
  t.is((await stored(lab, await keyOf(h2)))?.value, `{"PublicIP":"${h2.underlayAddress}","PublicIPv6":null}`);
  t.true(readFileSync(h2.subnetFile, 'utf8').includes(`\nFLANNEL_SUBNET=${now.replace('.0/24', '.1/24')}\n`));
  const address = spawnInNetns(h2.netns, ['ip', '-br', 'addr', 'show', 'flannel0']);
  await address.exited;
  t.true(address.stdout().includes(`${now.replace('/24', '/32')}`), address.stdout());
  t.true(await until(() => isReady(h3), LIMIT_MS));
});
