/** A path between two hosts that is narrower than their interfaces say. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { ExecutionContext } from 'ava';
import { emitIpv4Header } from '../../lib/wire/ipv4.ts';
import { testInFreshNamespace } from './enter.ts';
import { type Host, hostOptions, lease, until, withRoutedHosts, withTwoHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const BYTES = 5_000_000;
/** Of the path; the overlay is made for 1500. */
const NARROW = 1400;

/** Outer headers. */
const OVERHEAD = { udp: 28, ipip: 20, vxlan: 50 } as const;

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

for (const type of ['udp', 'ipip', 'vxlan'] as const)
  test(`${type}: a path whose "fragmentation needed" is filtered is found to be narrow, and swallows nothing`, async (t) => {
    nft(
      'table ip silent { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }; }',
    );
    try {
      await withRoutedHosts(NARROW, async (one, two) => {
        await startType(t, type, [one, two]);
        for (const host of [one, two]) await host.monitor();
        for (const host of [one, two])
          await until(t, 'the path MTU is found', async () => (await host.state()).pathMtus[0] === NARROW);
        for (const host of [one, two]) {
          const fits = NARROW - OVERHEAD[type] - 28;
          t.true(await host.pings(4, undefined, '-M', 'do', '-s', String(fits)), 'what fits passes');
          const tooLong = await host
            .run('ping', '-c1', '-W1', '-M', 'do', '-s', String(fits + 1), podOf(host))
            .catch(String);
          t.regex(tooLong, new RegExp(`mtu ?= ?${fits + 28}`), 'what does not is answered');
          t.true(await host.pings(4, undefined, '-M', 'dont', '-s', '1400'), 'or fragmented, where it may be');
        }
        t.true(await two.fetches(one, BYTES), 'TCP from host 1');
        t.true(await one.fetches(two, BYTES), 'TCP from host 2');
      });
    } finally {
      nft('delete table ip silent');
    }
  });

for (const type of ['udp', 'ipip'] as const)
  test(`${type}: an honest "fragmentation needed" is confirmed, and the sender told the size that fits`, async (t) => {
    await withRoutedHosts(1500, async (one, two) => {
      await startType(t, type, [one, two]);
      for (const host of [one, two]) await host.monitor();
      await until(t, 'the path carries 1500', async () => (await one.state()).pathMtus[0] === 1500);
      execFileSync('ip', ['route', 'replace', '192.0.2.2/32', 'dev', 'r2', 'mtu', 'lock', String(NARROW)]);
      const fits = NARROW - OVERHEAD[type];
      await until(t, 'the sender is told', async () =>
        (await one.run('ping', '-c1', '-W1', '-M', 'do', '-s', '1440', podOf(one)).catch(String)).includes(
          String(fits),
        ),
      );
      t.is((await one.state()).pathMtus[0], NARROW);
      t.true(await two.fetches(one, BYTES));
    });
  });

for (const type of ['udp', 'ipip', 'vxlan'] as const)
  test(`${type}: a stranger's "fragmentation needed" changes nothing`, async (t) => {
    await withTwoHosts(async (one, two) => {
      await startType(t, type, [one, two]);
      await one.monitor();
      await until(t, 'the path carries 1500', async () => (await one.state()).pathMtus[0] === 1500);
      for (const mtu of [68, 552, 576, 1000, 1400]) await two.forge('192.0.2.1', mtu, tunnelPacket(type));
      await until(t, 'the errors have come', async () => (await unreachables(one)) >= 5);
      t.true(await two.fetches(one, BYTES));
      t.true(await one.pings(4, 2, '-M', 'do', '-s', String(1500 - OVERHEAD[type] - 28)));
      const { pathMtus, stats } = await one.state();
      t.is(pathMtus[0], 1500);
      t.is(stats.drops['too-big'], 0);
      t.is(stats.icmp.sent, 0, 'no sender was told a smaller size');
    });
  });

