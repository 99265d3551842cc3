/**
 * The ipip backend with a peer that is not Weft: this test reads a raw socket in another namespace itself, and takes the
 * bytes apart by RFC 791 and RFC 2003.
 *
 *   kernel 10.244.1.0 ── flannel.ipip ── backend ── protocol 4, 192.0.2.1 ── veth ── 192.0.2.2, raw socket
 *
 * And between two hosts (two-hosts.ts).
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import type { ExecutionContext } from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Backend } from '../../lib/backend/backend.ts';
import { startIpipBackend } from '../../lib/backend/ipip.ts';
import type { DropReason } from '../../lib/dataplane/drop.ts';
import { SharedEngines } from '../../lib/engine/shared-engines.ts';
import type { WeftError } from '../../lib/error.ts';
import { close, sendto } from '../../lib/sys/ffi.ts';
import { openIpipSocket } from '../../lib/sys/ipip-socket.ts';
import { withinNetns } from '../../lib/sys/netns.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { internetChecksum, payload, tcp4, udp4 } from '../fastpath/packets.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';
import { receive } from './receive.ts';
import { Host, hostOptions, lease, until, withTwoHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const HERE = parseIpv4('192.0.2.1')!;
const PEER = parseIpv4('192.0.2.2')!;
const STRANGER = parseIpv4('192.0.2.9')!;
const BACKEND = '"Type":"ipip"';

const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8' });

/** A raw socket's datagram, read without any of Weft's own parsers. */
interface IpipDatagram {
  readonly outer: DataView;
  readonly inner: Uint8Array;
}

class RawPeer {
  readonly #fd: number;

  constructor(address: number, netns: string) {
    this.#fd = withinNetns(netns, () => openIpipSocket(address, 1 << 20));
  }

