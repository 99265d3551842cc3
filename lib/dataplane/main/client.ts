/** The main thread's handle on a data-plane worker: the only place that starts one. */
import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { IpAddress } from '../../addr/ip.ts';
import type { Prefix } from '../../addr/prefix.ts';
import { WeftError } from '../../error.ts';
import {
  CONFIG_AGEING,
  CONFIG_DEVICES_IN_USE,
  CONFIG_DEVICES_WANTED,
  CONFIG_ENCAPSULATION,
  CONFIG_MAX_TRAIN,
  CONFIG_NEIGHBORS_WANTED,
  CONFIG_SOURCE_CHECK,
  CONFIG_STOP,
  CONFIG_TOS,
  CONFIG_TOS_INHERIT,
  ENCAPSULATION_IP_IN_UDP,
  ENCAPSULATION_IPIP,
  ENCAPSULATION_VXLAN,
  MAX_SEGMENTS,
} from '../../fastpath/abi.ts';
import { createQueueMemory } from '../../fastpath/load.ts';
import { closeFd } from '../../sys/descriptor.ts';
import { openEvent, signalEvent } from '../../sys/event.ts';
import type { LearnedNeighbor, WorkerMessage, WorkerStart } from '../protocol.ts';
import type {
  Dataplane,
  DataplaneOptions,
  Encapsulation,
  Segment,
  SegmentOptions,
  SegmentPeer,
  SegmentProbes,
  UnderlaySocket,
} from '../segment.ts';
import { Probes } from './probes.ts';
import { SegmentRecord } from './segment-record.ts';
import { type SendSockets, TableWriter } from './tables.ts';

/** Our choice: frames per turn; a turn is what one direction may take before the other has its chance. */
const BATCH = 64;
const RETRY_MS = 1;
/** As the kernel's VXLAN device (vxlan_core.c, FDB_AGE_DEFAULT). */
const AGEING_SECONDS = 300;
/** For an answer of the worker, which it gives within a turn. */
const ANSWER_MS = 1000;

const ENCAPSULATIONS: Readonly<Record<Encapsulation, number>> = {
  'ip-in-udp': ENCAPSULATION_IP_IN_UDP,
  vxlan: ENCAPSULATION_VXLAN,
  ipip: ENCAPSULATION_IPIP,
};

export class WorkerDataplane implements Dataplane {
  readonly #worker: Worker;
  readonly #memory: WebAssembly.Memory;
  readonly #words: Int32Array;
  readonly #tables: TableWriter;
  readonly #eventFd: number;
  readonly #ended: Promise<void>;
  /** Each segment's peers as they are wanted. */
  readonly #segments = new Map<SegmentRecord, readonly SegmentPeer[]>();
  readonly #neighborRequests = new Map<number, (neighbors: readonly LearnedNeighbor[]) => void>();
  readonly #probes: Probes;
  #building: Promise<Map<number, Prefix[]>> | undefined;
  #stopping = false;

