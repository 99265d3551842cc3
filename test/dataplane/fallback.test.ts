/**
 * What the data plane does when the kernel refuses an offload in operation: the same turns as in the worker, on real
 * descriptors that refuse. No root needed.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { inboundTurn } from '../../lib/dataplane/worker/inbound.ts';
import { outboundTurn } from '../../lib/dataplane/worker/outbound.ts';
import {
  CONFIG_MAX_TRAIN,
  COUNT_IN_FORWARDED,
  COUNT_IN_RECEIVED,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_RECEIVED,
  SEGMENT_SIZE,
  SEGMENT_TUN_GRO,
  SEGMENTS,
} from '../../lib/fastpath/abi.ts';
import { SO_SNDBUF, SOL_SOCKET } from '../../lib/linux/socket.ts';
import { close, getsockname, send } from '../../lib/sys/ffi.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { SEGMENT } from '../fastpath/harness.ts';
import { frame, payload, tcp4, udp4 } from '../fastpath/packets.ts';
import { PATIENCE_MS } from '../patience.ts';
import { devicePair, option, queueFixture, received } from './queue-fixture.ts';

const LOOPBACK = parseIpv4('127.0.0.1')!;
const SO_NO_CHECK = 11;

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
    const { harness, queue, refused } = queueFixture(
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
    t.is(queue.words[CONFIG_MAX_TRAIN / 4], 1);
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
    const { harness, queue, refused } = queueFixture(pair.device, socketFd, LOOPBACK, socketAddress(LOOPBACK, 9));
    const port = portOf(socketFd);
    const segments = [0, 1, 2, 3].map((i) =>
      tcp4({ sequence: i * 1400, id: i, payload: payload(1400, i), source: '10.244.2.2', destination: '10.244.1.2' }),
    );
    const written: Uint8Array[] = [];
    for (const segment of segments) await sendTo(peer, segment, port);
    const deadline = performance.now() + PATIENCE_MS;
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