  send(inner: Uint8Array): void {
    sendto(this.#fd, inner, inner.length, 0, socketAddress(HERE, 0), 16);
  }

  /** The next datagram; fails after five seconds. */
  async next(t: ExecutionContext): Promise<IpipDatagram> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const bytes = receive(this.#fd)?.payload;
      if (bytes !== undefined) return check(t, bytes);
      if (performance.now() > deadline) throw new Error('no datagram comes');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  close(): void {
    close(this.#fd);
  }
}

/** What every datagram has to fulfil. */
function check(t: ExecutionContext, bytes: Uint8Array): IpipDatagram {
  const outer = new DataView(bytes.buffer, bytes.byteOffset, 20);
  t.is(outer.getUint8(0), 0x45, 'version 4, no options');
  t.is(outer.getUint16(2), bytes.length, 'total length');
  t.is(outer.getUint16(6), 0x4000, 'DF, no fragment');
  t.is(outer.getUint8(9), 4, 'protocol 4');
  t.is(internetChecksum(bytes.subarray(0, 20)), 0, 'checksum of the outer header');
  t.is(outer.getUint32(12), HERE);
  t.is(outer.getUint32(16), PEER);
  const inner = bytes.subarray(20);
  t.is(inner[0]! >> 4, 4);
  t.is((inner[2]! << 8) | inner[3]!, inner.length, 'the inner packet, whole and nothing behind it');
  t.is(internetChecksum(inner.subarray(0, (inner[0]! & 15) * 4)), 0, 'checksum of the inner header');
  return { outer, inner };
}

interface RunningBackend {
  readonly backend: Backend;
  readonly peer: RawPeer;
  readonly stranger: RawPeer;
  readonly log: string[];
}

async function withBackend(
  t: ExecutionContext,
  body: (running: RunningBackend) => Promise<void>,
  offload = true,
): Promise<void> {
  const far = new Host(2);
  await far.ready;
  const netns = `/proc/${far.pid}/ns/net`;
  ip(`link add u0 type veth peer name u0 netns ${far.pid}`);
  ip('addr add 192.0.2.1/24 dev u0');
  ip('link set u0 up');
  for (const line of ['addr add 192.0.2.2/24 dev u0', 'addr add 192.0.2.9/24 dev u0', 'link set u0 up'])
    await far.ip(line);
  const log: string[] = [];
  const note = (fields: object, message: string): unknown => log.push(`${message} ${JSON.stringify(fields)}`);
  const { macs: _, ...options } = hostOptions(1, BACKEND);
  const backend = await startIpipBackend({
    ...options,
    offload: { ...options.offload, auto: offload },
    vtepMac: () => t.fail('no VTEP here') as never,
    engines: new SharedEngines(),
    faults: { report: () => undefined },
    startOver: () => undefined,
    log: logTo(note),
  });
  const peer = new RawPeer(PEER, netns);
  const stranger = new RawPeer(STRANGER, netns);
  try {
    backend.setLeases([lease(1, 'ipip'), lease(2, 'ipip')]);
    await until(t, 'the route is there', () => Promise.resolve(ip('route').includes('10.244.2.0/24')));
    await body({ backend, peer, stranger, log });
  } finally {
    peer.close();
    stranger.close();
    await backend.stop();
    ip('link delete u0');
    far.close();
  }
}

function echoRequest(source: string, destination: string): Uint8Array {
  const packet = udp4({ source, destination, payload: payload(24) });
  packet[9] = 1;
  packet.set([8, 0, 0, 0, 0, 1, 0, 1], 20);
  const view = new DataView(packet.buffer);
  view.setUint16(22, internetChecksum(packet.subarray(20)));
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(packet.subarray(0, 20)));
  return packet;
}

test('the kernel looks as flanneld leaves it', async (t) => {
  await withBackend(t, async ({ backend }) => {
    t.regex(ip('-d link show flannel.ipip'), /mtu 1480 /);
    t.regex(ip('addr show flannel.ipip'), /inet 10\.244\.1\.0\/32 scope global/);
    t.regex(ip('route'), /10\.244\.2\.0\/24 via 192\.0\.2\.2 dev flannel\.ipip proto 137 onlink/);
    t.is(backend.type, 'ipip');
    t.is(backend.port, undefined);
    t.is(backend.overlayMtu, 1480);
    t.deepEqual(backend.routes(), [{ prefix: '10.244.2.0/24', via: '192.0.2.2', device: 'flannel.ipip' }]);
    const off = backend.offloads().filter(({ active }) => !active);
    t.deepEqual(off.map(({ name }) => name).toSorted(), ['udp-gro', 'udp-gso']);
    await Promise.resolve();
  });
});

test('an echo request in protocol 4 is answered in protocol 4', async (t) => {
  await withBackend(t, async ({ backend, peer }) => {
    peer.send(echoRequest('10.244.2.2', '10.244.1.0'));
    const { inner } = await peer.next(t);
    t.is(inner[9], 1);
    t.is(inner[20], 0, 'echo reply');
    t.is(internetChecksum(inner.subarray(20)), 0);
    t.is(inner[8], 64, 'a tunnel is one link: only the routers before and behind it lower the TTL');
    t.is(backend.stats().inbound.forwarded, 1);
  });
});

for (const offload of [true, false]) {
  test(`what the kernel sends to a peer arrives, byte for byte, offloads ${offload ? 'on' : 'off'}`, async (t) => {
    await withBackend(
      t,
      async ({ peer }) => {
        const socket = createSocket('udp4');
        try {
          for (const length of [1, 100, 1480 - 28]) {
            const sent = Uint8Array.from({ length }, (_, i) => i * 7);
            socket.send(sent, 5000, '10.244.2.7');
            const { inner } = await peer.next(t);
            t.is(inner[9], 17);
            t.is(inner.length, 28 + length);
            t.deepEqual(inner.subarray(28), sent);
            const pseudo = new Uint8Array([
              ...inner.subarray(12, 20),
              0,
              17,
              inner[24]!,
              inner[25]!,
              ...inner.subarray(20),
            ]);
            t.is(internetChecksum(pseudo), 0, 'the UDP checksum is complete');
          }
        } finally {
          socket.close();
        }
      },
      offload,
    );
  });
}

const hostile: readonly { name: string; bytes: Uint8Array; reason: DropReason; stranger?: true }[] = [
  { name: 'nothing', bytes: new Uint8Array(0), reason: 'truncated' },
  { name: 'version 5', bytes: Uint8Array.of(0x55, ...new Uint8Array(40)), reason: 'not-ip' },
  { name: '60 bytes of 0xaa', bytes: new Uint8Array(60).fill(0xaa), reason: 'not-ip' },
  { name: '19 bytes', bytes: echoRequest('10.244.2.2', '10.244.1.0').subarray(0, 19), reason: 'truncated' },
  {
    name: 'a total length beyond the packet',
    bytes: tcp4({ payload: payload(9) }).subarray(0, 40),
    reason: 'truncated',
  },
  { name: 'a source outside every lease', bytes: tcp4({ source: '8.8.8.8' }), reason: 'spoofed-source' },
  { name: 'a destination outside our lease', bytes: tcp4({ destination: '8.8.8.8' }), reason: 'foreign-destination' },
  { name: 'a stranger', bytes: tcp4(), reason: 'unknown-peer', stranger: true },
];

test('hostile packets are dropped, each counted under its reason, and good ones still pass', async (t) => {
  await withBackend(t, async ({ backend, peer, stranger }) => {
    for (const { name, bytes, reason, stranger: isStranger } of hostile) {
      const before = backend.stats().drops[reason];
      (isStranger ? stranger : peer).send(bytes);
      await until(t, name, () => Promise.resolve(backend.stats().drops[reason] === before + 1));
    }
    t.is(backend.stats().inbound.forwarded, 0);
    peer.send(echoRequest('10.244.2.2', '10.244.1.0'));
    await peer.next(t);
  });
});

test('two hosts: ping, TCP, and a device that somebody deletes', async (t) => {
  await withTwoHosts(async (one, two) => {
    for (const host of [one, two]) {
      await host.start('ipip');
      await host.setLeases([lease(1, 'ipip'), lease(2, 'ipip')]);
    }
    await until(t, 'a ping is answered', () => one.pings(4));
    t.true(await two.pings(4));
    t.true(await one.pings(4, 2, '-M', 'do', '-s', `${1480 - 28}`), 'a full packet');
    t.true(await one.fetches(two, 30_000_000));
    await one.ip('link delete flannel.ipip');
    await until(t, 'it is back', async () =>
      (await one.state()).log.some((line) => line.startsWith('Alarm is over: Device')),
    );
    t.true(await one.pings(4));
    await one.stop();
    t.false((await one.ip('link')).includes('flannel'));
    t.false((await one.ip('route')).includes('10.244.2.0'));
  });
});

test('DirectRouting: a peer on the link gets a plain route, one behind a router is encapsulated', async (t) => {
  await withTwoHosts(async (one, two) => {
    for (const host of [one, two]) {
      await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
      await host.start('ipip', hostOptions(host.number, `${BACKEND},"DirectRouting":true`));
    }
    await one.ip('route add 198.51.100.0/24 via 192.0.2.2');
    const far = lease(3, 'ipip');
    const leases = [lease(1, 'ipip'), lease(2, 'ipip'), { ...far, attrs: { ...far.attrs, publicIp: 0xc6336407 } }];
    for (const host of [one, two]) await host.setLeases(leases);
    await until(t, 'a ping is answered', () => one.pings(4));
    const routes = await one.ip('route');
    t.regex(routes, /10\.244\.2\.0\/24 via 192\.0\.2\.2 dev u0 proto 137/);
    t.regex(routes, /10\.244\.3\.0\/24 via 198\.51\.100\.7 dev flannel\.ipip proto 137 onlink/);
    const { routes: shown, stats } = await one.state();
    t.is(shown[0]!.device, 'u0');
    t.is(stats.outbound.forwarded, 0, 'nothing was encapsulated');
  });
});

test('IPv6 and a second network on the same address are refused', async (t) => {
  await withTwoHosts(async (one) => {
    const dual = (await t.throwsAsync(one.start('ipip', hostOptions(1, BACKEND, true)))) as WeftError;
    t.is(dual.code, 'CONFIG_INVALID');
    t.regex(dual.message, /IPv4 only/);
    await one.start('ipip');
    const second = (await t.throwsAsync(
      one.start('ipip', { network: 'blue', netns: '/proc/self/ns/net' }),
    )) as WeftError;
    t.is(second.code, 'NETWORK_CONFLICT');
    const direct = one.start('ipip', {
      ...hostOptions(1, `${BACKEND},"DirectRouting":true`),
      network: 'red',
      netns: '/proc/self/ns/net',
    });
    t.is(((await t.throwsAsync(direct)) as WeftError).code, 'NETWORK_CONFLICT');
  });
});
