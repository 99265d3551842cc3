/** A path between two hosts that is narrower than their interfaces say. */
import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { testInFreshNamespace } from './enter.ts';
import { type Host, hostOptions, lease, until, withRoutedHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const BYTES = 5_000_000;
/** Of the path; the overlay is made for 1500. */
const NARROW = 1400;

function nft(text: string): void {
  execFileSync('nft', ['-f', '-'], { input: text });
}

async function startVxlan(t: ExecutionContext, hosts: readonly Host[]): Promise<void> {
  for (const host of hosts) {
    await host.start('vxlan', hostOptions(host.number, '"Type":"vxlan","Port":4789'));
    await host.setLeases([1, 2].map((n) => lease(n, 'vxlan', 1)));
  }
  await until(t, 'a ping is answered', () => hosts[0]!.pings(4));
}

/** TCP passes both ways, in trains, and nobody dropped a packet for its size. */
async function passesInTrains(t: ExecutionContext, one: Host, two: Host): Promise<void> {
  t.true(await two.fetches(one, BYTES), 'TCP from host 1');
  t.true(await one.fetches(two, BYTES), 'TCP from host 2');
  for (const host of [one, two]) {
    const { offloads, stats } = await host.state();
    const gso = offloads.find(({ name }) => name === 'udp-gso')!;
    t.true(gso.active, gso.reason);
    const { forwarded, writes } = stats.outbound;
    t.true(forwarded > 5 * writes, `${forwarded} packets in ${writes} sends`);
    t.is(stats.drops['too-big'], 0);
  }
}

test('vxlan: TCP passes a path whose "fragmentation needed" is filtered, for routers may cut the outer packet (F7)', async (t) => {
  nft('table ip silent { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }; }');
  try {
    await withRoutedHosts(NARROW, async (one, two) => {
      await startVxlan(t, [one, two]);
      await passesInTrains(t, one, two);
    });
  } finally {
    nft('delete table ip silent');
  }
});

test('vxlan: a path MTU that the kernel remembers changes no train (F7)', async (t) => {
  await withRoutedHosts(NARROW, async (one, two) => {
    await startVxlan(t, [one, two]);
    for (const host of [one, two]) {
      const peer = `192.0.2.${3 - host.number}`;
      await until(t, 'the kernel has learned the path MTU', async () => {
        await host.run('ping', '-c1', '-W1', '-M', 'do', '-s', '1472', peer).catch(() => '');
        return (await host.ip(`route get ${peer}`)).includes(`mtu ${NARROW}`);
      });
    }
    await passesInTrains(t, one, two);
    t.regex(await one.ip('route get 192.0.2.2'), /mtu 1400/, 'still remembered');
  });
});
