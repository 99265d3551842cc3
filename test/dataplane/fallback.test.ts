/**
 * What the data plane does when the kernel refuses an offload in operation: the same turns as in the worker, on real
 * descriptors that refuse. No root needed.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { inboundTurn } from '../../lib/dataplane/inbound.ts';
import { NeighborTables } from '../../lib/dataplane/neighbor-tables.ts';
import { outboundTurn } from '../../lib/dataplane/outbound.ts';
import type { Queue } from '../../lib/dataplane/queue.ts';
import type { OffloadName } from '../../lib/dataplane/stats.ts';
import { StormLimiter } from '../../lib/dataplane/storm.ts';
import {
  CONFIG_MAX_SEGMENTS,
  COUNT_IN_FORWARDED,
  COUNT_IN_RECEIVED,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_RECEIVED,
  SEGMENT_SIZE,
  SEGMENT_TUN_GRO,
  SEGMENTS,
} from '../../lib/fastpath/abi.ts';
import { addressOf, bind, close, connect, getsockname, recv, send, setsockopt, socket } from '../../lib/sys/ffi.ts';
import { openUdpSocket, socketAddress } from '../../lib/sys/udp-socket.ts';
import { Harness, SEGMENT } from '../fastpath/harness.ts';
import { frame, payload, tcp4, udp4 } from '../fastpath/packets.ts';

const LOOPBACK = parseIpv4('127.0.0.1')!;
const SOL_SOCKET = 1;
const SO_NO_CHECK = 11;
const SO_SNDBUF = 7;
const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const MSG_DONTWAIT = 0x40;

/** Two unix datagram sockets that stand for the TUN: one message in is one read, one write is one message out. */
function devicePair(): { device: number; kernel: number; close: () => void } {
  const name = (suffix: string) => {
    const text = `weft-test-${process.pid}-${performance.now()}-${suffix}`;
    const bytes = new Uint8Array(2 + 1 + text.length);
    new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
    bytes.set(new TextEncoder().encode(text), 3);
    return bytes;
  };
  const device = socket(AF_UNIX, SOCK_DGRAM_NONBLOCK, 0);
  const kernel = socket(AF_UNIX, SOCK_DGRAM_NONBLOCK, 0);
  const [deviceName, kernelName] = [name('device'), name('kernel')];
  if (bind(device, deviceName, deviceName.length) < 0 || bind(kernel, kernelName, kernelName.length) < 0)
    throw new Error('cannot bind');
  if (connect(device, kernelName, kernelName.length) < 0 || connect(kernel, deviceName, deviceName.length) < 0)
    throw new Error('cannot connect');
  return {
    device,
    kernel,
    close: () => {
      close(device);
      close(kernel);
    },
  };
}

function option(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  if (setsockopt(fd, level, name, bytes, 4) < 0) throw new Error(`setsockopt ${name} failed`);
}

function received(fd: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const buffer = new Uint8Array(70_000);
  for (;;) {
    const size = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
    if (size < 0) return messages;
    messages.push(buffer.slice(0, size));
  }
}

interface Bed {
  readonly harness: Harness;
  readonly queue: Queue;
  readonly refused: OffloadName[];
}

function bed(tunFd: number, socketFd: number, publicIp: number, socketAddress: Uint8Array): Bed {
  const harness = new Harness({
    own4: '10.244.1.0/24',
    peers: [{ publicIp, prefixes: ['10.244.2.0/24'], socketAddress }],
  });
  const base = addressOf(harness.bytes);
  harness.kernels.setBase(BigInt(base));
  const refused: OffloadName[] = [];
  harness.record.setDevice({ fd: tunFd, vnetHeader: true, mtu: 1472, tunGro: true, tunUso: true });
  const socket = { fd: socketFd, family: 4 } as const;
  const queue: Queue = {
    kernels: harness.kernels,
    base,
    words: harness.words,
    receive: [socket],
    send: [socket],
    batch: 64,
    receiveSlots: 8,
    pending: undefined,
    flood: undefined,
    neighbors: new NeighborTables(harness.kernels, harness.memory),
    storm: new StormLimiter(),
    nowMs: 0,
    onRefused: (offload) => refused.push(offload),
  };
  return { harness, queue, refused };
}

