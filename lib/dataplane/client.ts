/** The main thread's handle on a data-plane worker: the only place that starts one. */
import { Worker } from 'node:worker_threads';
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import { ipv4Mask, ipv6Mask, ipv6Prefix, type Prefix } from '../addr/prefix.ts';
import {
  CONFIG_HAS_TUNNEL6,
  CONFIG_MAX_SEGMENTS,
  CONFIG_OWN4,
  CONFIG_OWN4_MASK,
  CONFIG_OWN6,
  CONFIG_SOURCE_CHECK,
  CONFIG_STOP,
  CONFIG_TUN_GRO,
  CONFIG_TUN_USO,
  CONFIG_TUNNEL4,
  CONFIG_TUNNEL6,
  CONFIG_VNET_HEADER,
  COUNT_DROPS,
  COUNT_ICMP_LIMITED,
  COUNT_ICMP_SENT,
  COUNT_IN_BYTES,
  COUNT_IN_FORWARDED,
  COUNT_IN_READS,
  COUNT_IN_RECEIVED,
  COUNT_IN_WRITES,
  COUNT_OUT_BYTES,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_READS,
  COUNT_OUT_RECEIVED,
  COUNT_OUT_WRITES,
  COUNT_SOCKET_OVERFLOW,
  COUNTERS,
} from '../fastpath/abi.ts';
import { createQueueMemory } from '../fastpath/load.ts';
import { addressBytes } from '../fib/trie.ts';
import type { SubnetPair } from '../lease/lease.ts';
import { closeFd } from '../sys/descriptor.ts';
import { openEvent, signalEvent } from '../sys/event.ts';
import { DROP_REASONS, type DropReason } from './drop.ts';
import { FibWriter, type PeerRoutes } from './fib-writer.ts';
import type { WorkerMessage, WorkerStart } from './protocol.ts';
import type { DataplaneStats, OffloadName } from './stats.ts';

/** Our choice: frames per turn; a turn is what one direction may take before the other has its chance. */
const BATCH = 64;
const RECEIVE_SLOTS = 8;
const VNET_HEADER_SIZE = 10;
const FIB_RETRY_MS = 1;

export interface DataplaneOptions {
  /** Stay open until `stop` has resolved; the caller closes them. */
  readonly tunFd: number;
  readonly socketFd: number;
  /** The TUN was opened with IFF_VNET_HDR. */
  readonly vnetHeader: boolean;
  /** Datagrams per UDP_SEGMENT send; 1 switches it off. */
  readonly maxSegments: number;
  readonly tunGro: boolean;
  readonly tunUso: boolean;
  /** False: one packet per system call, `--offload=off`. */
  readonly batching: boolean;
  readonly sourceCheck: boolean;
  readonly own: SubnetPair;
  /** Sources of ICMP errors; they must be addresses of the TUN. */
  readonly tunnel4: Ipv4;
  readonly tunnel6: Ipv6 | undefined;
  onOffloadRefused(offload: OffloadName, reason: string): void;
  /** The thread may not raise its priority (CAP_SYS_NICE); it works, but waits for its turn. */
  onPriorityRefused(reason: string): void;
  /** The device vanished, or the thread died; the data plane has ended. */
  onLost(reason: string): void;
}

export class Dataplane {
  readonly #worker: Worker;
  readonly #words: Int32Array;
  readonly #counters: BigUint64Array;
  readonly #fib: FibWriter;
  readonly #eventFd: number;
  #wanted: readonly PeerRoutes[] | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #ended: Promise<void>;
  #stopping = false;

  private constructor(memory: WebAssembly.Memory, worker: Worker, eventFd: number) {
    this.#words = new Int32Array(memory.buffer);
    this.#counters = new BigUint64Array(memory.buffer, COUNTERS);
    this.#fib = new FibWriter(memory);
    this.#worker = worker;
    this.#eventFd = eventFd;
    // Not events.once: that rejects on 'error', which #listen reports already.
    this.#ended = new Promise((resolve) => worker.once('exit', () => resolve()));
  }

