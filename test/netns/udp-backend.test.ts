/**
 * The udp backend on a real TUN and a real socket, in one namespace:
 *
 *   kernel 10.244.1.0 ── flannel0 ── backend ── UDP 192.0.2.1:8285 ── lo ── UDP 192.0.2.2:8285 ── this test, as the peer
 *                                                                          UDP 192.0.2.9:8285 ── this test, as a stranger
 */
import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Ipv4Prefix, Ipv6Prefix } from '../../lib/addr/prefix.ts';
import type { Backend, BackendOptions } from '../../lib/backend/backend.ts';
import { startUdpBackend } from '../../lib/backend/udp.ts';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import type { OffloadSwitches } from '../../lib/engine/offloads.ts';
import { SharedEngines } from '../../lib/engine/shared-engines.ts';
import { WeftError } from '../../lib/error.ts';
import { Faults } from '../../lib/faults.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { prefix } from '../fastpath/harness.ts';
import { internetChecksum, payload, tcp4, udp4 } from '../fastpath/packets.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const PORT = 8285;
const PEER = '192.0.2.2';
const STRANGER = '192.0.2.9';
const SWITCHES: OffloadSwitches = { auto: true, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true };

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

function prepareHost(): void {
  for (const address of ['192.0.2.1', PEER, STRANGER]) ip('address', 'replace', `${address}/32`, 'dev', 'lo');
}

function options(log: string[], change: Partial<BackendOptions> = {}): BackendOptions {
  const note = (fields: object, message: string) => log.push(`${message} ${JSON.stringify(fields)}`);
  return {
    config: {
      enableIpv4: true,
      enableIpv6: true,
      network: prefix('10.244.0.0/16') as Ipv4Prefix,
      subnetLen: 24,
      subnetMin: prefix('10.244.1.0/24') as Ipv4Prefix,
      subnetMax: prefix('10.244.255.0/24') as Ipv4Prefix,
      ipv6: {
        network: prefix('fd00::/16') as Ipv6Prefix,
        subnetLen: 64,
        subnetMin: prefix('fd00:0:0:1::/64') as Ipv6Prefix,
        subnetMax: prefix('fd00:ffff:ffff:ffff::/64') as Ipv6Prefix,
      },
      backendType: 'udp',
      backend: {},
    },
    external: {
      name: 'lo',
      index: 1,
      mtu: 1500,
      ipv4: parseIpv4('192.0.2.1')!,
      ipv6: undefined,
      publicIp: parseIpv4('192.0.2.1')!,
      publicIpv6: undefined,
      reason: 'test',
    },
    own: { ipv4: prefix('10.244.1.0/24') as Ipv4Prefix, ipv6: prefix('fd00:1::/64') as Ipv6Prefix },
    offload: SWITCHES,
    sourceCheck: true,
    network: '',
    netns: undefined,
    tos: { mode: 'fixed', dscp: 0 },
    vtepMac: () => 0x0200_0000_0001,
    engines: new SharedEngines(),
    faults: new Faults({ log: logTo(note), onChange: () => undefined, now: () => performance.now() }),
    startOver: () => undefined,
    log: logTo(note),
    ...change,
  };
}

function lease(subnet: string, publicIp: string, ipv6: string): Lease {
  return {
    subnets: { ipv4: prefix(subnet) as Ipv4Prefix, ipv6: prefix(ipv6) as Ipv6Prefix },
    attrs: {
      publicIp: parseIpv4(publicIp)!,
      publicIpv6: undefined,
      backendType: '',
      backendData: undefined,
      backendV6Data: undefined,
    },
    expiresAtMs: undefined,
  };
}

interface RunningBackend {
  readonly backend: Backend;
  readonly peer: Socket;
  readonly stranger: Socket;
  readonly log: string[];
}

async function openSocket(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(PORT, address);
  await once(socket, 'listening');
  return socket;
}

async function withBackend(
  body: (running: RunningBackend) => Promise<void>,
  change: Partial<BackendOptions> = {},
): Promise<void> {
  prepareHost();
  const log: string[] = [];
  const backend = await startUdpBackend(options(log, change));
  const peer = await openSocket(PEER);
  const stranger = await openSocket(STRANGER);
  try {
    backend.setLeases([lease('10.244.2.0/24', PEER, 'fd00:2::/64')]);
    await body({ backend, peer, stranger, log });
  } finally {
    peer.close();
    stranger.close();
    await backend.stop();
  }
}

