/**
 * Packets as on the wire, against a link without segmentation offloads:
 *
 *   a: a0 ──────── b0 bridge b1 ──────── c0 :c
 *
 * a0 and c0 have super-packets and trains; b1 has no offload at all, so that the kernel's own segmentation is what passes it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { until } from '../../lib/lab/until.ts';
import { SOL_UDP, UDP_SEGMENT } from '../../lib/linux/socket.ts';
import { EdgeCapture, type EdgePacket } from '../../lib/observe/edge-capture.ts';
import type { Edge } from '../../lib/observe/edges.ts';
import { probeFilter } from '../../lib/observe/trace/probe-filter.ts';
import { check } from '../../lib/sys/errno.ts';
import { close, sendto } from '../../lib/sys/ffi.ts';
import { withinNetns } from '../../lib/sys/netns.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { setOption } from '../../lib/sys/socket-option.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const name = (host: string): string => `weft-cut-${process.pid}-${host}`;
const path = (host: string): string => `/run/netns/${name(host)}`;
const ip = (host: string, ...args: string[]): void => void execFileSync('ip', ['-n', name(host), ...args]);
const run = (host: string, ...argv: string[]): void =>
  void execFileSync('ip', ['netns', 'exec', name(host), ...argv], { stdio: 'pipe' });

function buildLink(t: ExecutionContext): void {
  t.teardown(() => {
    for (const host of ['a', 'b', 'c'])
      execFileSync('sh', ['-c', 'ip netns del "$1" 2>/dev/null || true', 'sh', name(host)]);
  });
  for (const host of ['a', 'b', 'c']) execFileSync('ip', ['netns', 'add', name(host)]);
  const veth = (host: string, device: string, port: string): void =>
    ip(host, 'link', 'add', device, 'type', 'veth', 'peer', 'name', port, 'netns', name('b'));
  veth('a', 'a0', 'b0');
  veth('c', 'c0', 'b1');
  ip('b', 'link', 'add', 'br0', 'type', 'bridge');
  for (const port of ['b0', 'b1']) ip('b', 'link', 'set', port, 'master', 'br0', 'up');
  ip('b', 'link', 'set', 'br0', 'up');
  for (const [host, number] of [
    ['a', '1'],
    ['c', '2'],
  ] as const) {
    ip(host, 'addr', 'add', `10.9.0.${number}/24`, 'dev', `${host}0`);
    ip(host, 'addr', 'add', `fd09::${number}/64`, 'dev', `${host}0`, 'nodad');
    ip(host, 'link', 'set', `${host}0`, 'up');
  }
  run('b', 'ethtool', '-K', 'b1', 'tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off');
  run('c', 'ethtool', '-K', 'c0', 'gro', 'on');
}

const edge = (host: string, device: string): Edge => ({
  kind: 'underlay',
  device,
  netns: path(host),
  networks: [],
  filter: 'port 7 and src port 5 or src port 6',
});

/** What identifies a packet on its way, and what is to be compared. */
interface Seen {
  readonly bytes: string;
  readonly withoutId: string;
  readonly length: number;
  readonly of: number;
  readonly idRebuilt: boolean;
}

function copy({ packet }: EdgePacket): Seen {
  const bytes = Buffer.from(packet.bytes);
  const isIpv4 = bytes.readUInt16BE(12) === 0x0800;
  const withoutId = Buffer.from(bytes);
  // The ID, and the checksum that is over it.
  if (isIpv4) withoutId.fill(0, 18, 20).fill(0, 24, 26);
  const { length, of, idRebuilt } = packet;
  return { bytes: bytes.toString('hex'), withoutId: withoutId.toString('hex'), length, of, idRebuilt };
}

async function captured(
  traffic: () => Promise<void>,
  isDone: (seen: Seen[][]) => boolean,
  snapLength = 65_535,
): Promise<Seen[][]> {
  const seen: Seen[][] = [[], [], []];
  const edges = [edge('a', 'a0'), edge('b', 'b1'), edge('c', 'c0')];
  const capture = EdgeCapture.open(edges, {
    snapLength,
    onPacket: (packet) => {
      // b1 sees answers come in, a0 and c0 see their own.
      if (packet.frame.outgoing === packet.number < 2) seen[packet.number]?.push(copy(packet));
    },
  });
  const running = capture.run();
  try {
    await traffic();
    await until(() => isDone(seen), PATIENCE_MS);
  } finally {
    capture.stop();
    await running;
    capture.close();
  }
  return seen;
}

