/** What the data-plane thread works with, on descriptors a test chooses: the same turns as in the worker. No root needed. */
import type { OffloadName } from '../../lib/dataplane/stats.ts';
import { NeighborTables } from '../../lib/dataplane/worker/neighbor/tables.ts';
import type { Queue } from '../../lib/dataplane/worker/queue.ts';
import { StageClock } from '../../lib/dataplane/worker/stage-clock.ts';
import { StormLimiter } from '../../lib/dataplane/worker/storm.ts';
import { addressOf, bind, close, connect, recv, setsockopt, socket } from '../../lib/sys/ffi.ts';
import { Harness, type HarnessOptions } from '../fastpath/harness.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const MSG_DONTWAIT = 0x40;

/** Two unix datagram sockets that stand for the TUN: one message in is one read, one write is one message out. */
export function devicePair(): { device: number; kernel: number; close: () => void } {
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

export function option(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  if (setsockopt(fd, level, name, bytes, 4) < 0) throw new Error(`setsockopt ${name} failed`);
}

export function received(fd: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const buffer = new Uint8Array(70_000);
  for (;;) {
    const size = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
    if (size < 0) return messages;
    messages.push(buffer.slice(0, size));
  }
}

export interface QueueFixture {
  readonly harness: Harness;
  readonly queue: Queue;
  readonly refused: OffloadName[];
}

/** By default IP-in-UDP with one peer, at `publicIp`. */
export function queueFixture(
  tunFd: number,
  socketFd: number,
  publicIp: number,
  socketAddress: Uint8Array,
  change: Partial<HarnessOptions> = {},
): QueueFixture {
  const harness = new Harness({
    own4: '10.244.1.0/24',
    peers: [{ publicIp, prefixes: ['10.244.2.0/24'], socketAddress }],
    ...change,
  });
  const base = addressOf(harness.bytes);
  harness.fastpath.setBase(BigInt(base));
  const refused: OffloadName[] = [];
  harness.record.setDevice({ fd: tunFd, vnetHeader: true, mtu: 1472, tunGro: true, tunUso: true });
  const socket = { fd: socketFd, family: 4 } as const;
  const queue: Queue = {
    fastpath: harness.fastpath,
    raw: false,
    base,
    words: harness.words,
    receive: [socket],
    send: [socket],
    batch: 64,
    receiveSlots: 8,
    pending: undefined,
    flood: undefined,
    neighbors: new NeighborTables(harness.fastpath, harness.memory),
    storm: new StormLimiter(),
    clock: new StageClock(harness.memory.buffer),
    nowMs: 0,
    onRefused: (offload) => refused.push(offload),
  };
  return { harness, queue, refused };
}
