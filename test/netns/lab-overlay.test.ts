import { existsSync, readFileSync } from 'node:fs';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl } from '../../lib/lab/etcd.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, startOverlay } from '../../lib/lab/overlay.ts';
import { connectPod } from '../../lib/lab/pod.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { testInLabs } from './labs.ts';

// Labs with etcd and a weftd on each host: the topology is drawn in lib/lab/lab.ts.
const { id, test } = testInLabs('o');

async function ping(netns: string, address: string): Promise<string> {
  return (await execInNetns(netns, ['ping', '-n', '-c', '2', '-i', '0.05', '-W', '2', address])).stdout;
}

test('pods of three hosts reach one another through the overlay', async (t) => {
  await withLab({ id, hosts: 3 }, async (lab) => {
    const { daemons, pods } = await startOverlay(lab);
    t.is(new Set(pods.map((pod) => pod.address)).size, 3);
    for (const host of lab.hosts)
      for (const [index, pod] of pods.entries()) {
        const answer = await ping(host.podNetns, pod.address);
        // Both hosts and both daemons take one off the TTL, as with flannel.
        if (index !== host.number - 1) t.regex(answer, /ttl=60/);
      }
    const keys = await etcdctl(lab, ['get', '--prefix', '--keys-only', '/coreos.com/network/subnets/']);
    t.is(keys.stdout.match(/\/subnets\//g)?.length, 3);
    t.true(daemons.every((daemon) => daemon.running()));
  });
});

test('a daemon started again is waited for again, and keeps its subnet', async (t) => {
  await withLab({ id, hosts: 2, direct: true }, async (lab) => {
    const [host] = lab.hosts;
    const { daemons, pods } = await startOverlay(lab, { config: defaultConfig({ Type: 'udp', Port: 9999 }) });
    const before = readFileSync(host!.subnetFile, 'utf8');
    t.like(await daemons[0]!.stop(), { code: 0 });
    t.true(existsSync(host!.subnetFile));
    const again = await startDaemon(lab, host!, ['--offload=off'], { wrapper: ['env', 'WEFT_TEST=1'] });
    t.is(readFileSync(host!.subnetFile, 'utf8'), before);
    t.true(existsSync(host!.controlSocket));
    t.deepEqual(await connectPod(host!), pods[0]);
    await ping(host!.podNetns, pods[1]!.address);
    const sockets = await execInNetns(host!.netns, ['ss', '-Hlun', 'sport = :9999']);
    t.regex(sockets.stdout, /:9999 /);
    t.like(await again.stop(), { code: 0 });
  });
});
