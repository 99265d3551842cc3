import { readFileSync } from 'node:fs';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import { type KernelPeer, startKernelPeer } from '../../lib/lab/kernel-peer.ts';
import { connectL2Pod } from '../../lib/lab/l2-pod.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig } from '../../lib/lab/overlay.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { assertPing } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// The kernel's VXLAN on every host, as the interoperation tests have it at one end.
const { id, test } = testInLabs('b');

async function startPeers(lab: Lab, config: object, dualStack = false): Promise<KernelPeer[]> {
  await startEtcd(lab);
  await putConfig(lab, JSON.stringify(config));
  const peers: KernelPeer[] = [];
  for (const host of lab.hosts) {
    const ipv6 = dualStack ? { subnet6: `fd00:244:0:${host.number}::/64` } : {};
    peers.push(await startKernelPeer(lab, host, { subnet: `10.244.${host.number}.0/24`, ...ipv6 }));
  }
  for (const peer of peers) await peer.update();
  return peers;
}

async function bridgeFdb(netns: string, device: string): Promise<string> {
  return (await execInNetns(netns, ['bridge', 'fdb', 'show', 'dev', device])).stdout;
}

test('pods behind kernel VXLAN devices reach one another over IPv4 and over IPv6', async (t) => {
  await withLab({ id, hosts: 3 }, async (lab) => {
    const backend = { Type: 'vxlan', VNI: 7, Port: 4789 };
    const peers = await startPeers(lab, defaultConfig(backend, true), true);
    t.like(peers[0], { device: 'flannel.7', device6: 'flannel-v6.7' });
    for (const from of lab.hosts)
      for (const { pod } of peers) {
        t.is(pod.mtu, 1430);
        await assertPing(t, from.podNetns, pod.address, { count: 1 });
        await assertPing(t, from.podNetns, pod.address6!, { count: 1 });
      }
    const key = '/coreos.com/network/subnets/10.244.2.0-24&fd00:244:0:2::-64';
    const { stdout } = await etcdctl(lab, ['get', '--print-value-only', '--', key]);
    t.is(
      stdout,
      '{"PublicIP":"192.0.2.2","PublicIPv6":"2001:db8::2","BackendType":"vxlan","BackendData":{"VNI":7,"VtepMAC":"02:6b:00:00:04:02"},"BackendV6Data":{"VNI":7,"VtepMAC":"02:6b:00:00:06:02"}}\n',
    );
    t.regex(readFileSync(lab.hosts[1]!.subnetFile, 'utf8'), /^FLANNEL_IPV6_SUBNET=fd00:244:0:2::1\/64$/m);

    // A peer that left is forgotten.
    const { netns } = lab.hosts[0]!;
    t.regex(await bridgeFdb(netns, 'flannel.7'), /02:6b:00:00:04:02 dst 192\.0\.2\.2/);
    await etcdctl(lab, ['del', '--', key]);
    await peers[0]!.update();
    t.notRegex(await bridgeFdb(netns, 'flannel.7'), /02:6b:00:00:04:02/);
    t.notRegex((await execInNetns(netns, ['ip', 'route'])).stdout, /10\.244\.2\.0/);
  });
});

test('jumbo frames go all the way', async (t) => {
  await withLab({ id, hosts: 2, underlayMtu: 9000 }, async (lab) => {
    const [, peer] = await startPeers(lab, defaultConfig({ Type: 'vxlan' }));
    t.is(peer!.pod.mtu, 8950);
    const options = { size: 8950 - 28, df: true };
    await assertPing(t, lab.hosts[0]!.podNetns, peer!.pod.address, options);
    const sockets = await execInNetns(lab.hosts[0]!.netns, ['ss', '-Hlun']);
    t.regex(sockets.stdout, /:8472 /);
  });
});

test('pods of two hosts share one subnet through kernel VXLAN devices that learn', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await startPeers(lab, defaultConfig({ Type: 'vxlan', Learning: true }));
    const pods = [];
    for (const host of lab.hosts) {
      const { number } = host;
      pods.push(await connectL2Pod(host, { address: `10.99.0.${number}/24`, address6: `fd00:99::${number}/64` }));
    }
    t.is(pods[0]!.mtu, 1450);
    const pod = lab.hosts[0]!.podNetns;
    await assertPing(t, pod, '10.99.0.2', { count: 2 });
    await assertPing(t, pod, 'fd00:99::2', { count: 2 });
    await assertPing(t, pod, '10.99.0.255', { count: 2, extra: ['-b'] });
    t.true((await bridgeFdb(lab.hosts[0]!.netns, 'flannel.1')).includes(`${pods[1]!.mac} dst 192.0.2.2 self`));
  });
});

test('tenants have routers of their own, that forward and hold nothing yet', async (t) => {
  await withLab({ id, hosts: 2, tenants: 2 }, async (lab) => {
    for (const { sites } of lab.tenants)
      for (const { netns } of sites) {
        const links = await execInNetns(netns, ['ip', '-o', 'link', 'show']);
        t.regex(links.stdout, /^1: lo: .*UP.*\n$/);
        t.is((await execInNetns(netns, ['cat', '/proc/sys/net/ipv4/ip_forward'])).stdout, '1\n');
      }
  });
});

test('a configuration of another backend is refused', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    await startEtcd(lab);
    const start = () => startKernelPeer(lab, lab.hosts[0]!, { subnet: '10.244.1.0/24' });
    await t.throwsAsync(start(), { code: 'LAB_CONFIG_UNUSABLE' });
    await putConfig(lab, JSON.stringify(defaultConfig({ Type: 'udp' })));
    await t.throwsAsync(start(), { code: 'LAB_CONFIG_UNUSABLE' });
  });
});
