import { ipBatch } from '../../lib/lab/command.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl } from '../../lib/lab/etcd.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { knowsPeers, withCluster } from './interop/cluster.ts';
import { assertPing, ping } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// One end changes while the other runs, and the kernel's end does not learn of it.
const { id, test } = testInLabs('g');

const BACKEND = { Type: 'vxlan', VNI: 1, Port: 4789 };
const CLUSTER = { id, ends: ['weft', 'kernel'], backend: BACKEND, dualStack: true } as const;

async function macsOf({ netns }: LabHost): Promise<string[]> {
  const files = ['flannel.1', 'flannel-v6.1'].map((device) => `/sys/class/net/${device}/address`);
  return (await execInNetns(netns, ['cat', ...files])).stdout.trim().split('\n');
}

async function leaseOf(lab: Parameters<typeof etcdctl>[0], host: LabHost): Promise<[key: string, value: string]> {
  const { stdout } = await etcdctl(lab, ['get', '--prefix', '--', '/coreos.com/network/subnets/']);
  const lines = stdout.split('\n');
  const index = lines.findIndex((line) => line.includes(`"PublicIP":"${host.underlayAddress}"`));
  return [lines[index - 1]!, lines[index]!];
}

test('a weftd started again has the MAC addresses it had: kernel peers notice nothing', async (t) => {
  await withCluster(CLUSTER, async ({ lab, ends: [weft, kernel] }) => {
    const { host, pod } = weft!;
    const before = { macs: await macsOf(host), lease: await leaseOf(lab, host) };
    // Not even the device is there any more when a machine has been started again.
    t.like(await weft!.daemon!.stop(), { code: 0 });
    t.is((await execInNetns(host.netns, ['ip', 'link', 'show', 'flannel.1'], { allowFailure: true })).code, 1);
    await startDaemon(lab, host);
    await knowsPeers(host, 1);
    t.deepEqual(await macsOf(host), before.macs);
    t.deepEqual(await leaseOf(lab, host), before.lease);
    for (const address of [pod.address, pod.address6!]) await assertPing(t, kernel!.host.podNetns, address);
  });
});

test('a kernel peer whose device got another MAC address is reached as soon as its lease says so', async (t) => {
  await withCluster(CLUSTER, async ({ lab, ends: [weft, kernel] }) => {
    const { podNetns, netns } = weft!.host;
    const { pod, host } = kernel!;
    await assertPing(t, podNetns, pod.address);
    const [old] = await macsOf(host);
    const changed = '02:6b:00:00:99:99';
    await ipBatch(host.netns, [`link set flannel.1 address ${changed}`]);
    // The kernel has dropped the device's neighbours with its address.
    await kernel!.kernel!.update();
    t.regex(await ping(podNetns, pod.address, { count: 2, extra: ['-W', '0.3'] }), / 0 received/);
    const [key, value] = await leaseOf(lab, host);
    t.true(value.includes(old!));
    await etcdctl(lab, ['put', '--', key, value.replace(old!, changed)]);
    const reached = async () => / 1 received/.test(await ping(podNetns, pod.address, { count: 1 }));
    t.true(await until(reached, PATIENCE_MS));
    const { stdout } = await execInNetns(netns, ['ip', 'neigh', 'show', 'dev', 'flannel.1']);
    t.true(stdout.includes(`lladdr ${changed} PERMANENT`), stdout);
    t.false(stdout.includes(old!), stdout);
    // The other family was not touched.
    await assertPing(t, podNetns, pod.address6!);
  });
});

test('a kernel peer that leaves takes routes and neighbours with it, and is back when its lease is', async (t) => {
  await withCluster(CLUSTER, async ({ lab, ends: [weft, kernel] }) => {
    const { podNetns, netns } = weft!.host;
    const { pod, host } = kernel!;
    const [key, value] = await leaseOf(lab, host);
    const traces = async (): Promise<string> => {
      const commands = ['ip route', 'ip -6 route', 'ip neigh show dev flannel.1', 'ip neigh show dev flannel-v6.1'];
      const outputs = await Promise.all(commands.map((command) => execInNetns(netns, command.split(' '))));
      return outputs
        .flatMap(({ stdout }) => stdout.match(/^.*(?:10\.244\.242\.|fd00:244:0:242:).*$/gm) ?? [])
        .join('\n');
    };
    t.is((await traces()).split('\n').length, 4);
    await etcdctl(lab, ['del', '--', key]);
    t.true(await until(async () => (await traces()) === '', PATIENCE_MS), await traces());
    await etcdctl(lab, ['put', '--', key, value]);
    t.true(await until(async () => (await traces()).split('\n').length === 4, PATIENCE_MS), await traces());
    for (const address of [pod.address, pod.address6!]) await assertPing(t, podNetns, address);
  });
});
