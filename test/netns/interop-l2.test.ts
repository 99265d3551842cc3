import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { connectL2Pod } from '../../lib/lab/l2-pod.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { until } from '../../lib/lab/until.ts';
import { violations } from '../control/schema.ts';
import { PATIENCE_MS } from '../patience.ts';
import { captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { type Cluster, type ClusterOptions, withCluster } from './interop/cluster.ts';
import { assertPing, assertTcp, assertUdp, ping, startServer } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// One subnet across three hosts, no routing: the VXLAN device is a port of the bridge that the pod is on.
//
//   pod1 10.99.0.1 ── br0 ── flannel.1 [ h1 ] ══ [ h2 ] flannel.1 ── br0 ── 10.99.0.2 pod2
//                                             ══ [ h3 ] flannel.1 ── br0 ── 10.99.0.3 pod3
const { id, test } = testInLabs('l');

const PORT = 4789;
const AS_VXLAN = udpPortAs(PORT, 'vxlan');
const BACKEND = { Type: 'vxlan', VNI: 1, Port: PORT, Learning: true };
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

interface Segment extends Cluster {
  /** MAC addresses of the pods, in the order of the hosts. */
  readonly macs: readonly string[];
}

interface SegmentOptions extends Omit<ClusterOptions, 'id' | 'backend'> {
  /** Default flannel.1. */
  readonly device?: string;
}

async function withSegment(
  { device = 'flannel.1', ...options }: SegmentOptions,
  body: (segment: Segment) => Promise<void>,
): Promise<void> {
  await withCluster({ id, backend: BACKEND, ...options }, async (cluster) => {
    const macs: string[] = [];
    for (const { host } of cluster.ends) {
      const { number } = host;
      const addresses = { address: `10.99.0.${number}/24`, address6: `fd00:99::${number}/64`, device };
      macs.push((await connectL2Pod(host, addresses)).mac);
      await startServer(host.podNetns);
    }
    await body({ ...cluster, macs });
  });
}

/** How many requests for addresses of the segment's pods crossed the underlay of a host while `body` ran. */
async function requestsOnUnderlay({ lab }: Cluster, host: LabHost, body: () => Promise<void>): Promise<number> {
  const file = await captureWhile(lab, { netns: host.netns, device: 'u0', filter: `udp port ${PORT}` }, body);
  const wanted = 'arp.opcode == 1 && arp.dst.proto_ipv4 == 10.99.0.0/24 && eth.dst == ff:ff:ff:ff:ff:ff';
  const solicited = 'icmpv6.type == 135 && icmpv6.nd.ns.target_address == fd00:99::/64 && ipv6.dst == ff02::/16';
  return (await readFields(file, AS_VXLAN, ['frame.number'], `(${wanted}) || (${solicited})`)).length;
}

async function macOf(host: LabHost, address: string): Promise<string> {
  const { stdout } = await execInNetns(host.podNetns, ['ip', 'neigh', 'show', address, 'dev', 'eth2']);
  return /lladdr (\S+)/.exec(stdout)?.[1] ?? stdout;
}

const CLUSTERS: readonly (readonly [name: string, options: SegmentOptions])[] = [
  ['kernel on all, the control', { ends: ['kernel', 'kernel', 'kernel'] }],
  ['two Weft, one kernel', { ends: ['weft', 'weft', 'kernel'] }],
  ['two Weft, one kernel, over IPv6', { ends: ['weft', 'weft', 'kernel'], dualStack: true, device: 'flannel-v6.1' }],
  [
    'two Weft, one packet per system call, one kernel',
    { ends: ['weft', 'weft', 'kernel'], daemonArgs: ['--offload=off'] },
  ],
];

for (const [name, options] of CLUSTERS) {
  test(`pods of three hosts share one subnet: ${name}`, async (t) => {
    await withSegment(options, async (segment) => {
      const { ends, macs } = segment;
      const hosts = ends.map(({ host }) => host);
      const asked = await requestsOnUnderlay(segment, hosts[0]!, () => everyPair(t, segment));
      t.true(asked > 0, 'somebody asked for an address');
      for (const from of hosts)
        for (const to of hosts.filter((host) => host !== from)) {
          t.is(await macOf(from, `10.99.0.${to.number}`), macs[to.number - 1]!);
          t.is(await macOf(from, `fd00:99::${to.number}`), macs[to.number - 1]!);
        }
      for (const from of hosts) await broadcastReachesAll(t, from, hosts);
      for (const to of hosts.slice(1)) {
        await assertUdp(t, hosts[0]!.podNetns, `10.99.0.${to.number}`, 1402);
        await assertTcp(t, hosts[0]!.podNetns, `10.99.0.${to.number}`, 16 << 20);
        await assertTcp(t, to.podNetns, 'fd00:99::1', 16 << 20);
      }
    });
  });
}

async function everyPair(t: ExecutionContext, { ends }: Segment): Promise<void> {
  for (const from of ends)
    for (const to of ends.filter((end) => end !== from))
      for (const address of [`10.99.0.${to.host.number}`, `fd00:99::${to.host.number}`]) {
        const output = await assertPing(t, from.host.podNetns, address, { count: 3 });
        // A frame comes once: what came from one VTEP is not sent on to another.
        t.notRegex(output, /DUP!/, address);
        t.regex(output, /ttl=64/, 'no router between');
      }
}

/** Each of the others answers each ping once, and so does the sender itself. */
async function broadcastReachesAll(t: ExecutionContext, from: LabHost, hosts: readonly LabHost[]): Promise<void> {
  const count = 3;
  // The last pings are not waited for once somebody has answered them.
  const output = await ping(from.podNetns, '10.99.0.255', { count: count + 10, extra: ['-b'] });
  for (const { number } of hosts.filter((host) => host !== from))
    for (let sequence = 1; sequence <= count; sequence++) {
      const answers = output.match(new RegExp(`from 10\\.99\\.0\\.${number}: icmp_seq=${sequence} ttl=`, 'g'));
      t.is(answers?.length, 1, `answers of pod ${number} to ping ${sequence} of pod ${from.number}:\n${output}`);
    }
}

test('what Weft has learned from ARP and neighbour discovery it answers itself', async (t) => {
  await withSegment({ ends: ['weft', 'weft', 'kernel'] }, async (segment) => {
    const [first] = segment.ends;
    const { podNetns } = first!.host;
    const addresses = [2, 3].flatMap((number) => [`10.99.0.${number}`, `fd00:99::${number}`]);
    const pingAll = async (): Promise<void> => {
      for (const address of addresses) await assertPing(t, podNetns, address, { count: 2 });
    };
    t.true((await requestsOnUnderlay(segment, first!.host, pingAll)) >= addresses.length, 'all are asked for at first');
    // What another asks at this moment teaches it anew.
    const forgets = async (): Promise<boolean> => {
      for (const family of ['-4', '-6']) await execInNetns(podNetns, ['ip', family, 'neigh', 'flush', 'dev', 'eth2']);
      const known = await Promise.all(addresses.map((address) => macOf(first!.host, address)));
      return known.every((mac, index) => mac !== segment.macs[1 + Math.floor(index / 2)]);
    };
    t.true(await until(forgets, PATIENCE_MS), 'the pod forgets');
    t.is(await requestsOnUnderlay(segment, first!.host, pingAll), 0);
    t.is(await macOf(first!.host, '10.99.0.3'), segment.macs[2]!);
  });
});

test('a pod that comes back with its address and another MAC address is reached as soon as it has asked for anything', async (t) => {
  await withSegment({ ends: ['weft', 'weft'] }, async (segment) => {
    const [one, two] = segment.ends.map(({ host }) => host);
    for (const address of ['10.99.0.2', 'fd00:99::2']) await assertPing(t, one!.podNetns, address);
    const mac = '02:00:00:00:99:02';
    await execInNetns(two!.podNetns, ['ip', 'link', 'set', 'eth2', 'address', mac]);
    for (const address of ['10.99.0.1', 'fd00:99::1']) {
      await execInNetns(two!.podNetns, ['ip', 'neigh', 'flush', 'dev', 'eth2']);
      await assertPing(t, two!.podNetns, address);
    }
    for (const address of ['10.99.0.2', 'fd00:99::2']) {
      await assertPing(t, one!.podNetns, address);
      t.is(await macOf(one!, address), mac);
    }
  });
});

test('weft fdb and weft neigh show what was learned, and from which VTEP', async (t) => {
  await withSegment({ ends: ['weft', 'weft', 'kernel'] }, async (segment) => {
    const { host } = segment.ends[0]!;
    for (const number of [2, 3]) {
      await assertPing(t, host.podNetns, `10.99.0.${number}`);
      await assertPing(t, host.podNetns, `fd00:99::${number}`);
    }
    const { fdb } = await askDaemon(host.controlSocket, '/v1/fdb');
    const { neighbors } = await askDaemon(host.controlSocket, '/v1/neigh');
    t.deepEqual([...violations('/v1/fdb', { fdb }), ...violations('/v1/neigh', { neighbors })], []);
    for (const number of [2, 3]) {
      const [mac, vtep] = [segment.macs[number - 1], `192.0.2.${number}`];
      t.like(
        fdb.find((entry) => entry.mac === mac),
        { vtep, origin: 'learned', moves: 0, refusedMoves: 0 },
      );
      for (const address of [`10.99.0.${number}`, `fd00:99::${number}`])
        t.like(
          neighbors.find((entry) => entry.address === address),
          { mac, vtep, origin: 'learned' },
        );
    }
    t.is(fdb.filter(({ origin }) => origin === 'lease').length, 2);
    t.false(fdb.some(({ mac }) => mac === BROADCAST));
  });
});