  /** Starts the worker; resolves when its loop runs. */
  static async start(options: DataplaneOptions): Promise<Dataplane> {
    const memory = createQueueMemory();
    writeConfig(new Int32Array(memory.buffer), memory, options);
    const eventFd = openEvent();
    const start: WorkerStart = {
      memory,
      tunFd: options.tunFd,
      socketFd: options.socketFd,
      eventFd,
      batch: options.batching ? BATCH : 1,
      receiveSlots: options.batching ? RECEIVE_SLOTS : 1,
      turns: options.batching ? 1 : BATCH,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: start,
      name: 'dataplane',
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const dataplane = new Dataplane(memory, worker, eventFd);
    await dataplane.#listen(options);
    return dataplane;
  }

  #listen(options: DataplaneOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      let reason = 'the data-plane thread ended';
      let started = false;
      this.#worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'ready') {
          started = true;
          resolve();
        } else if (message.type === 'offload-refused') options.onOffloadRefused(message.offload, message.reason);
        else if (message.type === 'priority-refused') options.onPriorityRefused(message.reason);
        else reason = message.reason;
      });
      this.#worker.on('error', (error) => {
        reason = `the data-plane thread failed: ${error.message}`;
        reject(error);
      });
      this.#worker.on('exit', () => {
        const asked = this.#stopping;
        this.#stopping = true;
        clearTimeout(this.#retry);
        closeFd(this.#eventFd, 'eventfd');
        if (started && !asked) options.onLost(reason);
      });
    });
  }

  /** Replaces all routes. Takes effect within milliseconds; calls in between are merged into the last. */
  setRoutes(routes: readonly PeerRoutes[], onRejected: (prefixes: readonly Prefix[]) => void): void {
    this.#wanted = routes;
    this.#applyRoutes(onRejected);
  }

  #applyRoutes(onRejected: (prefixes: readonly Prefix[]) => void): void {
    if (this.#wanted === undefined || this.#stopping || this.#retry !== undefined) return;
    if (!this.#fib.ready) {
      // The worker has not looked up yet since the last change; it was woken and will within a turn.
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#applyRoutes(onRejected);
      }, FIB_RETRY_MS);
      return;
    }
    const rejected = this.#fib.replace(this.#wanted);
    this.#wanted = undefined;
    signalEvent(this.#eventFd);
    if (rejected.length > 0) onRejected(rejected);
  }

  stats(): DataplaneStats {
    const count = (index: number) => Number(this.#counters[index]);
    const drops = Object.fromEntries(
      DROP_REASONS.map((reason, index) => [reason, count(COUNT_DROPS + index)]),
    ) as Record<DropReason, number>;
    return {
      outbound: {
        received: count(COUNT_OUT_RECEIVED),
        forwarded: count(COUNT_OUT_FORWARDED),
        forwardedBytes: count(COUNT_OUT_BYTES),
        reads: count(COUNT_OUT_READS),
        writes: count(COUNT_OUT_WRITES),
      },
      inbound: {
        received: count(COUNT_IN_RECEIVED),
        forwarded: count(COUNT_IN_FORWARDED),
        forwardedBytes: count(COUNT_IN_BYTES),
        reads: count(COUNT_IN_READS),
        writes: count(COUNT_IN_WRITES),
      },
      drops,
      icmp: { sent: count(COUNT_ICMP_SENT), rateLimited: count(COUNT_ICMP_LIMITED) },
      peers: this.#fib.peerStats(),
      socketOverflow: count(COUNT_SOCKET_OVERFLOW),
    };
  }

  /** Ends the worker: it is woken and leaves its loop between two turns. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#retry);
    Atomics.store(this.#words, CONFIG_STOP / 4, 1);
    signalEvent(this.#eventFd);
    await this.#ended;
  }
}

function writeConfig(words: Int32Array, memory: WebAssembly.Memory, options: DataplaneOptions): void {
  const { own } = options;
  const set = (at: number, value: number) => {
    words[at / 4] = value;
  };
  set(CONFIG_SOURCE_CHECK, Number(options.sourceCheck));
  set(CONFIG_OWN4, own.ipv4.address);
  set(CONFIG_OWN4_MASK, ipv4Mask(own.ipv4.length));
  set(CONFIG_TUNNEL4, options.tunnel4);
  set(CONFIG_VNET_HEADER, options.vnetHeader ? VNET_HEADER_SIZE : 0);
  set(CONFIG_MAX_SEGMENTS, options.maxSegments);
  set(CONFIG_TUN_GRO, Number(options.tunGro));
  set(CONFIG_TUN_USO, Number(options.tunUso));
  if (own.ipv6 !== undefined) {
    const mask = ipv6Mask(own.ipv6.length);
    const low = (1n << 64n) - 1n;
    new BigUint64Array(memory.buffer, CONFIG_OWN6, 4).set([
      own.ipv6.address >> 64n,
      own.ipv6.address & low,
      mask >> 64n,
      mask & low,
    ]);
  }
  if (options.tunnel6 !== undefined) {
    set(CONFIG_HAS_TUNNEL6, 1);
    new Uint8Array(memory.buffer, CONFIG_TUNNEL6, 16).set(addressBytes(ipv6Prefix(options.tunnel6, 128)));
  }
}
