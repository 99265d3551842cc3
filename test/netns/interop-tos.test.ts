import type { ExecutionContext } from 'ava';
import { run } from '../../lib/lab/command.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { type Cluster, type ClusterOptions, withCluster } from './interop/cluster.ts';
import { addressOf } from './interop/every-kind.ts';
import { assertPing, ping } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// DSCP and ECN of outer and inner headers, seen on the underlay and in the receiving pod. RFC 2474, RFC 6040 §4.
const { id, test } = testInLabs('q');

const PORT = 4789;
type Type = 'udp' | 'vxlan' | 'ipip';

const BACKENDS = {
  udp: { Type: 'udp', Port: PORT },
  vxlan: { Type: 'vxlan', Port: PORT },
  ipip: { Type: 'ipip' },
} as const;
/** What goes over the underlay: for libpcap, for nftables and for tshark. */
const FILTERS = { udp: `udp port ${PORT}`, vxlan: `udp port ${PORT}`, ipip: 'proto 4' } as const;
const NFT_MATCHES = { udp: `udp dport ${PORT}`, vxlan: `udp dport ${PORT}`, ipip: 'ip protocol 4' } as const;
const DECODE_AS = { udp: udpPortAs(PORT, 'ip'), vxlan: udpPortAs(PORT, 'vxlan'), ipip: undefined } as const;

const [NOT_ECT, ECT_1, ECT_0, CE] = [0, 1, 2, 3] as const;
const ALL_ECN = [NOT_ECT, ECT_0, ECT_1, CE] as const;
const EF = 46;

/** "46/2": DSCP and ECN. */
function formatTos(value: number): string {
  return `${value >> 2}/${value & 3}`;
}

/**
 * Pings from one end to another with each TOS byte, and returns what was seen on the underlay, once each: "46/2 in 0/2", inner and
 * outer. How many frames that are says nothing: what a busy machine lets wait leaves as a train, one frame of the capture.
 */
async function seenOutside(
  t: ExecutionContext,
  { lab, ends }: Cluster,
  [fromIndex, toIndex]: readonly [number, number],
  type: Type,
  values: readonly number[],
  family: 4 | 6 = 4,
): Promise<string[]> {
  const [from, to] = [ends[fromIndex]!, ends[toIndex]!];
  const { netns, underlayAddress, underlayAddress6, podNetns } = from.host;
  const source = family === 4 ? underlayAddress : underlayAddress6;
  const capture = { netns, device: 'u0', filter: `src host ${source} and ${FILTERS[type]}` };
  const file = await captureWhile(lab, capture, async () => {
    for (const value of values)
      await assertPing(t, podNetns, addressOf(to.pod, family), { count: 2, extra: ['-Q', String(value)] });
  });
  const isPing = family === 4 ? 'icmp.type == 8' : 'icmpv6.type == 128';
  const rows = await readFields(file, DECODE_AS[type], [family === 4 ? 'ip.dsfield' : 'ipv6.tclass'], isPing);
  const pairs = rows.map(([value = '']) => {
    const [outer, inner] = value.split(',');
    return `${formatTos(Number(inner))} in ${formatTos(Number(outer))}`;
  });
  return [...new Set(pairs)];
}

/** What each host has, and the outer DSCP that follows for inner DSCP 0 and EF. */
const POLICIES: readonly (readonly [args: readonly string[], outer: readonly [number, number]])[] = [
  [[], [0, 0]],
  [['--dscp=10'], [10, 10]],
  [['--tos=inherit'], [0, EF]],
];

