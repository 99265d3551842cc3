/**
 * The data-plane thread: one blocking loop over devices, sockets and an eventfd.
 *
 *   poll ── socket readable ── inboundTurn   (underlay to overlay)
 *        ├─ device readable ── outboundTurn  (overlay to underlay)
 *        └─ eventfd ────────── stop, new tables, devices given or taken
 *
 * It never yields to the event loop. It ends within one poll timeout even if nobody wakes it, because Node can end a worker
 * only between two calls.
 */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import {
  CONFIG_NEIGHBORS_WANTED,
  CONFIG_NOW,
  CONFIG_STOP,
  CONFIG_TABLES_IN_USE,
  CONFIG_TABLES_WANTED,
  CONFIG_TAP,
  COUNT_OUT_RECEIVED,
  COUNTER_BLOCK,
  COUNTERS,
  EVENT_VALUE,
  PROBE_NOW,
  TAP_CLOCK,
} from '../../fastpath/abi.ts';
import { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT } from '../../linux/poll.ts';
import { realtimeOffset } from '../../sys/clock.ts';
import { read } from '../../sys/ffi.ts';
import { BlockingSleep } from '../../sys/sleep.ts';
import type { WorkerMessage, WorkerStart } from '../protocol.ts';
import { Devices, deviceOf, forgetDevice } from './devices.ts';
import { admitSenders, continueFlood } from './flood.ts';
import { IcmpBudget } from './icmp.ts';
import { inboundTurn } from './inbound.ts';
import { Moderation } from './moderation.ts';
import { openQueue } from './open-queue.ts';
import { outboundTurn } from './outbound.ts';
import { PathHints } from './path-hints.ts';
import { PollSet } from './poll-set.ts';
import { raisePriority } from './priority.ts';
import { sendProbes } from './probes.ts';
import { DEVICE_LOST, type Queue } from './queue.ts';
import { resumeSend } from './send.ts';

const POLL_TIMEOUT_MS = 50;
/** Our choice: how long packets gather at high rates of small ones; 1000 of them fit the device's queue. */
const MODERATION_US = 60;
/** Receive-buffer or ICMP errors on a socket are cleared by reading it. */
const SOCKET_EVENTS = POLLIN | POLLERR;
/** POLLERR of poll(2) and EBADFD of read(2): the kernel has unregistered the device (drivers/net/tun.c). */
const DELETED = 'it was deleted';
/** So often the tap's clock is set by the time of day, which may be set too. */
const TAP_CLOCK_MS = 1000;
/** What is learned is searched for aged entries so often; it is not used after its time in any case. */
const SWEEP_MS = 5000;

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/** Takes up to `turns` turns of one direction while there is something to do. Returns what they took, or DEVICE_LOST. */
function repeat(queue: Queue, turn: (queue: Queue, which: number) => number, which: number, turns: number): number {
  let total = 0;
  for (let i = 0; i < turns; i++) {
    const taken = turn(queue, which);
    if (taken === DEVICE_LOST) return DEVICE_LOST;
    if (taken === 0) break;
    total += taken;
  }
  return total;
}

class Loop {
  readonly #start: WorkerStart;
  readonly #queue: Queue;
  readonly #devices: Devices;
  readonly #budget: IcmpBudget;
  /** Of frames from devices, and of packets from a raw socket. */
  readonly #outbound: Moderation;
  readonly #inbound: Moderation;
  /**
   * A peer sends to a raw socket packet by packet, and each may wake us at its expense. Measured, TCP over ipip: 2.2 Gb/s
   * without a moment's wait, 2.6 with it. A kernel VXLAN peer, whom we keep waiting rather, loses by it (3.3 to 2.4).
   */
  readonly #moderatesInbound: boolean;
  /** Packets have gathered in this turn already. */
  #gathered = false;
  readonly #sleep = new BlockingSleep();
  readonly #polls: PollSet;
  /** First entry of `#polls` of those that send only. */
  #sendOnlyFrom = 0;
  /** Segments whose devices are in `#polls`. */
  #polled: readonly number[] = [];
  #neighborsSent = 0;
  readonly #hints = new PathHints((peer, mtu) => post({ type: 'path-hint', peer, mtu }));
  /** They receive nothing but ICMP errors: those that are not among the receiving ones. */
  readonly #sendOnly: readonly number[];
  readonly #doubles: Float64Array;
  #sweptMs: number;
  /** CONFIG_TAP as the fast path has it. */
  #tap = 0;
  #tapClockMs = 0;