  private constructor(
    memory: WebAssembly.Memory,
    worker: Worker,
    eventFd: number,
    send: readonly UnderlaySocket[],
    encapsulation: Encapsulation,
  ) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#tables = new TableWriter(memory, { 4: socketsOf(send, 4), 6: socketsOf(send, 6) });
    this.#probes = new Probes(memory, this.#tables, encapsulation, randomBytes(8).readBigUInt64BE());
    this.#worker = worker;
    this.#eventFd = eventFd;
    // Not events.once: that rejects on 'error', which #listen reports already.
    this.#ended = new Promise((resolve) => worker.once('exit', () => resolve()));
  }

  /** Starts the worker; resolves when its loop runs. */
  static async start(options: DataplaneOptions): Promise<WorkerDataplane> {
    const memory = createQueueMemory();
    writeConfig(new Int32Array(memory.buffer), options);
    const eventFd = openEvent();
    // A number of a socket is its place in this list.
    const send = [4, 6].flatMap((family) => options.send.filter((socket) => socket.family === family));
    const start: WorkerStart = {
      memory,
      receive: options.receive,
      send,
      eventFd,
      batch: options.batching ? BATCH : 1,
      turns: options.batching ? 1 : BATCH,
    };
    const worker = new Worker(new URL('../worker/worker.js', import.meta.url), {
      workerData: start,
      name: 'dataplane',
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const dataplane = new WorkerDataplane(memory, worker, eventFd, send, options.encapsulation);
    await dataplane.#listen(options);
    const detach = options.tap?.attach(memory.buffer, () => {
      if (!dataplane.#stopping) signalEvent(eventFd);
    });
    if (detach !== undefined) void dataplane.#ended.then(detach);
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
        } else this.#hear(message, options);
      });
      this.#worker.on('error', (error) => {
        reason = `the data-plane thread failed: ${error.message}`;
        reject(error);
      });
      this.#worker.on('exit', () => {
        const asked = this.#stopping;
        this.#stopping = true;
        closeFd(this.#eventFd, 'eventfd');
        if (started && !asked) options.onEnded(reason);
      });
    });
  }

  #hear(message: Exclude<WorkerMessage, { readonly type: 'ready' }>, options: DataplaneOptions): void {
    switch (message.type) {
      case 'offload-refused':
        options.onOffloadRefused(message.offload, message.reason);
        return;
      case 'priority-refused':
        options.onPriorityRefused(message.reason);
        return;
      case 'neighbors':
        // All requests made before the worker looked get the same answer.
        for (const [request, answered] of this.#neighborRequests) {
          if (request <= message.request) answered(message.neighbors);
        }
        return;
      case 'path-hint':
        this.#hint(message.peer, message.mtu);
        return;
      case 'device-lost':
        for (const segment of this.#segments.keys()) {
          if (segment.number === message.segment) segment.options.onDeviceLost(message.reason);
        }
    }
  }

  /** Adds a segment. Throws WeftError TOO_MANY_SEGMENTS, SEGMENT_EXISTS (one VNI twice over one family). */
  addSegment(options: SegmentOptions): Segment {
    const number = this.#freeNumber(options);
    const record = new SegmentRecord(this.#memory, number, options);
    this.#segments.set(record, []);
    this.#devicesChanged();
    return {
      setDevice: (device) => {
        // The record may be another segment's by now.
        if (!record.used) return;
        record.setDevice(device);
        this.#devicesChanged();
      },
      releaseDevice: async () => {
        if (!record.used) return;
        record.releaseDevice();
        await this.#devicesTaken();
      },
      setPeers: async (peers) => {
        if (!record.used) return [];
        this.#segments.set(record, peers);
        return (await this.#rebuild()).get(number) ?? [];
      },
      stats: () => record.stats(this.#tables.peerStats(number)),
      fdb: () => record.fdb(this.#tables),
      neighbors: async () => record.neighbors(this.#tables, await this.#learnedNeighbors()),
      detach: () => this.#detach(record),
      ...this.#probesOf(record),
    };
  }

  #probesOf(record: SegmentRecord): SegmentProbes {
    const { number } = record;
    const probes = this.#probes;
    const tables = this.#tables;
    return {
      probe: (peer, pathSize) => {
        if (this.#stopping || !record.used) return undefined;
        const sequence = probes.write(record, peer, pathSize);
        if (sequence !== undefined) signalEvent(this.#eventFd);
        return sequence;
      },
      probeAnswers: () => probes.answers(number),
      largestPath: () => {
        const { mtu } = record;
        const { family = 4 } = record.options.ethernet ?? {};
        return mtu === undefined ? undefined : mtu + probes.prefix + probes.outerHeaders(family === 4 ? 0 : 0n);
      },
      limitPath: (peer, mtu) => tables.limit(number, peer, mtu === undefined ? 0 : mtu - probes.outerHeaders(peer)),
      heardFrom: (peer) => probes.heardFrom(number, peer),
    };
  }

  #hint(peer: IpAddress, mtu: number): void {
    for (const { number, options } of this.#segments.keys())
      if (this.#tables.peerAt(number, peer) !== undefined) options.onPathHint?.(peer, mtu);
  }

  #freeNumber({ ethernet }: SegmentOptions): number {
    const others = [...this.#segments.keys()];
    const same = others.find(
      ({ options }) => options.ethernet?.vni === ethernet?.vni && options.ethernet?.family === ethernet?.family,
    );
    if (same !== undefined) {
      throw new WeftError('SEGMENT_EXISTS', `VNI ${ethernet?.vni} over IPv${ethernet?.family} is in use on this port`, {
        hint: 'give each network a VNI of its own, or a port of its own',
      });
    }
    for (let number = 1; number <= MAX_SEGMENTS; number++) {
      if (!others.some((other) => other.number === number)) return number;
    }
    throw new WeftError('TOO_MANY_SEGMENTS', `One port carries ${MAX_SEGMENTS} networks at most`, {
      hint: 'give further networks another port',
    });
  }

  #devicesChanged(): void {
    if (this.#stopping) return;
    Atomics.add(this.#words, CONFIG_DEVICES_WANTED / 4, 1);
    signalEvent(this.#eventFd);
  }

  /** Resolves when the worker uses the devices of the records as they are now. */
  async #devicesTaken(): Promise<void> {
    this.#devicesChanged();
    const wanted = Atomics.load(this.#words, CONFIG_DEVICES_WANTED / 4);
    // The worker may have answered a later change already.
    await this.#until(() => Atomics.load(this.#words, CONFIG_DEVICES_IN_USE / 4) >= wanted);
  }

  async #detach(record: SegmentRecord): Promise<void> {
    if (!record.used) return;
    record.release();
    this.#segments.set(record, []);
    await this.#devicesTaken();
    await this.#rebuild();
    // Only now may the number be given to another segment: nothing of this one is left behind it.
    this.#segments.delete(record);
  }

  /** Builds the tables of all segments once the worker reads the newest; calls until then are merged. Resolves when it reads these. */
  #rebuild(): Promise<Map<number, Prefix[]>> {
    this.#building ??= this.#build();
    return this.#building;
  }

  async #build(): Promise<Map<number, Prefix[]>> {
    // At least one turn of the event loop: peers set in this one are in these tables.
    await Promise.resolve();
    await this.#until(() => this.#tables.ready);
    this.#building = undefined;
    if (this.#stopping) return new Map();
    const segments = [...this.#segments].map(([{ number }, peers]) => ({ segment: number, peers }));
    const rejected = new Map<number, Prefix[]>();
    for (const { segment, prefix } of this.#tables.replace(segments)) {
      rejected.set(segment, [...(rejected.get(segment) ?? []), prefix]);
    }
    signalEvent(this.#eventFd);
    await this.#until(() => this.#tables.ready);
    return rejected;
  }

  /** The worker was woken and answers within a turn. Resolves too when it has ended. */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#stopping && !condition()) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }

  async #learnedNeighbors(): Promise<readonly LearnedNeighbor[]> {
    if (this.#stopping) return [];
    const request = Atomics.add(this.#words, CONFIG_NEIGHBORS_WANTED / 4, 1) + 1;
    signalEvent(this.#eventFd);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#neighborRequests.set(request, resolve);
        const late = new WeftError('NOT_READY', 'The data-plane thread does not answer', { hint: 'try again' });
        timer = setTimeout(() => reject(late), ANSWER_MS);
      });
    } finally {
      clearTimeout(timer);
      this.#neighborRequests.delete(request);
    }
  }

  /** Ends the worker: it is woken and leaves its loop between two turns. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    Atomics.store(this.#words, CONFIG_STOP / 4, 1);
    signalEvent(this.#eventFd);
    await this.#ended;
  }
}

function socketsOf(send: readonly UnderlaySocket[], family: 4 | 6): SendSockets {
  const count = send.filter((socket) => socket.family === family).length;
  return {
    first: Math.max(
      0,
      send.findIndex((socket) => socket.family === family),
    ),
    mask: Math.max(0, count - 1),
  };
}

function writeConfig(words: Int32Array, options: DataplaneOptions): void {
  const { tos } = options;
  const set = (at: number, value: number) => {
    words[at / 4] = value;
  };
  set(CONFIG_ENCAPSULATION, ENCAPSULATIONS[options.encapsulation]);
  set(CONFIG_SOURCE_CHECK, Number(options.sourceCheck));
  set(CONFIG_MAX_TRAIN, options.maxTrain);
  set(CONFIG_TOS_INHERIT, Number(tos.mode === 'inherit'));
  set(CONFIG_TOS, tos.mode === 'fixed' ? tos.dscp << 2 : 0);
  set(CONFIG_AGEING, AGEING_SECONDS);
}
