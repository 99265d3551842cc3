import { etcdctl } from '../../lib/lab/etcd.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { setWireLike } from '../../lib/lab/nic-like.ts';
import { assertDecodes, captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { type ClusterOptions, withCluster } from './interop/cluster.ts';
import { everyKind } from './interop/every-kind.ts';
import { startServer } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// Dual stack as flannel does it: IPv4 by flannel.1 over IPv4, IPv6 by flannel-v6.1 over IPv6, same VNI, same port.
const { id, test } = testInLabs('d');

const PORT = 4789;
const AS_VXLAN = udpPortAs(PORT, 'vxlan');
const VXLAN = { Type: 'vxlan', VNI: 1, Port: PORT };

const CLUSTERS: readonly (readonly [name: string, options: Omit<ClusterOptions, 'id' | 'backend'>])[] = [
  ['kernel on both ends, the control', { ends: ['kernel', 'kernel'] }],
  ['Weft and the kernel', { ends: ['weft', 'kernel'] }],
  ['Weft, one packet per system call, and the kernel', { ends: ['weft', 'kernel'], daemonArgs: ['--offload=off'] }],
  ['Weft and Weft, jumbo frames', { ends: ['weft', 'weft'], underlayMtu: 9000 }],
];

for (const [name, options] of CLUSTERS) {
  test(`vxlan carries IPv6 over IPv6 beside IPv4 over IPv4: ${name}`, async (t) => {
    await withCluster({ id, backend: VXLAN, dualStack: true, ...options }, async (cluster) => {
      for (const { pod, host } of cluster.ends) {
        t.is(pod.mtu, cluster.lab.underlayMtu - 70);
        await startServer(host.podNetns);
        const links = await execInNetns(host.netns, ['ip', '-br', 'addr']);
        t.regex(links.stdout, /^flannel\.1 .* 10\.244\.\d+\.0\/32/m);
        t.regex(links.stdout, /^flannel-v6\.1 .* fd00:244:[\da-f:]+\/128/m);
      }
      await setWireLike(cluster.lab);
      const capture = { netns: cluster.ends[0]!.host.netns, device: 'u0', filter: `udp port ${PORT}` };
      const file = await captureWhile(cluster.lab, capture, async () => {
        await everyKind(t, cluster, 4);
        await everyKind(t, cluster, 6);
      });
      const { frames } = await assertDecodes(t, file, AS_VXLAN, [
        'eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp:echo',
        'eth:ethertype:ipv6:udp:vxlan:eth:ethertype:ipv6:icmpv6:data',
        'eth:ethertype:ipv6:udp:vxlan:eth:ethertype:ipv6:tcp:echo',
        'eth:ethertype:ipv6:udp:vxlan:eth:ethertype:ipv6:udp:echo',
      ]);
      t.log(`tshark decodes ${frames} frames of the underlay`);
      // Never IPv6 over IPv4 or the other way round.
      t.deepEqual(await readFields(file, AS_VXLAN, ['frame.number'], 'ip and ipv6'), []);
    });
  });
}

test('a dual-stack lease is written as flanneld writes it', async (t) => {
  await withCluster({ id, ends: ['weft'], backend: VXLAN, dualStack: true }, async ({ lab, ends: [end] }) => {
    const { stdout } = await etcdctl(lab, ['get', '--prefix', '--', '/coreos.com/network/subnets/']);
    const [key = '', value = ''] = stdout.split('\n');
    t.regex(key, /\/subnets\/10\.244\.\d+\.0-24&fd00:244:[\da-f:]+::-64$/);
    const mac = async (device: string): Promise<string> =>
      (await execInNetns(end!.host.netns, ['cat', `/sys/class/net/${device}/address`])).stdout.trim();
    const [first, second] = [await mac('flannel.1'), await mac('flannel-v6.1')];
    t.is(
      value,
      `{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${first}"},"BackendV6Data":{"VNI":1,"VtepMAC":"${second}"}}`,
    );
  });
});

for (const type of ['udp', 'host-gw']) {
  test(`${type} carries IPv4 and IPv6 side by side`, async (t) => {
    await withCluster({ id, ends: ['weft', 'weft'], backend: { Type: type }, dualStack: true }, async (cluster) => {
      for (const { host } of cluster.ends) await startServer(host.podNetns);
      await everyKind(t, cluster, 4);
      await everyKind(t, cluster, 6);
    });
  });
}
