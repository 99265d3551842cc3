import { readFileSync } from 'node:fs';
import anyTest from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { daemonLogFile, startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, startOverlay } from '../../lib/lab/overlay.ts';
import { type ConnectedPod, connectPod } from '../../lib/lab/pod.ts';
import { destroyLab } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { PATIENTLY, pingsOf } from './pings.ts';

//   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2      weftd with host-gw on each: routes, no device
//                                  [ net ] etcd
const skipped = whySkipped();
if (skipped !== undefined) process.stderr.write(`Skipping tests of host-gw between hosts: ${skipped}\n`);
const test = skipped === undefined ? anyTest.serial : anyTest.skip;
const id = `g${process.pid}`;
if (skipped === undefined) anyTest.after.always('nothing of the lab is left', () => destroyLab(id));

const SUBNETS = '/coreos.com/network/subnets/';

interface GoldenEtcd {
  readonly kvs: readonly { readonly key: string; readonly value: string }[];
}

/** Keys and values as two flannelds with host-gw left them. */
function goldenEtcd(): [key: string, value: string][] {
  const { kvs } = JSON.parse(readFileSync('test/vectors/etcd/flanneld-host-gw.json', 'utf8')) as GoldenEtcd;
  const decode = (text: string): string => Buffer.from(text, 'base64').toString();
  return kvs.map(({ key, value }) => [decode(key), decode(value)]);
}

async function routes(host: LabHost, family = '-4'): Promise<string[]> {
  const { stdout } = await execInNetns(host.netns, ['ip', family, 'route']);
  return stdout.split('\n').filter((line) => line !== '');
}

async function hasRoute(host: LabHost, line: string): Promise<boolean> {
  return (await routes(host)).some((route) => route.startsWith(line));
}

interface World {
  readonly lab: Lab;
  readonly h1: LabHost;
  readonly h2: LabHost;
  readonly pods: readonly ConnectedPod[];
  readonly daemons: LabProcess[];
}

/** Two hosts with the subnets of the golden run, ready and known to each other. */
async function withHosts(body: (world: World) => Promise<void>): Promise<void> {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const [h1, h2] = lab.hosts as [LabHost, LabHost];
    await startEtcd(lab);
    await putConfig(lab, goldenEtcd().find(([key]) => key.endsWith('/config'))![1]);
    // A key without an end is kept for the node that its PublicIP names.
    await etcdctl(lab, ['put', '--', `${SUBNETS}10.244.76.0-24`, '{"PublicIP":"192.0.2.1"}']);
    await etcdctl(lab, ['put', '--', `${SUBNETS}10.244.71.0-24`, '{"PublicIP":"192.0.2.2"}']);
    const daemons = [await startDaemon(lab, h1), await startDaemon(lab, h2)];
    const pods = [await connectPod(h1), await connectPod(h2)];
    const known = async (): Promise<boolean> =>
      (await hasRoute(h1, '10.244.71.0/24')) && (await hasRoute(h2, '10.244.76.0/24'));
    if (!(await until(known, PATIENCE_MS))) throw new Error('the hosts do not know each other');
    await body({ lab, h1, h2, pods, daemons });
  });
}

function ping(host: LabHost, ...args: string[]): LabProcess {
  return spawnInNetns(host.podNetns, ['ping', '-n', ...PATIENTLY, ...args]);
}

test('two hosts leave in etcd and in the kernel what two flannelds leave, and their pods reach each other at full size', async (t) => {
  await withHosts(async ({ lab, h1, h2, pods }) => {
    const golden = goldenEtcd();
    t.is(golden.length, 3);
    for (const [key, value] of golden)
      t.is((await etcdctl(lab, ['get', '--print-value-only', '--', key])).stdout, `${value}\n`, key);

    const flanneld = readFileSync('test/vectors/flanneld-host-gw/h1-routes.txt', 'utf8').trim().split('\n');
    const mine = (await routes(h1)).map((line) => line.replace(' proto 137 ', ' ').trim());
    t.deepEqual(
      mine.toSorted(),
      flanneld.map((line) => line.replaceAll('h1e', h1.underlayInterface).trim()).toSorted(),
    );

    const env = readFileSync(h1.subnetFile, 'utf8');
    t.true(env.includes('FLANNEL_SUBNET=10.244.76.1/24\nFLANNEL_MTU=1500\n'), env);
    for (const [host, pod] of [
      [h1, pods[1]],
      [h2, pods[0]],
    ] as const) {
      const program = ping(host, '-c', '5', '-i', '0.02', '-s', '1472', '-M', 'do', pod!.address);
      t.is((await pingsOf(program, 5)).answered, 5);
      t.regex(program.stdout(), /ttl=62/, 'only the two hosts are in between');
    }
    const status = await askDaemon(h1.controlSocket, '/v1/status');
    t.like(status.backend, { type: 'host-gw', device: 'u0', mtu: 1500 });
    t.is(status.peers, 1);
  });
});

test('a route that somebody deletes comes back, and it is said', async (t) => {
  await withHosts(async ({ h1, pods }) => {
    await execInNetns(h1.netns, ['ip', 'route', 'del', '10.244.71.0/24']);
    t.true(await until(() => hasRoute(h1, '10.244.71.0/24 via 192.0.2.2 dev u0 proto 137'), PATIENCE_MS));
    t.is((await pingsOf(ping(h1, '-c', '1', pods[1]!.address), 1)).answered, 1);
    t.regex(readFileSync(daemonLogFile(h1), 'utf8'), /Repaired what somebody changed/);
  });
});