/** The next datagram at `socket`; rejects after five seconds. */
async function replyAt(socket: Socket): Promise<[Buffer, { address: string; port: number }]> {
  const [bytes, from] = (await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [
    Buffer,
    { address: string; port: number },
  ];
  return [bytes, from];
}

/** Waits until `condition` holds; fails after five seconds. */
async function until(t: ExecutionContext, what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) return t.fail(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function icmpEcho(source: string, destination: string): Uint8Array {
  const packet = udp4({ source, destination, payload: payload(24) });
  packet[9] = 1;
  packet.set([8, 0, 0, 0, 0, 1, 0, 1], 20);
  const view = new DataView(packet.buffer);
  view.setUint16(22, internetChecksum(packet.subarray(20)));
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(packet.subarray(0, 20)));
  return packet;
}

function send(socket: Socket, bytes: Uint8Array): void {
  socket.send(bytes, PORT, '192.0.2.1');
}

test('an echo request from a peer is answered through the device, with a TTL lowered at each end', async (t) => {
  await withBackend(async ({ backend, peer }) => {
    await until(t, 'routes in use', () => backend.routes().length === 2);
    const reply = replyAt(peer);
    send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
    const [bytes, from] = await reply;
    t.is(from.port, PORT);
    t.is(bytes[20], 0, 'echo reply');
    t.is(bytes[8], 63, 'the kernel sends 64, the engine lowers it once');
    t.is(internetChecksum(bytes.subarray(0, 20)), 0);
    t.is(backend.stats().inbound.forwarded, 1);
    // The worker counts after the send, which may be after we have read the reply.
    await until(t, 'the reply is counted', () => backend.stats().outbound.forwarded === 1);
  });
});

test('an IPv6 packet crosses in both directions', async (t) => {
  await withBackend(async ({ peer }) => {
    const echo = Buffer.alloc(48);
    echo[0] = 0x60;
    echo.writeUInt16BE(8, 4);
    echo[6] = 58;
    echo[7] = 64;
    Buffer.from('fd000002000000000000000000000005', 'hex').copy(echo, 8);
    Buffer.from('fd000001000000000000000000000000', 'hex').copy(echo, 24);
    echo.set([128, 0, 0, 0, 0, 1, 0, 1], 40);
    const pseudo = Buffer.concat([echo.subarray(8, 40), Buffer.from([0, 0, 0, 8, 0, 0, 0, 58]), echo.subarray(40)]);
    echo.writeUInt16BE(internetChecksum(pseudo), 42);
    const reply = replyAt(peer);
    send(peer, echo);
    const [bytes] = await reply;
    t.is(bytes[0]! >> 4, 6);
    t.is(bytes[40], 129, 'echo reply');
    t.is(bytes[7], 63);
  });
});

const hostile: readonly { name: string; bytes: Uint8Array; reason: DropReason; stranger?: boolean }[] = [
  { name: 'an empty datagram', bytes: new Uint8Array(0), reason: 'truncated' },
  { name: 'one byte', bytes: Uint8Array.of(7), reason: 'not-ip' },
  { name: '60 bytes of 0xaa', bytes: new Uint8Array(60).fill(0xaa), reason: 'not-ip' },
  { name: 'version 5', bytes: Uint8Array.of(0x55, ...new Uint8Array(30)), reason: 'not-ip' },
  { name: '19 bytes of IPv4', bytes: icmpEcho('10.244.2.2', '10.244.1.0').subarray(0, 19), reason: 'truncated' },
  {
    name: 'a total length beyond the datagram',
    bytes: tcp4({ payload: payload(9) }).subarray(0, 40),
    reason: 'truncated',
  },
  { name: 'IHL 4', bytes: withByte(icmpEcho('10.244.2.2', '10.244.1.0'), 0, 0x44), reason: 'bad-header' },
  {
    name: 'a wrong header checksum',
    bytes: withByte(icmpEcho('10.244.2.2', '10.244.1.0'), 11, 0x17),
    reason: 'bad-header-checksum',
  },
  { name: 'TTL 0', bytes: tcp4({ ttl: 0 }), reason: 'ttl-expired' },
  { name: 'TTL 1', bytes: tcp4({ ttl: 1 }), reason: 'ttl-expired' },
  { name: 'a source outside every lease', bytes: tcp4({ source: '8.8.8.8' }), reason: 'spoofed-source' },
  { name: 'our own address as source', bytes: tcp4({ source: '10.244.1.2' }), reason: 'spoofed-source' },
  { name: 'a destination outside our lease', bytes: tcp4({ destination: '8.8.8.8' }), reason: 'foreign-destination' },
  { name: 'the underlay as destination', bytes: tcp4({ destination: '192.0.2.1' }), reason: 'foreign-destination' },
  { name: 'a good packet from a stranger', bytes: tcp4(), reason: 'unknown-peer', stranger: true },
  { name: '39 bytes of IPv6', bytes: Uint8Array.of(0x60, ...new Uint8Array(38)), reason: 'truncated' },
];

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = changed[at] === value ? value ^ 1 : value;
  return changed;
}