/** ICMP "destination unreachable" that came with a good checksum. */
async function unreachables(host: Host): Promise<number> {
  const [names = '', values = ''] = (await host.run('cat', '/proc/net/snmp')).match(/^Icmp: .*$/gm) ?? [];
  return Number(values.split(' ')[names.split(' ').indexOf('InDestUnreachs')]);
}

/** The beginning of a packet of host 1 to host 2, as an ICMP error quotes it. */
function tunnelPacket(type: 'udp' | 'ipip' | 'vxlan'): Uint8Array {
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  emitIpv4Header(view, 0, {
    tos: 0,
    totalLength: 1500,
    id: 0,
    reservedFlag: false,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: type === 'ipip' ? 4 : 17,
    source: 0xc0000201,
    destination: 0xc0000202,
    options: new Uint8Array(0),
  });
  const port = type === 'udp' ? 8285 : 4789;
  view.setUint16(20, port);
  view.setUint16(22, port);
  view.setUint16(24, 1480);
  if (type === 'ipip') view.setUint8(20, 0x45);
  return bytes;
}

/** The pod of the other host. */
function podOf({ number }: Host): string {
  return `10.244.${3 - number}.2`;
}

async function startType(t: ExecutionContext, type: 'udp' | 'ipip' | 'vxlan', hosts: readonly Host[]): Promise<void> {
  if (type === 'vxlan') return startVxlan(t, hosts);
  for (const host of hosts) {
    await host.start(type, hostOptions(host.number, `"Type":"${type}"`));
    await host.setLeases([1, 2].map((n) => lease(n, type === 'udp' ? '' : type)));
  }
  await until(t, 'a ping is answered', () => hosts[0]!.pings(4));
}

/**
 * Makes the test's own namespace a client behind a second card of `host`, 172.16.0.2 on c0. It knows a route to the peer's
 * subnet and no other, and refuses what comes from elsewhere (RFC 3704).
 */
async function becomeClientOf(host: Host): Promise<void> {
  for (const line of [
    `link add c0 type veth peer name c1 netns ${host.pid}`,
    'addr add 172.16.0.2/24 dev c0',
    'link set c0 up',
    'route add 10.244.2.0/24 via 172.16.0.1',
  ])
    execFileSync('ip', line.split(' '));
  for (const name of ['all', 'c0']) writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, '1');
  await host.ip('addr add 172.16.0.1/24 dev c1');
  await host.ip('link set c1 up');
  await host.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0');
}

for (const type of ['udp', 'ipip'] as const)
  test(`${type}: a client that knows a route to the peer's subnet only is told the size that fits (H17)`, async (t) => {
    const server = createServer((socket) => socket.unref().end(new Uint8Array(BYTES)));
    try {
      await withTwoHosts(async (one, two) => {
        for (const host of [one, two]) {
          const { number } = host;
          await host.start(type, { ...hostOptions(number, `"Type":"${type}"`), sourceCheck: false });
          await host.setLeases([1, 2].map((n) => lease(n, type === 'udp' ? '' : type)));
        }
        await until(t, 'a ping is answered', () => one.pings(4));
        await becomeClientOf(one);
        // The pod's packets to the client do not go through the tunnel; the client's to the pod do.
        await two.ip('route add 172.16.0.0/24 via 192.0.2.1 src 10.244.2.2');
        await one.ip(`route add 192.0.2.2/32 dev u0 mtu ${NARROW}`);
        // Routes are looked at every second.
        const size = String(NARROW - OVERHEAD[type] - 28 + 1);
        await until(t, 'its MTU holds', async () => !(await one.pings(4, 2, '-W1', '-M', 'do', '-s', size)));
        await new Promise<void>((resolve) => server.listen(5001, '172.16.0.2', resolve));
        const read = await two.run('timeout', '20', 'bash', '-c', 'wc -c < /dev/tcp/172.16.0.2/5001');
        t.is(Number(read), BYTES);
        t.true((await one.state()).stats.drops['too-big'] > 0);
      });
    } finally {
      server.close();
      execFileSync('ip', ['link', 'delete', 'c0']);
    }
  });
