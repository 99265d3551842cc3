import { setWireLike } from '../../lib/lab/nic-like.ts';
import { assertDecodes, captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { type ClusterOptions, withCluster } from './interop/cluster.ts';
import { directions, everyKind } from './interop/every-kind.ts';
import { assertPing, assertTcp, startServer } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// Weft's vxlan backend and the kernel's VXLAN, set up as flanneld does it, one on each host:
//
//   pod1 ── cni0 [ h1: weftd, TAP flannel.1 ] u0 ── bridge ── u0 [ h2: kernel flannel.1 ] cni0 ── pod2
const { id, test } = testInLabs('v');

const PORT = 4789;
const AS_VXLAN = udpPortAs(PORT, 'vxlan');
const BACKEND = { Type: 'vxlan', VNI: 1, Port: PORT };
const MIB = 1 << 20;
/** WEFT_TRANSFER_MIB=1024 sends a GiB each way. */
const TRANSFER_BYTES = Number(process.env.WEFT_TRANSFER_MIB ?? 32) * MIB;

const OFF = ['--offload=off'];
const CLUSTERS: readonly (readonly [name: string, options: Omit<ClusterOptions, 'id' | 'backend'>])[] = [
  ['kernel on both ends, the control', { ends: ['kernel', 'kernel'] }],
  ['offloads as the kernel has them', { ends: ['weft', 'kernel'] }],
  ['one packet per system call', { ends: ['weft', 'kernel'], daemonArgs: OFF }],
  ['jumbo frames', { ends: ['weft', 'kernel'], underlayMtu: 9000 }],
  ['jumbo frames, one packet per system call', { ends: ['weft', 'kernel'], underlayMtu: 9000, daemonArgs: OFF }],
];

for (const [name, options] of CLUSTERS) {
  test(`pods behind Weft and behind the kernel's VXLAN talk, both ways: ${name}`, async (t) => {
    await withCluster({ id, backend: BACKEND, ...options }, async (cluster) => {
      for (const { pod, host } of cluster.ends) {
        t.is(pod.mtu, cluster.lab.underlayMtu - 50);
        await startServer(host.podNetns);
      }
      const restore = await setWireLike(cluster.lab);
      const capture = { netns: cluster.ends[0]!.host.netns, device: 'u0', filter: `udp port ${PORT}` };
      const file = await captureWhile(cluster.lab, capture, () => everyKind(t, cluster));
      const { frames } = await assertDecodes(t, file, AS_VXLAN, [
        'eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:icmp:data',
        'eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp:echo',
        'eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:udp:echo',
      ]);
      t.log(`tshark decodes ${frames} frames of the underlay`);
      await restore();
      for (const [from, to] of directions(cluster)) {
        const speed = await assertTcp(t, from.host.podNetns, to.pod.address, TRANSFER_BYTES);
        t.log(`${TRANSFER_BYTES / MIB} MiB from h${from.host.number} to h${to.host.number}: ${speed.toFixed(2)} Gb/s`);
      }
    });
  });
}

test('the largest VNI, and the port that flannel takes without one', async (t) => {
  const backend = { Type: 'vxlan', VNI: 0xff_ffff };
  await withCluster({ id, ends: ['weft', 'kernel'], backend }, async (cluster) => {
    const capture = { netns: cluster.ends[0]!.host.netns, device: 'u0', filter: 'udp port 8472' };
    const file = await captureWhile(cluster.lab, capture, async () => {
      for (const [from, to] of directions(cluster)) await assertPing(t, from.host.podNetns, to.pod.address);
    });
    const rows = await readFields(file, udpPortAs(8472, 'vxlan'), ['vxlan.vni', 'vxlan.flags', 'udp.dstport']);
    t.deepEqual([...new Set(rows.map((row) => row.join(' ')))], ['16777215 0x0800 8472']);
  });
});
