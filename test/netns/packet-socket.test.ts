import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { compileFilter } from '../../lib/sys/libpcap.ts';
import type { SeenFrame } from '../../lib/sys/packet-frame.ts';
import { PacketSocket } from '../../lib/sys/packet-socket.ts';
import { Readiness } from '../../lib/sys/readiness.ts';
import { testInFreshNamespace } from './enter.ts';

const test = testInFreshNamespace();

const ip = (...args: string[]): void => void execFileSync('ip', args);

/** A device whose frames go nowhere. */
function makeDevice(t: ExecutionContext, name: string): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
  t.teardown(() => {
    execFileSync('sh', ['-c', `ip link del ${name} 2>/dev/null || true`]);
  });
  ip('link', 'set', `${name}p`, 'up');
  ip('link', 'set', name, 'up');
  ip('addr', 'add', '10.9.0.1/24', 'dev', name);
  ip('neigh', 'add', '10.9.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', name);
}

async function sendTo(port: number, payloads: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const payload of payloads)
    await new Promise<void>((resolve, reject) => {
      socket.send(payload, port, '10.9.0.2', (error) => (error ? reject(error) : resolve()));
    });
  socket.close();
  await once(socket, 'close');
}

/** What came until there are `count`, as copies. */
async function collect(socket: PacketSocket, count: number): Promise<SeenFrame[]> {
  const readiness = new Readiness([socket.fd]);
  const frames: SeenFrame[] = [];
  try {
    while (frames.length < count) {
      await readiness.wait(-1);
      socket.drain((frame) => frames.push({ ...frame, bytes: Uint8Array.from(frame.bytes) }));
    }
  } finally {
    readiness.close();
  }
  return frames;
}

test('frames come with their time, direction and length, cut to the snap length', async (t) => {
  makeDevice(t, 'd0');
  const socket = PacketSocket.open({ device: 'd0', snapLength: 60, filter: compileFilter('udp port 99', 1) });
  t.teardown(() => socket.close());
  t.like(socket, { linkType: 1, mtu: 1500 });
  const before = Date.now();
  await sendTo(98, [new Uint8Array(5)]);
  await sendTo(99, [new Uint8Array(4), new Uint8Array(500).fill(7), new Uint8Array(40)]);
  const frames = await collect(socket, 3);
  t.deepEqual(
    frames.map(({ length, bytes, outgoing, vnetGsoType }) => ({ length, kept: bytes.length, outgoing, vnetGsoType })),
    [
      { length: 46, kept: 46, outgoing: true, vnetGsoType: 0 },
      { length: 542, kept: 60, outgoing: true, vnetGsoType: 0 },
      { length: 82, kept: 60, outgoing: true, vnetGsoType: 0 },
    ],
  );
  t.is(new DataView(frames[1]!.bytes.buffer).getUint16(36), 99);
  for (const { seconds, nanoseconds } of frames) {
    const at = seconds * 1000 + nanoseconds / 1e6;
    t.true(at >= before - 1 && at <= Date.now() + 1, `${at}`);
  }
  t.deepEqual(socket.statistics(), { received: 3, dropped: 0 });
});

test('a ring that is full loses frames, counts them, and goes on when it is read', async (t) => {
  makeDevice(t, 'd1');
  // The least: four blocks of half a mebibyte.
  const socket = PacketSocket.open({ device: 'd1', snapLength: 65_535, ringBytes: 1, filter: compileFilter('udp', 1) });
  t.teardown(() => socket.close());
  const many = Array.from({ length: 3000 }, () => new Uint8Array(1400));
  await sendTo(99, many);
  // As many as fit, at once: a block that was given up by time holds fewer.
  const frames = await collect(socket, 1);
  await sendTo(99, [new Uint8Array(3)]);
  const last = await collect(socket, 1);
  t.is(last.at(-1)?.length, 45);
  const { received, dropped } = socket.statistics();
  t.is(received, 3001);
  t.true(dropped > 0);
  t.is(frames.length + last.length + dropped, 3001);
});

test('errors name what is missing; a device that goes is said, after what came before', async (t) => {
  makeDevice(t, 'd2');
  t.throws(() => PacketSocket.open({ device: 'nowhere', snapLength: 99 }), { code: 'NO_SUCH_DEVICE' });
  t.throws(() => PacketSocket.open({ device: 'd2', snapLength: 99, netns: '/run/netns/weft-none' }), {
    code: 'NETNS_MISSING',
  });
  const socket = PacketSocket.open({ device: 'd2', snapLength: 99, filter: compileFilter('udp port 9', 1) });
  t.teardown(() => socket.close());
  await sendTo(9, [new Uint8Array(3)]);
  ip('link', 'set', 'd2', 'down');
  ip('link', 'set', 'd2', 'up');
  ip('link', 'del', 'd2');
  const readiness = new Readiness([socket.fd]);
  t.teardown(() => readiness.close());
  let seen = 0;
  let gone: Error | undefined;
  while (gone === undefined) {
    await readiness.wait(-1);
    gone = tryDrain(socket, () => seen++);
  }
  t.like(gone, { code: 'DEVICE_GONE', message: 'Device "d2" is gone' });
  t.is(seen, 1);
});

function tryDrain(socket: PacketSocket, onFrame: () => void): Error | undefined {
  try {
    socket.drain(onFrame);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

test('what was seen can be looked at after the close, as zeros', async (t) => {
  makeDevice(t, 'd3');
  const socket = PacketSocket.open({ device: 'd3', snapLength: 99, filter: compileFilter('udp port 9', 1) });
  await sendTo(9, [new Uint8Array(3)]);
  const readiness = new Readiness([socket.fd]);
  await readiness.wait(-1);
  readiness.close();
  const view = socket.peek()!.bytes;
  t.is(view.length, 45);
  socket.close();
  t.deepEqual([...view], new Array(45).fill(0));
  t.is(socket.peek(), undefined);
});

test("a filter that is none is refused with the compiler's own words", (t) => {
  t.throws(() => compileFilter('udp prt 9', 1), { code: 'BAD_FILTER', message: /"udp prt 9".*syntax error/s });
  t.throws(() => compileFilter('ether host 02:00:00:00:00:02', 101), { code: 'BAD_FILTER' });
});