test('hostile datagrams are dropped, each counted under its reason, and good ones still pass', async (t) => {
  await withBackend(async ({ backend, peer, stranger }) => {
    for (const { name, bytes, reason, stranger: isStranger } of hostile) {
      const before = backend.stats().drops[reason];
      send(isStranger === true ? stranger : peer, bytes);
      await until(t, name, () => backend.stats().drops[reason] === before + 1);
    }
    const { inbound, drops } = backend.stats();
    t.is(inbound.received, hostile.length);
    t.is(inbound.forwarded, 0);
    t.is(
      Object.values(drops).reduce((sum, count) => sum + count, 0) - drops.multicast,
      hostile.length,
      'each was counted once',
    );
    const reply = replyAt(peer);
    send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
    await reply;
  });
});

test('without the source check a stranger is let in', async (t) => {
  await withBackend(
    async ({ backend, stranger }) => {
      send(stranger, icmpEcho('10.244.2.2', '10.244.1.0'));
      await until(t, 'delivery', () => backend.stats().inbound.forwarded === 1);
      t.is(backend.stats().drops['unknown-peer'], 0);
    },
    { sourceCheck: false },
  );
});

test('--offload=off carries the same packets, one a call', async (t) => {
  await withBackend(
    async ({ backend, peer }) => {
      const reply = replyAt(peer);
      send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
      await reply;
      t.true(backend.offloads().every((offload) => !offload.active && offload.reason.includes('--offload=off')));
      const { inbound } = backend.stats();
      t.is(inbound.reads, inbound.received);
    },
    { offload: { ...SWITCHES, auto: false } },
  );
});

for (const name of ['tunTso', 'tunUso', 'tunGro', 'udpGso', 'udpGro'] as const) {
  test(`the ${name} switch alone switches its offload off, and packets still pass`, async (t) => {
    await withBackend(
      async ({ backend, peer }) => {
        const reply = replyAt(peer);
        send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
        await reply;
        const off = backend.offloads().filter((offload) => !offload.active);
        t.is(off.length, 1);
        t.regex(off[0]!.reason, /switched off by --/);
      },
      { offload: { ...SWITCHES, [name]: false } },
    );
  });
}

test('a device that somebody deletes comes back with its address, routes and peers, without spinning', async (t) => {
  await withBackend(async ({ backend, peer, log }) => {
    send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
    await replyAt(peer);
    const before = backend.stats().inbound.received;
    const cpu = process.cpuUsage();
    ip('link', 'delete', 'flannel0');
    await until(t, 'the device is back', () => log.some((line) => line.startsWith('Alarm is over: Device')));
    t.true(ip('route').includes('10.244.0.0/16 dev flannel0'));
    send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
    await replyAt(peer);
    t.true(backend.stats().inbound.received > before, 'counters never go back');
    const spent = process.cpuUsage(cpu);
    t.true(spent.user + spent.system < 2_000_000, `used ${spent.user + spent.system} us of CPU`);
  });
});

test('routes are replaced while packets flow', async (t) => {
  await withBackend(async ({ backend, peer }) => {
    for (let i = 0; i < 50; i++) {
      backend.setLeases([
        lease('10.244.2.0/24', PEER, 'fd00:2::/64'),
        ...Array.from({ length: i }, (_, n) =>
          lease(`10.244.${n + 3}.0/24`, `198.51.100.${n + 1}`, `fd00:${n + 100}::/64`),
        ),
      ]);
      const reply = replyAt(peer);
      send(peer, icmpEcho('10.244.2.2', '10.244.1.0'));
      await reply;
    }
    await until(t, 'the last routes are in use', () => backend.stats().peers.length === 50);
    t.deepEqual(
      Object.entries(backend.stats().drops).filter(([reason, count]) => count > 0 && reason !== 'multicast'),
      [],
    );
  });
});

test('stop leaves no device, address or route', async (t) => {
  prepareHost();
  const backend = await startUdpBackend(options([]));
  t.regex(ip('-details', 'link', 'show', 'flannel0'), /mtu 1472/);
  t.regex(ip('address', 'show', 'flannel0'), /inet 10\.244\.1\.0\/32/);
  await backend.stop();
  t.false(ip('link').includes('flannel0'));
  t.false(ip('route').includes('10.244'));
});