test('a socket that refuses UDP_SEGMENT: the same datagrams leave one by one, none lost, and it is said once', async (t) => {
  const peer = createSocket('udp4');
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  const got: Buffer[] = [];
  peer.on('message', (message) => got.push(message));
  const pair = devicePair();
  const socketFd = openUdpSocket(LOOPBACK, 0, 1 << 20);
  try {
    // udp(7), measured: a send with UDP_SEGMENT on a socket without checksums fails with EINVAL.
    option(socketFd, SOL_SOCKET, SO_NO_CHECK, 1);
    const { harness, queue, refused } = bed(
      pair.device,
      socketFd,
      LOOPBACK,
      socketAddress(LOOPBACK, peer.address().port),
    );
    const packets = Array.from({ length: 20 }, (_, i) =>
      udp4({ source: '10.244.1.2', destination: '10.244.2.2', id: i, payload: payload(100, i), ttl: 64 }),
    );
    for (let round = 0; round < 2; round++) {
      for (const packet of packets) send(pair.kernel, frame(packet), packet.length + 10, 0);
      outboundTurn(queue, SEGMENT);
    }
    while (got.length < 40) await once(peer, 'message');
    t.deepEqual(
      got.map((bytes) => bytes.readUInt16BE(4)),
      [...packets.keys(), ...packets.keys()],
      'in order',
    );
    t.deepEqual(refused, ['udp-gso']);
    t.is(queue.words[CONFIG_MAX_SEGMENTS / 4], 1);
    t.is(harness.counter(COUNT_OUT_RECEIVED), 40);
    t.is(harness.counter(COUNT_OUT_FORWARDED), 40);
  } finally {
    pair.close();
    close(socketFd);
    peer.close();
  }
});

test('a device that refuses joined packets: every packet is written as it came, and it is said once', async (t) => {
  const pair = devicePair();
  // The smallest buffer the kernel grants: a packet of 1,400 bytes fits, three joined do not (EMSGSIZE).
  option(pair.device, SOL_SOCKET, SO_SNDBUF, 1);
  const socketFd = openUdpSocket(LOOPBACK, 0, 1 << 20);
  const peer = createSocket('udp4');
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  try {
    const { harness, queue, refused } = bed(pair.device, socketFd, LOOPBACK, socketAddress(LOOPBACK, 9));
    const port = portOf(socketFd);
    const segments = [0, 1, 2, 3].map((i) =>
      tcp4({ sequence: i * 1400, id: i, payload: payload(1400, i), source: '10.244.2.2', destination: '10.244.1.2' }),
    );
    const written: Uint8Array[] = [];
    for (const segment of segments) await sendTo(peer, segment, port);
    const deadline = performance.now() + 5000;
    while (harness.counter(COUNT_IN_RECEIVED) < 4 && performance.now() < deadline) {
      inboundTurn(queue, socketFd);
      written.push(...received(pair.kernel));
    }
    t.deepEqual(refused, ['tun-gro']);
    t.is(queue.words[(SEGMENTS + SEGMENT * SEGMENT_SIZE + SEGMENT_TUN_GRO) / 4], 0);
    t.is(harness.counter(COUNT_IN_RECEIVED), 4);
    t.true(written.length >= 1);
    t.is(harness.counter(COUNT_IN_FORWARDED), written.length, 'what the small buffer refused is counted, not lost');
    for (const [i, bytes] of written.entries()) {
      t.deepEqual([...bytes.subarray(0, 10)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      t.deepEqual(Buffer.from(bytes.subarray(22)), Buffer.from(segments[i]!.subarray(12)), `packet ${i}`);
    }
  } finally {
    pair.close();
    close(socketFd);
    peer.close();
  }
});

/** The port the kernel chose. */
function portOf(fd: number): number {
  const name = new Uint8Array(16);
  if (getsockname(fd, name, Uint8Array.of(16, 0, 0, 0)) < 0) throw new Error('getsockname failed');
  return new DataView(name.buffer).getUint16(2);
}

function sendTo(peer: ReturnType<typeof createSocket>, bytes: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    peer.send(bytes, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)));
  });
}