test('no packet is lost while weftd is stopped, killed and started again; what went meanwhile is cleaned up', async (t) => {
  await withHosts(async ({ lab, h1, pods, daemons }) => {
    const program = ping(h1, '-c', '400', '-i', '0.01', pods[1]!.address);
    t.true(await until(() => program.stdout().includes('bytes from'), PATIENCE_MS));
    t.like(await daemons[0]!.stop('SIGTERM'), { code: 0 });
    const stale = ['via', '192.0.2.2', 'dev', 'u0', 'proto', '137'];
    await execInNetns(h1.netns, ['ip', 'route', 'add', '10.244.99.0/24', ...stale]);
    const again = await startDaemon(lab, h1);
    t.true(await until(async () => !(await hasRoute(h1, '10.244.99.0/24')), PATIENCE_MS), 'the stale route stays');
    await again.stop('SIGKILL');
    await startDaemon(lab, h1);
    t.is((await pingsOf(program, 400)).answered, 400);
  });
});

test('a peer that leaves takes its route along; a lease of another backend is none, and says why', async (t) => {
  await withHosts(async ({ lab, h1, daemons }) => {
    await etcdctl(lab, ['put', '--', `${SUBNETS}10.244.50.0-24`, '{"PublicIP":"192.0.2.50","BackendType":"vxlan"}']);
    const alarm = 'Lease 10.244.50.0/24 of 192.0.2.50 is not used: its backend type is vxlan, ours is host-gw';
    const shown = async (): Promise<boolean> =>
      (await askDaemon(h1.controlSocket, '/v1/status')).alarms.some((text) => text.includes(alarm));
    t.true(await until(shown, PATIENCE_MS));
    await daemons[1]!.stop();
    await etcdctl(lab, ['del', `${SUBNETS}10.244.71.0-24`]);
    // It is leaving for 15 s.
    t.true(await until(async () => !(await hasRoute(h1, '10.244.71.0/24')), PATIENCE_MS));
    t.is((await routes(h1)).filter((line) => line.includes('proto 137')).length, 0);
  });
});

test('a PublicIP that is not ours ends the daemon before it takes a lease', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig({ Type: 'host-gw' })));
    const error = await t.throwsAsync(startDaemon(lab, lab.hosts[0]!, ['--public-ip=203.0.113.9']));
    t.regex(error.message, /PublicIP 203\.0\.113\.9 is no address of u0/);
    t.regex(error.message, /needs all hosts on one link and cannot cross NAT/);
    t.is((await etcdctl(lab, ['get', '--prefix', SUBNETS])).stdout, '');
  });
});

test('dual stack: routes of both families, the PublicIPv6 in the lease, and pods reach each other over both', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const [h1, h2] = lab.hosts as [LabHost, LabHost];
    const { pods } = await startOverlay(lab, { config: defaultConfig({ Type: 'host-gw' }, true) });
    const lease = (await askDaemon(h2.controlSocket, '/v1/status')).lease!;
    t.true(await until(() => hasRoute(h1, `${lease.ipv4} via 192.0.2.2 dev u0 proto 137`), PATIENCE_MS));
    const wanted = `${lease.ipv6} via 2001:db8::2 dev u0 proto 137 metric 1024`;
    t.true(
      (await routes(h1, '-6')).some((line) => line.startsWith(wanted)),
      (await routes(h1, '-6')).join('\n'),
    );
    const key = `${SUBNETS}${lease.ipv4.replace('/', '-')}&${lease.ipv6?.replace('/', '-')}`;
    t.is(
      (await etcdctl(lab, ['get', '--print-value-only', '--', key])).stdout,
      '{"PublicIP":"192.0.2.2","PublicIPv6":"2001:db8::2","BackendType":"host-gw"}\n',
    );
    t.true(await until(() => hasRoute(h2, '10.244.'), PATIENCE_MS));
    for (const address of [pods[1]!.address, pods[1]!.address6!])
      t.is((await pingsOf(ping(h1, '-c', '5', '-i', '0.02', address), 5)).answered, 5, address);
  });
});

test('alloc: a lease as flanneld writes it, a subnet file with the full MTU, and nothing in the kernel', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const [host] = lab.hosts as [LabHost, LabHost];
    const before = (await execInNetns(host.netns, ['ip', '-br', 'link'])).stdout;
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig({ Type: 'alloc' })));
    const daemons = await Promise.all(lab.hosts.map((each) => startDaemon(lab, each)));
    const { lease, backend } = await askDaemon(host.controlSocket, '/v1/status');
    t.like(backend, { type: 'alloc', mtu: 1500 });
    const key = `${SUBNETS}${lease!.ipv4.replace('/', '-')}`;
    const value = (await etcdctl(lab, ['get', '--print-value-only', '--', key])).stdout;
    t.is(value, '{"PublicIP":"192.0.2.1","PublicIPv6":null}\n');
    t.true(readFileSync(host.subnetFile, 'utf8').includes('\nFLANNEL_MTU=1500\n'));
    const met = async (): Promise<boolean> => (await askDaemon(host.controlSocket, '/v1/status')).peers === 1;
    t.true(await until(met, PATIENCE_MS));
    t.deepEqual(await routes(host), ['192.0.2.0/24 dev u0 proto kernel scope link src 192.0.2.1 ']);
    t.is((await execInNetns(host.netns, ['ip', '-br', 'link'])).stdout, before);
    for (const daemon of daemons) t.like(await daemon.stop(), { code: 0 });
  });
});
