/**
 * What the stage clock costs: the worker's own turns over a million packets each way, of which every other batch goes without
 * it. A unix socket stands for the TUN, loopback for the underlay. Not a test, for its result is times:
 *
 *   node dist/test/dataplane/worker/stage-clock-cost.js
 */
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { inboundTurn } from '../../../lib/dataplane/worker/inbound.ts';
import { outboundTurn } from '../../../lib/dataplane/worker/outbound.ts';
import type { Queue } from '../../../lib/dataplane/worker/queue.ts';
import { StageClock } from '../../../lib/dataplane/worker/stage-clock.ts';
import { median } from '../../../lib/measure/statistics.ts';
import { close, connect, getsockname, send } from '../../../lib/sys/ffi.ts';
import { socketAddress } from '../../../lib/sys/socket-address.ts';
import { openUdpSocket } from '../../../lib/sys/udp-socket.ts';
import { SEGMENT } from '../../fastpath/harness.ts';
import { frame, payload, udp4 } from '../../fastpath/packets.ts';
import { devicePair, queueFixture, received } from '../queue-fixture.ts';

const PACKETS = 1_000_000;
/** What a unix socket's queue takes (net.unix.max_dgram_qlen). */
const ROUND = 8;
/** Rounds that are timed together, with and without a clock in turn. */
const BLOCK = 250;
const LOOPBACK = parseIpv4('127.0.0.1')!;

/** Milliseconds of a block of rounds: each is fed, timed and cleared. */
function block(queue: Queue, withClock: boolean, feed: () => void, turn: () => void, clear: () => void): number {
  let spent = 0;
  for (let round = 0; round < BLOCK; round++) {
    feed();
    const start = performance.now();
    if (withClock) {
      queue.clock.fallAsleep();
      if (queue.clock.on) queue.clock.wake(performance.now(), [SEGMENT]);
    }
    turn();
    spent += performance.now() - start;
    clear();
  }
  return spent;
}

function compare(name: string, measured: Queue, plain: Queue, run: (queue: Queue, withClock: boolean) => number): void {
  const blocks = PACKETS / ROUND / BLOCK;
  const samples = { measured: [] as number[], plain: [] as number[] };
  for (let i = 0; i < 20; i++) run(i % 2 === 0 ? measured : plain, i % 2 === 0);
  for (let i = 0; i < blocks; i++) {
    // In turn: whoever comes second finds caches and a heap as the first has left them.
    for (const withClock of i % 2 === 0 ? [true, false] : [false, true])
      if (withClock) samples.measured.push(run(measured, true));
      else samples.plain.push(run(plain, false));
  }
  const perPacket = (values: readonly number[]) => (median(values) * 1e6) / (BLOCK * ROUND);
  const [on, off] = [perPacket(samples.measured), perPacket(samples.plain)];
  const cost = median(samples.measured.map((value, i) => value / samples.plain[i]! - 1));
  process.stdout.write(
    `${name}: ${off.toFixed(1)} ns a packet without the clock, ${on.toFixed(1)} with it; ` +
      `median of ${blocks} pairs of blocks ${(cost * 100).toFixed(2)} %\n`,
  );
}

function repeat(action: () => unknown): void {
  for (let i = 0; i < ROUND; i++) action();
}

function portOf(fd: number): number {
  const address = new Uint8Array(16);
  if (getsockname(fd, address, new Uint8Array(new Uint32Array([address.length]).buffer)) < 0)
    throw new Error('getsockname failed');
  return new DataView(address.buffer).getUint16(2);
}

const pair = devicePair();
const peer = openUdpSocket(LOOPBACK, 0, 1 << 16);
const socket = openUdpSocket(LOOPBACK, 0, 1 << 20);
const peerAddress = socketAddress(LOOPBACK, portOf(peer));
const { queue } = queueFixture(pair.device, socket, LOOPBACK, peerAddress);
// The same memory and descriptors, and one shape of object; the clock of `plain` is never on.
const measured: Queue = { ...queue };
const plain: Queue = { ...queue, clock: new StageClock(queue.words.buffer) };

const outbound = frame(udp4({ source: '10.244.1.2', destination: '10.244.2.2', payload: payload(1000) }));
compare('out', measured, plain, (which, withClock) =>
  block(
    which,
    withClock,
    () => repeat(() => send(pair.kernel, outbound, outbound.length, 0)),
    () => outboundTurn(which, SEGMENT),
    () => received(peer),
  ),
);

const inbound = udp4({ source: '10.244.2.2', destination: '10.244.1.2', payload: payload(1000) });
const back = socketAddress(LOOPBACK, portOf(socket));
if (connect(peer, back, back.length) < 0) throw new Error('cannot connect');
compare('in', measured, plain, (which, withClock) =>
  block(
    which,
    withClock,
    () => repeat(() => send(peer, inbound, inbound.length, 0)),
    () => inboundTurn(which, socket),
    () => received(pair.kernel),
  ),
);
pair.close();
close(peer);
close(socket);
