import { setWireLike } from '../../lib/lab/nic-like.ts';
import { assertDecodes, captureWhile, decode, udpPortAs } from './interop/capture.ts';
import { withCluster } from './interop/cluster.ts';
import { everyKind } from './interop/every-kind.ts';
import { startServer } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// What two weftd exchange without VXLAN, as tshark sees it. With the kernel at one end: interop-vxlan.test.ts.
const { id, test } = testInLabs('r');

test('faults are found: flanneld was captured where outer UDP checksums are left to the NIC', async (t) => {
  const { frames, problems } = await decode('test/vectors/flanneld-vxlan/h1-underlay.pcap', udpPortAs(4789, 'vxlan'));
  t.is(frames, 179);
  t.is(problems.length, 179);
  t.regex(problems[0] ?? '', /: an error of an expert, udp checksum bad$/);
});

const BACKENDS = {
  udp: { overhead: 20 + 8, filter: 'udp port 8285', decodeAs: udpPortAs(8285, 'ip'), outer: 'eth:ethertype:ip:udp' },
  ipip: { overhead: 20, filter: 'proto 4', decodeAs: undefined, outer: 'eth:ethertype:ip' },
} as const;

for (const [type, { overhead, filter, decodeAs, outer }] of Object.entries(BACKENDS))
  for (const daemonArgs of [[], ['--offload=off']]) {
    test(`tshark finds no fault with any frame: ${[type, ...daemonArgs].join(', ')}`, async (t) => {
      await withCluster({ id, ends: ['weft', 'weft'], backend: { Type: type }, daemonArgs }, async (cluster) => {
        for (const { host, pod } of cluster.ends) {
          t.is(pod.mtu, 1500 - overhead);
          await startServer(host.podNetns);
        }
        await setWireLike(cluster.lab);
        const capture = { netns: cluster.ends[0]!.host.netns, device: 'u0', filter };
        const file = await captureWhile(cluster.lab, capture, () => everyKind(t, cluster));
        const kinds = ['ip:icmp:data', 'ip:tcp:echo', 'ip:udp:echo'].map((kind) => `${outer}:${kind}`);
        const { frames } = await assertDecodes(t, file, decodeAs, kinds);
        t.log(`tshark decodes ${frames} frames of the underlay`);
      });
    });
  }