for (const type of ['vxlan', 'udp', 'ipip'] as const) {
  test(`${type}: the outer DSCP is 0 as with flannel, another fixed one or the inner one's; the ECN bits are copied`, async (t) => {
    const hostArgs = POLICIES.map(([args]) => args);
    await withCluster({ id, ends: ['weft', 'weft', 'weft'], backend: BACKENDS[type], hostArgs }, async (cluster) => {
      const values = [0, EF].flatMap((dscp) => ALL_ECN.map((ecn) => (dscp << 2) | ecn));
      for (const [index, [args, outer]] of POLICIES.entries()) {
        const expected = [0, EF].flatMap((dscp, which) =>
          ALL_ECN.map((ecn) => `${dscp}/${ecn} in ${outer[which]}/${ecn}`),
        );
        const seen = await seenOutside(t, cluster, [index, (index + 1) % 3], type, values);
        t.deepEqual(seen, expected, args.join(' '));
      }
    });
  });
}

test('the kernel sets the outer DSCP and ECN of what is not congested as Weft does by default', async (t) => {
  await withCluster({ id, ends: ['kernel', 'kernel'], backend: BACKENDS.vxlan, dualStack: true }, async (cluster) => {
    for (const family of [4, 6] as const) {
      const values = [NOT_ECT, ECT_0, ECT_1].map((ecn) => (EF << 2) | ecn);
      t.deepEqual(await seenOutside(t, cluster, [0, 1], 'vxlan', values, family), [
        '46/0 in 0/0',
        '46/2 in 0/2',
        '46/1 in 0/1',
      ]);
    }
  });
});

test('vxlan over IPv6: the traffic class follows the same rules', async (t) => {
  const options: ClusterOptions = { id, ends: ['weft', 'weft'], backend: BACKENDS.vxlan, dualStack: true };
  await withCluster({ ...options, daemonArgs: ['--tos=inherit'] }, async (cluster) => {
    const values = ALL_ECN.map((ecn) => (EF << 2) | ecn);
    const expected = ALL_ECN.map((ecn) => `46/${ecn} in 46/${ecn}`);
    t.deepEqual(await seenOutside(t, cluster, [0, 1], 'vxlan', values, 6), expected);
  });
});

/** A congested router on the way: all that arrives on the host's underlay is marked CE. */
async function markAllCongested({ netns }: LabHost, filter: string): Promise<void> {
  const rules = `table ip congestion { chain everything { type filter hook prerouting priority -300; ${filter} ip ecn set ce; }; }`;
  // By its path: npm puts a program of the same name, of a package that AVA needs, in front.
  await run('ip', ['netns', 'exec', netns, '/usr/sbin/nft', '-f', '-'], { input: rules });
}

/** TOS bytes of echo requests that arrive in the pod. */
async function innerTos(lab: Lab, host: LabHost, body: () => Promise<void>): Promise<string[]> {
  const capture = { netns: host.podNetns, device: 'eth0', filter: 'icmp[icmptype] = icmp-echo' };
  const rows = await readFields(await captureWhile(lab, capture, body), undefined, ['ip.dsfield']);
  return [...new Set(rows.map(([value]) => formatTos(Number(value))))];
}

for (const [type, ends] of [
  ['vxlan', ['kernel', 'kernel']],
  ['vxlan', ['kernel', 'weft']],
  ['vxlan', ['weft', 'weft']],
  ['udp', ['weft', 'weft']],
  ['ipip', ['weft', 'weft']],
] as const) {
  test(`congestion on the underlay reaches the pod, or drops what cannot carry it: ${type} from ${ends[0]} to ${ends[1]}`, async (t) => {
    await withCluster({ id, ends, backend: BACKENDS[type] }, async ({ lab, ends: [from, to] }) => {
      await markAllCongested(to!.host, NFT_MATCHES[type]);
      const { podNetns } = from!.host;
      const { address } = to!.pod;
      const seen = await innerTos(lab, to!.host, async () => {
        await ping(podNetns, address, { count: 3, extra: ['-Q', String((EF << 2) | ECT_0)] });
      });
      t.deepEqual(seen, [`${EF}/${CE}`]);
      const unmarked = await innerTos(lab, to!.host, async () => {
        const output = await ping(podNetns, address, { count: 3, extra: ['-W', '0.5', '-Q', String(EF << 2)] });
        t.regex(output, / 0 received/);
      });
      t.deepEqual(unmarked, []);
    });
  });
}
