/**
 * An edge device on an engine, without a backend around it, in one namespace:
 *
 *   kernel 10.244.1.0 ── weft0 ── segment ── engine ── UDP 192.0.2.1:7000 ── lo ── UDP 192.0.2.2:7000, this test
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { release } from 'node:os';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Ipv4Prefix } from '../../lib/addr/prefix.ts';
import { WorkerDataplane } from '../../lib/dataplane/main/client.ts';
import type { DataplaneOptions } from '../../lib/dataplane/segment.ts';
import { EdgeDevice } from '../../lib/engine/edge-device.ts';
import { Engine } from '../../lib/engine/engine.ts';
import { applyLinkSettings } from '../../lib/engine/link-settings.ts';
import { Offloads } from '../../lib/engine/offloads.ts';
import { Faults } from '../../lib/faults.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { prefix } from '../fastpath/harness.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';
import { until } from './two-hosts.ts';

const test = testInFreshNamespace();

const PORT = 7000;
const HERE = parseIpv4('192.0.2.1')!;
const PEER = parseIpv4('192.0.2.2')!;
const BASE = parseIpv4('10.244.1.0')!;
const NETWORK = prefix('10.244.0.0/16') as Ipv4Prefix;
const SWITCHES = { auto: true, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true };

const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8' });

interface Thread {
  readonly dataplane: WorkerDataplane;
  readonly options: DataplaneOptions;
}

interface Fixture {
  readonly engine: Engine;
  readonly device: EdgeDevice;
  /** Every thread that was started, in order. */
  readonly threads: readonly Thread[];
  /** Makes the kernel send a packet to a pod of the peer; resolves when the peer has it. */
  readonly cross: () => Promise<void>;
  readonly log: readonly string[];
  readonly restored: () => number;
}