test('a port in use and a device in use are refused with what to do, and nothing stays behind', async (t) => {
  prepareHost();
  const holder = await openSocket('192.0.2.1');
  const busyPort = await t.throwsAsync(startUdpBackend(options([])), { instanceOf: WeftError });
  t.is((busyPort as WeftError).code, 'PORT_BUSY');
  t.regex((busyPort as WeftError).hint!, /ss -lunp/);
  t.false(ip('link').includes('flannel0'));
  holder.close();
  await once(holder, 'close');

  ip('tuntap', 'add', 'dev', 'flannel0', 'mode', 'tun');
  const busyDevice = await t.throwsAsync(startUdpBackend(options([])), { instanceOf: WeftError });
  t.is((busyDevice as WeftError).code, 'DEVICE_BUSY');
  ip('link', 'delete', 'flannel0');

  const backend = await startUdpBackend(options([]));
  await backend.stop();
});

test('a Port outside 1 to 65535 in the configuration is refused by name', async (t) => {
  for (const Port of [0, 65536, -1, 1.5, '8285', null]) {
    const base = options([]);
    const start = startUdpBackend({ ...base, config: { ...base.config, backend: { Port } } });
    if (Port === null) {
      await (await start).stop();
      continue;
    }
    const error = (await t.throwsAsync(start)) as WeftError;
    t.is(error.code, 'CONFIG_INVALID', JSON.stringify(Port));
  }
});

/** A peer behind a path of MTU 1400: a veth whose other end swallows everything. */
function narrowPath(): void {
  ip('link', 'add', 'narrow0', 'type', 'veth', 'peer', 'name', 'narrow1');
  for (const name of ['narrow0', 'narrow1']) ip('link', 'set', name, 'up');
  ip('address', 'add', '198.51.100.1/24', 'dev', 'narrow0');
  ip('neighbour', 'add', '198.51.100.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'narrow0');
  ip('route', 'add', '198.51.100.2/32', 'dev', 'narrow0', 'mtu', '1400');
}

test('a path narrower than thought: the sender is told, and what may be fragmented gets through', async (t) => {
  narrowPath();
  const socket = createSocket('udp4');
  try {
    await withBackend(async ({ backend }) => {
      backend.setLeases([lease('10.244.3.0/24', '198.51.100.2', 'fd00:3::/64')]);
      await until(t, 'the route is in use', () => backend.stats().peers.some((p) => p.publicIp === '198.51.100.2'));

      // 1444 + 8 + 20 = 1472, the MTU of flannel0; with 28 more it does not fit 1400. Linux sets DF.
      socket.send(new Uint8Array(1444), 9, '10.244.3.5');
      await until(t, 'dropped as too big', () => backend.stats().drops['too-big'] === 1);
      await until(t, 'the kernel heard of it', () => ip('route', 'get', '10.244.3.5').includes('mtu 1372'));
      t.is(backend.stats().icmp.sent, 1);

      // Now the kernel fragments the packet itself: two fragments.
      const before = backend.stats().outbound.forwarded;
      socket.send(new Uint8Array(1444), 9, '10.244.3.5');
      await until(t, 'two fragments', () => backend.stats().outbound.forwarded === before + 2);

      // Without DF inside, the datagram goes out in an outer packet that may be fragmented. 10.244.3.6 has no learned MTU.
      writeFileSync('/proc/sys/net/ipv4/ip_no_pmtu_disc', '1');
      const careless = createSocket('udp4');
      careless.send(new Uint8Array(1444), 9, '10.244.3.6');
      await until(t, 'sent in fragments', () => backend.stats().outbound.forwarded === before + 3);
      careless.close();
      t.is(backend.stats().drops['too-big'], 1);
    });
  } finally {
    socket.close();
    writeFileSync('/proc/sys/net/ipv4/ip_no_pmtu_disc', '0');
  }
});

test('a firewall that refuses our datagrams costs those packets, counted, and nothing else', async (t) => {
  await withBackend(async ({ backend, peer }) => {
    execFileSync('/usr/sbin/nft', ['-f', '-'], {
      input: `table inet weft_test { chain out { type filter hook output priority 0;
        udp dport ${PORT} ip saddr 192.0.2.1 meta length > 500 drop; }; }`,
    });
    const socket = createSocket('udp4');
    socket.send(new Uint8Array(900), 9, '10.244.2.5');
    await until(t, 'refused', () => backend.stats().drops['underlay-refused'] === 1);
    const [bytes] = await new Promise<[Buffer]>((resolve) => {
      peer.once('message', (message) => resolve([message]));
      socket.send(new Uint8Array(100), 9, '10.244.2.5');
    });
    t.is(bytes.length, 128);
    socket.close();
    execFileSync('/usr/sbin/nft', ['delete', 'table', 'inet', 'weft_test']);
  });
});