  constructor(start: WorkerStart) {
    const nowMs = performance.now();
    this.#start = start;
    this.#queue = openQueue(start, (offload, reason) => post({ type: 'offload-refused', offload, reason }));
    this.#polls = new PollSet(this.#queue);
    this.#doubles = new Float64Array(start.memory.buffer);
    const received = new Set(start.receive.map(({ fd }) => fd));
    // Over IPv4 such sockets ask for no errors.
    this.#sendOnly = start.send.filter(({ fd, family }) => family === 6 && !received.has(fd)).map(({ fd }) => fd);
    this.#devices = new Devices(this.#queue.words);
    this.#budget = new IcmpBudget(this.#queue.words, nowMs);
    this.#outbound = new Moderation(nowMs);
    this.#inbound = new Moderation(nowMs);
    this.#moderatesInbound = this.#queue.raw && start.batch > 1;
    this.#sweptMs = nowMs;
    this.#tick(nowMs);
    this.#takeNews();
  }

  run(): void {
    const { words, clock } = this.#queue;
    while (Atomics.load(words, CONFIG_STOP / 4) === 0) {
      clock.fallAsleep();
      const ready = this.#poll();
      const nowMs = performance.now();
      if (clock.on) clock.wake(nowMs, this.#devices.segments);
      this.#tick(nowMs);
      this.#takeNews();
      if (ready > 0) this.#work();
    }
  }

  /** Entries of `#polls`: eventfd, receiving sockets, devices; while a send waits for room, its socket in place of the devices. */
  #poll(): number {
    const { words, receive, send, pending } = this.#queue;
    const polls = this.#polls;
    polls.clear();
    polls.add(this.#start.eventFd, POLLIN);
    for (const { fd } of receive) polls.add(fd, POLLIN);
    if (pending !== undefined) {
      // The devices are left alone: their queues are the right place for packets to wait.
      polls.add(send[pending.socket]!.fd, POLLOUT);
    } else {
      this.#polled = this.#devices.segments;
      for (const segment of this.#polled) polls.add(deviceOf(words, segment), POLLIN);
    }
    // Of these only errors are reported, for which poll need not be asked.
    this.#sendOnlyFrom = polls.size;
    for (const fd of this.#sendOnly) polls.add(fd, 0);
    return polls.wait(POLL_TIMEOUT_MS);
  }

  /**
   * What the main thread changed, before any packet: a route that was changed before a packet is in place for it. Not
   * while trains wait: they name peers whose numbers may be given to others once we read newer tables.
   */
  #takeNews(): void {
    const { words, fastpath, pending, flood, neighbors, storm } = this.#queue;
    if (pending !== undefined || flood !== undefined) return;
    const wanted = Atomics.load(words, CONFIG_TABLES_WANTED / 4);
    if (wanted !== words[CONFIG_TABLES_IN_USE / 4]) fastpath.useTables(wanted);
    for (const segment of this.#devices.refresh() ?? []) {
      fastpath.enterSegment(segment);
      fastpath.fdbForget();
      neighbors.forget(segment);
      storm.forget(segment);
    }
    const tap = Atomics.load(words, CONFIG_TAP / 4) >>> 0;
    if (tap !== this.#tap) {
      this.#tap = tap;
      this.#setTapClock();
      fastpath.tapSet(tap);
    }
    const request = Atomics.load(words, CONFIG_NEIGHBORS_WANTED / 4);
    if (request === this.#neighborsSent) return;
    this.#neighborsSent = request;
    post({ type: 'neighbors', request, neighbors: neighbors.list(performance.now()) });
  }

  #setTapClock(): void {
    this.#tapClockMs = this.#queue.nowMs;
    new BigInt64Array(this.#queue.words.buffer, TAP_CLOCK, 1)[0] = realtimeOffset();
  }

  #work(): void {
    const { base, receive, pending, words } = this.#queue;
    const polls = this.#polls;
    if (polls.events(0) !== 0) read(this.#start.eventFd, base + EVENT_VALUE, 8);
    const first = 1 + receive.length;
    sendProbes(this.#queue);
    this.#readErrors();
    if (pending !== undefined && polls.events(first) !== 0) resumeSend(this.#queue);
    this.#gathered = false;
    for (let i = 0; i < receive.length; i++) if (polls.events(1 + i) & SOCKET_EVENTS) this.#readSocket(receive[i]!.fd);
    if (this.#queue.flood !== undefined) continueFlood(this.#queue);
    if (pending !== undefined) return;
    // The list is the one that was polled: of a device that came or went since, poll has said nothing.
    const segments = this.#polled;
    for (let i = 0; i < segments.length; i++) {
      const segment = segments[i]!;
      if (polls.descriptor(first + i) === deviceOf(words, segment)) this.#readDevice(segment, polls.events(first + i));
    }
  }

  /** Before the sockets are read: a receive would report an error instead of what has come. */
  #readErrors(): void {
    const { receive, nowMs } = this.#queue;
    for (let i = 0; i < receive.length; i++)
      if (this.#polls.events(1 + i) & POLLERR) this.#hints.read(receive[i]!.fd, nowMs);
    for (let i = 0; i < this.#sendOnly.length; i++)
      if (this.#polls.events(this.#sendOnlyFrom + i) & POLLERR) this.#hints.read(this.#sendOnly[i]!, nowMs);
  }

  #readSocket(fd: number): void {
    this.#gather(this.#inbound);
    const messages = repeat(this.#queue, inboundTurn, fd, this.#start.turns);
    if (this.#moderatesInbound) this.#inbound.note(messages, messages, performance.now());
  }

  /** Once a turn, and only where packets are moderated: a moment's wait. */
  #gather(moderation: Moderation): void {
    if (!moderation.active || this.#gathered) return;
    this.#gathered = true;
    this.#sleep.microseconds(MODERATION_US);
  }

  #readDevice(segment: number, events: number): void {
    if (events === 0) return;
    if (events & (POLLERR | POLLHUP | POLLNVAL)) {
      this.#lost(segment, events & POLLNVAL ? 'its descriptor was closed' : DELETED);
      return;
    }
    this.#gather(this.#outbound);
    const before = this.#received(segment);
    const frames = repeat(this.#queue, outboundTurn, segment, this.#start.turns);
    if (this.#queue.flood !== undefined) continueFlood(this.#queue);
    if (frames === DEVICE_LOST) this.#lost(segment, DELETED);
    else if (this.#start.batch > 1) {
      this.#outbound.note(frames, this.#received(segment) - before, performance.now());
    }
  }

  /** The low word of a u64 is enough for a difference. */
  #received(segment: number): number {
    return this.#queue.words[(COUNTERS + segment * COUNTER_BLOCK) / 4 + COUNT_OUT_RECEIVED * 2]! >>> 0;
  }

  #lost(segment: number, reason: string): void {
    forgetDevice(this.#queue.words, segment);
    this.#devices.collect();
    post({ type: 'device-lost', segment, reason });
  }

  #tick(nowMs: number): void {
    const { words, fastpath } = this.#queue;
    this.#queue.nowMs = nowMs;
    this.#doubles[PROBE_NOW / 8] = nowMs;
    words[CONFIG_NOW / 4] = Math.floor(nowMs / 1000);
    this.#budget.refill(nowMs);
    admitSenders(this.#queue);
    if (this.#tap !== 0 && nowMs - this.#tapClockMs > TAP_CLOCK_MS) this.#setTapClock();
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    fastpath.fdbSweep();
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- lib/dataplane/main/client.ts is the only one who starts this file
const loop = new Loop(workerData as WorkerStart);
const priorityRefused = raisePriority();
if (priorityRefused !== undefined) post({ type: 'priority-refused', reason: priorityRefused });
post({ type: 'ready' });
loop.run();