async function withDevice(body: (fixture: Fixture) => Promise<void>, checkIntervalMs = 10_000): Promise<void> {
  for (const address of ['192.0.2.1', '192.0.2.2']) ip(`address replace ${address}/32 dev lo`);
  const log: string[] = [];
  const note = (fields: object, message: string): unknown => log.push(`${message} ${JSON.stringify(fields)}`);
  const faults = new Faults({ log: logTo(note), onChange: () => undefined, now: () => performance.now() });
  const threads: Thread[] = [];
  const socket = { fd: openUdpSocket(HERE, PORT, 1 << 20), family: 4 } as const;
  const offloads = new Offloads(SWITCHES, release());
  offloads.negotiateSockets([socket.fd], [socket.fd]);
  const engine = await Engine.start(
    {
      encapsulation: 'ip-in-udp',
      receive: [socket],
      send: [socket],
      offloads,
      sourceCheck: true,
      tos: { mode: 'fixed', dscp: 0 },
      log: logTo(note),
    },
    async (options) => {
      const dataplane = await WorkerDataplane.start(options);
      threads.push({ dataplane, options });
      return dataplane;
    },
  );
  let restored = 0;
  const device = new EdgeDevice(engine, {
    name: 'weft0',
    mtu: 1472,
    mac: undefined,
    addresses: [{ address: BASE, length: 32 }],
    network: [NETWORK],
    netns: undefined,
    faults,
    startOver: (reason) => log.push(`start over: ${reason}`),
    log: logTo(note),
    segment: {
      own: { ipv4: prefix('10.244.1.0/24') as Ipv4Prefix, ipv6: undefined },
      tunnel4: BASE,
      tunnel6: undefined,
      ethernet: undefined,
    },
    onRestored: () => {
      restored++;
      ip('route replace 10.244.0.0/16 dev weft0');
      return Promise.resolve();
    },
    checkIntervalMs,
  });
  const peer = createSocket('udp4').bind(PORT, '192.0.2.2');
  const pod = createSocket('udp4');
  try {
    await once(peer, 'listening');
    ip('route replace 10.244.0.0/16 dev weft0');
    const prefixes = [prefix('10.244.2.0/24')];
    await device.forwardTo([{ address: PEER, socketAddress: socketAddress(PEER, PORT), prefixes, vtep: undefined }]);
    const cross = async (): Promise<void> => {
      const arrived = once(peer, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
      pod.send('x', 9, '10.244.2.5');
      await arrived;
    };
    await body({ engine, device, threads, cross, log, restored: () => restored });
  } finally {
    peer.close();
    pod.close();
    await device.close();
    await engine.stop();
  }
}

test('when the thread dies, another forwards with the same device and peers, and counters go on', async (t) => {
  await withDevice(async ({ device, threads, cross, log }) => {
    await cross();
    const before = device.segment.stats().outbound.forwarded;
    const first = threads[0]!;
    // The thread ends, and nobody has asked for it: what a crash looks like from outside.
    await first.dataplane.stop();
    first.options.onEnded('this test ended it');
    await until(t, 'another thread', () =>
      Promise.resolve(log.some((line) => line.startsWith('A new data-plane thread'))),
    );
    t.is(threads.length, 2);
    await cross();
    t.true(device.segment.stats().outbound.forwarded > before);
    t.deepEqual(
      device.segment.stats().peers.map(({ publicIp }) => publicIp),
      ['192.0.2.2'],
    );
    t.true(log.some((line) => line.includes('this test ended it')));
  });
});

test('peers that change while there is no thread are those of the next one', async (t) => {
  await withDevice(async ({ device, threads, cross }) => {
    await cross();
    await threads[0]!.dataplane.stop();
    threads[0]!.options.onEnded('this test ended it');
    const prefixes = [prefix('10.244.2.0/24'), prefix('10.244.3.0/24')];
    await device.forwardTo([{ address: PEER, socketAddress: socketAddress(PEER, PORT), prefixes, vtep: undefined }]);
    t.is(threads.length, 2, 'forwardTo waits for a thread');
    await cross();
  });
});

test('a device lost while there is no thread is found by the next one', async (t) => {
  await withDevice(async ({ threads, cross, log }) => {
    await cross();
    await threads[0]!.dataplane.stop();
    ip('link delete weft0');
    threads[0]!.options.onEnded('this test ended it');
    await until(t, 'the device is back', () =>
      Promise.resolve(log.some((line) => line.startsWith('Alarm is over: Device'))),
    );
    await cross();
    t.is(threads.length, 2);
  });
});

test('what somebody changes on the device is put right, and its routes are asked for again', async (t) => {
  await withDevice(async ({ cross, log, restored }) => {
    await cross();
    ip('link set weft0 down');
    await until(t, 'it is up', () => Promise.resolve(restored() === 1));
    await cross();
    ip('link set weft0 mtu 1300');
    await until(t, 'the MTU is right', () => Promise.resolve(ip('link show weft0').includes('mtu 1472')));
    ip('addr flush dev weft0');
    await until(t, 'the address is there', () => Promise.resolve(ip('addr show weft0').includes('10.244.1.0/32')));
    ip('link set weft0 down');
    ip('link set weft0 name other0');
    await until(t, 'it is built again', () =>
      Promise.resolve(log.some((line) => line.startsWith('Alarm is over: Device "weft0" is gone: it was'))),
    );
    await cross();
    t.false(ip('link show').includes('other0'), 'nobody is left with a device that leads nowhere');
  }, 50);
});

test('a device is made what it should be, and left alone when it is', (t) => {
  const netlink = RouteNetlink.open();
  try {
    ip('tuntap add dev tap0 mode tap');
    ip('addr add 10.244.7.1/24 dev tap0');
    ip('addr add 172.16.0.1/24 dev tap0');
    const settings = {
      name: 'tap0',
      mtu: 1450,
      txQueueLength: 500,
      mac: 0x0200_0000_0001,
      addresses: [{ address: BASE, length: 32 }],
      network: [NETWORK],
    };
    t.deepEqual(applyLinkSettings(netlink, settings, () => t.fail()).changes, [
      'transmit queue of 500',
      'address 02:00:00:00:00:01',
      'MTU 1450',
      'without 10.244.7.1',
      '10.244.1.0/32',
      'up',
    ]);
    const shown = ip('addr show tap0');
    t.regex(shown, /mtu 1450 .*qlen 500/);
    t.regex(shown, /link\/ether 02:00:00:00:00:01/);
    t.regex(shown, /inet 10\.244\.1\.0\/32/);
    t.regex(shown, /inet 172\.16\.0\.1\/24/, 'addresses outside the network are not ours to remove');
    t.deepEqual(applyLinkSettings(netlink, settings, () => t.fail()).changes, []);
    t.throws(() => applyLinkSettings(netlink, { ...settings, name: 'tap1' }, () => t.fail()), { code: 'DEVICE_LOST' });
  } finally {
    netlink.close();
    ip('link delete tap0');
  }
});
