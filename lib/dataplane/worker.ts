/**
 * The data-plane thread: one blocking loop over the TUN, the socket and an eventfd.
 *
 *   poll ── socket readable ── inboundTurn   (underlay to overlay)
 *        ├─ TUN readable ───── outboundTurn  (overlay to underlay)
 *        └─ eventfd ────────── stop, or a new FIB
 *
 * It never yields to the event loop. It ends within one poll timeout even if nobody wakes it, because Node can end a worker
 * only between two calls.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../error.ts';
import {
  CHUNKS,
  CONFIG,
  CONFIG_FIB_IN_USE,
  CONFIG_FIB_WANTED,
  CONFIG_STOP,
  CONFIG_VNET_HEADER,
  COUNT_OUT_RECEIVED,
  COUNTERS,
  EVENT_VALUE,
  OUT_FRAMES,
  POLL_FDS,
} from '../fastpath/abi.ts';
import { loadPacketKernels } from '../fastpath/load.ts';
import { addressOf, poll, read } from '../sys/ffi.ts';
import { adviseHugePages, touchMemory } from '../sys/memory.ts';
import { BlockingSleep } from '../sys/sleep.ts';
import { IcmpBudget } from './icmp.ts';
import { inboundTurn } from './inbound.ts';
import { Moderation } from './moderation.ts';
import { outboundTurn, resumeOutbound } from './outbound.ts';
import type { WorkerMessage, WorkerStart } from './protocol.ts';
import { DEVICE_LOST, type Queue } from './queue.ts';

const POLLIN = 0x1;
const POLLOUT = 0x4;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;
const POLL_TIMEOUT_MS = 50;
/** Our choice: how long packets gather at high rates of small ones; 1000 of them fit the device's queue. */
const MODERATION_US = 60;
/** Receive-buffer or ICMP errors on the socket are cleared by reading it. */
const SOCKET_EVENTS = POLLIN | POLLERR;

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/**
 * Our choice of nice value: the thread forwards like a softirq would, ahead of the programs it forwards for
 * (docs/adr/0010, with measurements).
 */
const NICE = -19;

/** Raises the priority of this thread alone: Linux's setpriority(2) means the calling thread by 0. */
function raisePriority(): void {
  try {
    setPriority(NICE);
  } catch (error) {
    post({ type: 'priority-refused', reason: messageOf(error) });
  }
}

function openQueue(start: WorkerStart): Queue {
  const bytes = new Uint8Array(start.memory.buffer);
  const words = new Int32Array(start.memory.buffer);
  const kernels = loadPacketKernels(start.memory);
  const base = addressOf(bytes);
  kernels.setBase(BigInt(base));
  // Measured, one CPU, one TCP stream: 4.1 Gb/s with small pages, 6.0 with huge ones (docs/adr/0003).
  adviseHugePages(base, bytes.length);
  // All but the chunks of the FIBs, which small clusters never need.
  touchMemory(words, CONFIG, CHUNKS);
  touchMemory(words, OUT_FRAMES, bytes.length);
  return {
    kernels,
    base,
    words,
    tunFd: start.tunFd,
    socketFd: start.socketFd,
    vnetHeader: words[CONFIG_VNET_HEADER / 4]!,
    batch: start.batch,
    receiveSlots: start.receiveSlots,
    pending: undefined,
    onRefused: (offload, reason) => post({ type: 'offload-refused', offload, reason }),
  };
}

/** Takes up to `turns` turns of one direction while there is something to do. Returns what they took, or DEVICE_LOST. */
function repeat(queue: Queue, turn: (queue: Queue) => number, turns: number): number {
  let total = 0;
  for (let i = 0; i < turns; i++) {
    const taken = turn(queue);
    if (taken === DEVICE_LOST) return DEVICE_LOST;
    if (taken === 0) break;
    total += taken;
  }
  return total;
}

/** Runs until it is told to stop; returns why if the device was lost instead. */
function run(start: WorkerStart): string | undefined {
  const queue = openQueue(start);
  const { words, kernels, base } = queue;
  const budget = new IcmpBudget(words, performance.now());
  const moderation = new Moderation(performance.now());
  const sleep = new BlockingSleep();
  // The low word of a u64 is enough for a difference.
  const received = () => words[COUNTERS / 4 + COUNT_OUT_RECEIVED * 2]! >>> 0;
  const fds = POLL_FDS / 4;
  words[fds] = queue.tunFd;
  words[fds + 2] = queue.socketFd;
  words[fds + 4] = start.eventFd;
  words[fds + 5] = POLLIN;
  kernels.useFib(Atomics.load(words, CONFIG_FIB_WANTED / 4));
  raisePriority();
  post({ type: 'ready' });

  while (Atomics.load(words, CONFIG_STOP / 4) === 0) {
    // While a send waits for room the TUN is left alone: its queue is the right place for packets to wait.
    words[fds + 1] = queue.pending === undefined ? POLLIN : 0;
    words[fds + 3] = queue.pending === undefined ? POLLIN : POLLIN | POLLOUT;
    const ready = poll(base + POLL_FDS, 3, POLL_TIMEOUT_MS);
    if (ready > 0 && (words[fds + 3]! >>> 16) & POLLOUT) resumeOutbound(queue);
    // Before the packets: whoever changes a route and then sends finds the route in place. Not while trains wait: they name
    // peers whose numbers may be given to others once we read a newer FIB.
    const wanted = Atomics.load(words, CONFIG_FIB_WANTED / 4);
    if (queue.pending === undefined && wanted !== words[CONFIG_FIB_IN_USE / 4]) kernels.useFib(wanted);
    if (ready <= 0) continue;
    budget.refill(performance.now());
    const tun = words[fds + 1]! >>> 16;
    const socket = words[fds + 3]! >>> 16;
    if (words[fds + 5]! >>> 16) {
      words[fds + 5] = POLLIN;
      read(start.eventFd, base + EVENT_VALUE, 8);
    }
    if (socket & SOCKET_EVENTS && repeat(queue, inboundTurn, start.turns) === DEVICE_LOST) return 'write: EBADFD';
    if (tun & (POLLERR | POLLHUP | POLLNVAL)) return `poll reports events 0x${tun.toString(16)}`;
    if (tun & POLLIN) {
      if (moderation.active) sleep.microseconds(MODERATION_US);
      const before = received();
      const frames = repeat(queue, outboundTurn, start.turns);
      if (frames === DEVICE_LOST) return 'read: EBADFD';
      if (start.batch > 1) moderation.note(frames, received() - before, performance.now());
    }
  }
  return undefined;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- client.ts is the only one who starts this file
const lost = run(workerData as WorkerStart);
if (lost !== undefined) post({ type: 'device-lost', reason: lost });
