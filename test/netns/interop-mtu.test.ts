import type { ExecutionContext } from 'ava';
import { run } from '../../lib/lab/command.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { type End, withCluster } from './interop/cluster.ts';
import { addressOf, directions } from './interop/every-kind.ts';
import { assertPing, assertTcp, assertUdp, ping, startServer } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// The underlay's MTU turns out smaller than it was when the overlay was made; and packets that are fragments already.
const { id, test } = testInLabs('m');

const SMALL = 1400;
const MIB = 1 << 20;

interface Case {
  readonly backend: { readonly Type: string };
  readonly family: 4 | 6;
  /** What the backend puts before an inner packet, bytes. */
  readonly overhead: number;
}

const CASES: readonly Case[] = [
  { backend: { Type: 'vxlan' }, family: 4, overhead: 20 + 8 + 8 + 14 },
  { backend: { Type: 'vxlan' }, family: 6, overhead: 40 + 8 + 8 + 14 },
  { backend: { Type: 'udp' }, family: 4, overhead: 20 + 8 },
  { backend: { Type: 'udp' }, family: 6, overhead: 20 + 8 },
  { backend: { Type: 'ipip' }, family: 4, overhead: 20 },
];

for (const { backend, family, overhead } of CASES)
  for (const daemonArgs of family === 4 ? [[], ['--offload=off']] : [[]]) {
    const title = `${backend.Type}, IPv${family}${daemonArgs.map((flag) => `, ${flag}`).join('')}`;
    test(`a pod learns that the underlay's MTU has shrunk: ${title}`, async (t) => {
      const dualStack = family === 6 || backend.Type === 'udp';
      await withCluster({ id, ends: ['weft', 'weft'], backend, dualStack, daemonArgs }, async (cluster) => {
        const fits = SMALL - overhead;
        for (const { host } of cluster.ends) await startServer(host.podNetns);
        for (const [from, to] of directions(cluster)) {
          const size = from.pod.mtu - headers(family);
          await assertPing(t, from.host.podNetns, addressOf(to.pod, family), { count: 2, size, df: true });
        }
        await shrinkUnderlay(cluster.lab);
        for (const [from, to] of directions(cluster)) {
          // What may be fragmented passes, before anybody has learned anything.
          const options = { count: 2, size: from.pod.mtu - headers(4), extra: ['-M', 'dont'] };
          if (family === 4) await assertPing(t, from.host.podNetns, to.pod.address, options);
          await learnsMtu(t, from, addressOf(to.pod, family), family, fits);
          await assertTcp(t, from.host.podNetns, addressOf(to.pod, family), 4 * MIB);
          await assertUdp(t, from.host.podNetns, addressOf(to.pod, family), fits - headers(family));
        }
      });
    });
  }

/** IP header and echo request without payload. */
function headers(family: 4 | 6): number {
  return (family === 4 ? 20 : 40) + 8;
}

async function shrinkUnderlay(lab: Lab): Promise<void> {
  for (const { netns, underlayInterface } of lab.hosts)
    await run('ip', ['-n', netns, 'link', 'set', underlayInterface, 'mtu', String(SMALL)]);
}

async function learnsMtu(t: ExecutionContext, from: End, address: string, family: 4 | 6, fits: number): Promise<void> {
  const { podNetns } = from.host;
  // One byte too many is reported, with the MTU that is left; the largest that fits goes through.
  const size = fits - headers(family);
  const output = await ping(podNetns, address, { count: 2, size: size + 1, df: true });
  t.regex(output, / 0 received/);
  t.regex(output, family === 4 ? /Frag needed and DF set \(mtu = (\d+)\)/ : /Packet too big: mtu=(\d+)/, output);
  t.is(Number(/mtu ?= ?(\d+)/.exec(output)?.[1]), fits, output);
  await assertPing(t, podNetns, address, { count: 2, size, df: true });
}

for (const [type, ends] of [
  ['vxlan', ['weft', 'kernel']],
  ['udp', ['weft', 'weft']],
  ['ipip', ['weft', 'weft']],
] as const)
  for (const daemonArgs of type === 'vxlan' ? [[], ['--offload=off']] : [[]]) {
    test(`fragments of inner packets pass: ${[type, ...daemonArgs].join(', ')}`, async (t) => {
      await withCluster({ id, ends, backend: { Type: type }, daemonArgs }, async (cluster) => {
        for (const { host } of cluster.ends) await startServer(host.podNetns);
        for (const [from, to] of directions(cluster)) {
          await assertPing(t, from.host.podNetns, to.pod.address, { size: 8000 });
          await assertPing(t, from.host.podNetns, to.pod.address, { count: 2, size: 65_000 });
          await assertUdp(t, from.host.podNetns, to.pod.address, 20_000);
        }
      });
    });
  }