function compare(t: ExecutionContext, [sent = [], wire = [], received = []]: Seen[][], least: number): void {
  t.true(wire.length >= least, `${wire.length} packets`);
  t.true(
    wire.every(({ of }) => of === 1),
    'the link has no super-packets',
  );
  t.true(
    sent.some(({ of }) => of > 2),
    'the sender has them',
  );
  t.deepEqual(
    sent.map(({ bytes }) => bytes),
    wire.map(({ bytes }) => bytes),
  );
  t.deepEqual(
    received.map(({ withoutId }) => withoutId),
    wire.map(({ withoutId }) => withoutId),
  );
  for (const [index, { idRebuilt, bytes }] of received.entries()) {
    if (!idRebuilt) t.is(bytes, wire[index]!.bytes);
  }
}

const SERVER = `require('net').createServer(s=>s.resume().on('end',()=>process.exit())).listen(7,'::',()=>console.log('ready'))`;
const CLIENT = `const s=require('net').connect({port:7,host:process.argv[1],localPort:5},()=>s.end(Buffer.alloc(400000,'weft')))`;

for (const address of ['10.9.0.2', 'fd09::2'])
  test(`TCP to ${address}: sent byte for byte, received all but IDs`, async (t) => {
    buildLink(t);
    const inside = (host: string, code: string, ...args: string[]) =>
      spawn('ip', ['netns', 'exec', name(host), process.execPath, '-e', code, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const seen = await captured(
      async () => {
        const server = inside('c', SERVER);
        t.teardown(() => server.kill());
        const ended = once(server, 'exit');
        await once(server.stdout!, 'data');
        await once(inside('a', CLIENT, address), 'exit');
        await ended;
      },
      ([sent, wire, received]) => sent!.length === wire!.length && received!.length === wire!.length,
    );
    compare(t, seen, 250);
  });

/** Trains of so many bytes each, cut into datagrams of `size`. */
async function sendTrains(count: number, bytes: number, size: number): Promise<void> {
  withinNetns(path('a'), () => {
    const fd = openUdpSocket(0x0a090001, 6, 1 << 20);
    try {
      const to = socketAddress(0x0a090002, 7);
      check(setOption(fd, SOL_UDP, UDP_SEGMENT, size), 'setsockopt', 'UDP_SEGMENT');
      for (let i = 0; i < count; i++) {
        const payload = new Uint8Array(bytes).fill(i);
        check(sendto(fd, payload, payload.length, 0, to, to.length), 'sendto', 'UDP');
      }
    } finally {
      close(fd);
    }
  });
}

test('a train of UDP datagrams: sent byte for byte, its last datagram shorter', async (t) => {
  buildLink(t);
  listen(t);
  const seen = await captured(
    () => sendTrains(5, 10_501, 1000),
    ([sent, wire, received]) => [sent, wire, received].every((each) => each!.length === 55),
  );
  compare(t, seen, 55);
  t.is(seen[0]?.[10]?.length, 14 + 20 + 8 + 501);
});

test('a train that is shorter than the MTU has all its datagrams, each to the snap length', async (t) => {
  buildLink(t);
  listen(t);
  const seen = await captured(
    () => sendTrains(3, 1200, 100),
    ([sent, wire, received]) => [sent, wire, received].every((each) => each!.length === 36),
    192,
  );
  compare(t, seen, 36);
  t.true(seen[0]!.every(({ bytes, of }) => bytes.length / 2 === 14 + 20 + 8 + 100 && of === 12));
});

/** Else its host would answer that the port is closed, and the next send would fail with that. */
function listen(t: ExecutionContext): void {
  const receiver = withinNetns(path('c'), () => openUdpSocket(0x0a090002, 7, 1 << 20));
  t.teardown(() => close(receiver));
}

/** Datagrams that `edge` lets through. */
function send(count: number): void {
  withinNetns(path('a'), () => {
    const fd = openUdpSocket(0x0a090001, 6, 1 << 20);
    try {
      const to = socketAddress(0x0a090002, 7);
      for (let i = 0; i < count; i++) check(sendto(fd, new Uint8Array(8), 8, 0, to, to.length), 'sendto', 'UDP');
    } finally {
      close(fd);
    }
  });
}

test('timers and signals have their turn while more comes than can be looked at', async (t) => {
  buildLink(t);
  listen(t);
  const total = 2000;
  let seen = 0;
  const capture = EdgeCapture.open([edge('a', 'a0')], {
    snapLength: 64,
    onPacket: () => {
      seen++;
      for (const end = performance.now() + 1; performance.now() < end; );
    },
  });
  t.teardown(() => capture.close());
  send(total);
  t.true(await until(() => capture.statistics()[0]!.received === total, PATIENCE_MS));
  let seenByThen = 0;
  const timer = setTimeout(() => {
    seenByThen = seen;
    capture.stop();
  }, 0);
  t.teardown(() => clearTimeout(timer));
  // Until `run` has looked once.
  await capture.run();
  t.is(seen, total, 'what came before the end is handed over');
  t.true(seenByThen < total, `${seenByThen} had to be looked at first`);
});

test('no edge begins before the last is open: what passes one of them meanwhile is not half seen', async (t) => {
  buildLink(t);
  listen(t);
  const seen = new Map<string, number>();
  const capture = EdgeCapture.open([edge('a', 'a0'), edge('b', 'b1'), edge('c', 'c0')], {
    snapLength: 64,
    // Asked for as each edge is opened, when those before it are open already.
    program: () => {
      send(5);
      return [[0x06, 0, 0, 0xffff_ffff]];
    },
    onPacket: ({ edge: { device } }) => seen.set(device, (seen.get(device) ?? 0) + 1),
  });
  t.teardown(() => capture.close());
  send(3);
  const received = (): number[] => capture.statistics().map((counts) => counts.received);
  t.true(await until(() => received().every((count) => count >= 3), PATIENCE_MS), received().join(' '));
  capture.stop();
  await capture.run();
  const [a, b, c] = ['a0', 'b1', 'c0'].map((device) => seen.get(device) ?? 0);
  t.true(a === 3 && b === 3 && c === 3, `${a} ${b} ${c}`);
});

test('after its end a capture sees nothing more', async (t) => {
  buildLink(t);
  listen(t);
  let seen = 0;
  const capture = EdgeCapture.open([edge('a', 'a0')], { snapLength: 64, onPacket: () => seen++ });
  t.teardown(() => capture.close());
  send(3);
  t.true(await until(() => capture.statistics()[0]!.received === 3, PATIENCE_MS));
  capture.stop();
  const finished = capture.finish();
  send(3);
  await finished;
  t.is(seen, 3);
});

test('also at its end a capture has the packets of all edges in their order', async (t) => {
  buildLink(t);
  listen(t);
  const startSeconds = Math.floor(Date.now() / 1000);
  for (let round = 0; round < 10; round++) {
    const stamps: number[] = [];
    const edges = [edge('c', 'c0'), edge('b', 'b1'), edge('a', 'a0')];
    const capture = EdgeCapture.open(edges, {
      snapLength: 64,
      onPacket: ({ frame }) => stamps.push((frame.seconds - startSeconds) * 1e9 + frame.nanoseconds),
    });
    send(20);
    // The first cross the link before those behind them are sent.
    capture.stop();
    await capture.run();
    capture.close();
    t.true(stamps.length >= 40, `${stamps.length}`);
    t.deepEqual(
      stamps,
      stamps.toSorted((a, b) => a - b),
    );
  }
});

test('packets are seen though the clock was set back meanwhile', async (t) => {
  buildLink(t);
  listen(t);
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  let seen = 0;
  const capture = EdgeCapture.open([edge('a', 'a0'), { ...edge('a', 'lo'), kind: 'overlay' }], {
    snapLength: 64,
    onPacket: () => seen++,
  });
  const running = capture.run();
  t.teardown(async () => {
    capture.stop();
    await running;
    capture.close();
  });
  // As the kernel's stamps look then: an hour later than now.
  Date.now = () => now() - 3_600_000;
  send(3);
  t.true(await until(() => seen === 3, PATIENCE_MS), `${seen} of 3`);
});

test('a trace is shown what may be its probe, and not what else passes', async (t) => {
  buildLink(t);
  listen(t);
  const probe = { source: 0x0a090001, destination: 0x0a090002, transport: 'udp', port: 7, id: 1, size: 36 } as const;
  for (const [wanted, wire, seen] of [
    [probe, undefined, 0],
    [{ ...probe, transport: 'icmp' }, undefined, 0],
    [probe, { encapsulation: 'ipip' }, 0],
    // Of a tunnel all.
    [probe, { encapsulation: 'ip-in-udp', port: 7 }, 3],
  ] as const) {
    const capture = EdgeCapture.open([edge('a', 'a0')], {
      snapLength: 64,
      program: () => probeFilter(wanted, wire),
      onPacket: () => undefined,
    });
    send(3);
    await capture.finish();
    t.is(capture.statistics()[0]!.received, seen);
    capture.close();
  }
});
