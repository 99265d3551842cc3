/**
 * The tap's socket, on the main thread: who may read is decided here, by the credentials the kernel has of the other end; the
 * rest is the reader thread's (thread.ts), which runs only while somebody reads. docs/adr/0025.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { listenPrivately, prepareSocketPath } from '../control/private-socket.ts';
import type { TapReaderStatus } from '../control/protocol.ts';
import type { TapNetwork } from '../control/tap-protocol.ts';
import type { TapRoom } from '../dataplane/segment.ts';
import { messageOf, WeftError } from '../error.ts';
import { CONFIG_TAP } from '../fastpath/abi.ts';
import { LineLimit } from '../line-limit.ts';
import type { Log } from '../log.ts';
import { toJson } from '../printable.ts';
import { duplicate, type PeerCredentials, peerCredentials } from '../sys/peer-credentials.ts';
import type { FromTapThread, ToTapThread } from './protocol.ts';

const MOST_READERS = 4;
/** Of those that are told why they may not read. */
const MOST_CONNECTIONS = 64;
const TURNED_AWAY_MS = 1000;
/** Our choice: a thread takes some 30 ms to start, and 10 MB while it runs. */
const LINGER_MS = 10_000;

export interface TapOptions {
  readonly log: Log;
  readonly networks: () => readonly TapNetwork[];
  /** Drop reasons by their numbers. */
  readonly reasons: readonly string[];
  /** Unix time in ms. */
  readonly now: () => number;
}

interface DataPlane {
  readonly memory: SharedArrayBuffer;
  readonly wake: () => void;
}

interface KnownReader {
  readonly who: PeerCredentials;
  readonly sinceMs: number;
  /** Undefined until its request has come. */
  status: Omit<TapReaderStatus, 'pid' | 'uid' | 'since' | 'sent' | 'lost'> | undefined;
  sent: number;
  lost: number;
}

export class Tap implements TapRoom {
  readonly #options: TapOptions;
  readonly #dataPlanes = new Map<number, DataPlane>();
  readonly #readers = new Map<number, KnownReader>();
  readonly #refusals = new LineLimit(() => performance.now());
  #nextId = 1;
  #wanted = 0;
  #server: Server | undefined;
  #group: number | undefined;
  #thread: Worker | undefined;
  /** Resolves when the last thread that was told to stop has ended: two must not read one ring. */
  #ended: Promise<unknown> = Promise.resolve();
  #linger: NodeJS.Timeout | undefined;

  constructor(options: TapOptions) {
    this.#options = options;
  }

  /** Listens at `path`. Throws WeftError TAP_SOCKET_REFUSED, ALREADY_RUNNING. */
  async open(path: string, group: number | undefined): Promise<void> {
    await prepareSocketPath(path, refused);
    // The bytes of a connection are for the thread to read.
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => this.#meet(socket));
    server.maxConnections = MOST_CONNECTIONS;
    await listenPrivately(server, path, group, refused);
    this.#group = group;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    clearTimeout(this.#linger);
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
    this.#stopThread();
    await this.#ended;
  }

  attach(memory: SharedArrayBuffer, wake: () => void): () => void {
    const id = this.#nextId++;
    const dataPlane = { memory, wake };
    this.#dataPlanes.set(id, dataPlane);
    this.#tell({ type: 'begun', id, memory });
    if (this.#wanted !== 0) setWanted(dataPlane, this.#wanted);
    return () => {
      this.#dataPlanes.delete(id);
      this.#tell({ type: 'ended', id });
    };
  }

  /** Those who have asked for packets, in the order in which they came. */
  readers(): TapReaderStatus[] {
    return [...this.#readers.values()].flatMap(({ who: { pid, uid }, sinceMs, status, sent, lost }) =>
      status === undefined ? [] : [{ pid, uid, since: new Date(sinceMs).toISOString(), ...status, sent, lost }],
    );
  }

  #meet(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const descriptor = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
    const who = descriptor < 0 ? undefined : peerCredentials(descriptor);
    const problem = this.#problemOf(who);
    const fd = problem === undefined ? duplicate(descriptor) : undefined;
    if (who !== undefined && fd !== undefined) {
      socket.destroy();
      void this.#admit(fd, who);
      return;
    }
    const { code, message, hint = null } = problem ?? noDescriptor();
    const { pid, uid } = who ?? {};
    this.#logRefusal(pid, uid, message);
    turnAway(socket, `${toJson({ error: { code, message, hint } })}\n`);
  }

  /** Whoever may connect may do so again and again. */
  #logRefusal(pid: number | undefined, uid: number | undefined, reason: string): void {
    this.#refusals.say((omitted) => {
      const more = omitted > 0 ? { refusedWithoutLine: omitted } : {};
      this.#options.log.warn({ pid, uid, reason, ...more }, 'Somebody was refused at the tap');
    });
  }

  #problemOf(who: PeerCredentials | undefined): WeftError | undefined {
    if (who === undefined) return denied('who asks is not known');
    const { uid, gid, groups } = who;
    const inGroup = this.#group !== undefined && (gid === this.#group || groups.includes(this.#group));
    if (uid !== 0 && uid !== process.geteuid?.() && !inGroup) return denied(`user ${uid} may not see packets`);
    if (this.#readers.size < MOST_READERS) return undefined;
    return new WeftError('TAP_BUSY', `The tap has ${MOST_READERS} readers, and no room for another`, {
      hint: 'weft status names them; end one',
    });
  }

  async #admit(fd: number, who: PeerCredentials): Promise<void> {
    const id = this.#nextId++;
    this.#readers.set(id, { who, sinceMs: this.#options.now(), status: undefined, sent: 0, lost: 0 });
    clearTimeout(this.#linger);
    await this.#ended;
    this.#thread ??= this.#startThread();
    const { networks, reasons } = this.#options;
    this.#tell({ type: 'reader', id, fd, networks: networks(), reasons });
  }

  #startThread(): Worker {
    const thread = new Worker(new URL('./thread.js', import.meta.url), {
      name: 'tap',
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 },
    });
    thread.on('message', (message: FromTapThread) => this.#hear(message));
    thread.on('error', (error) =>
      this.#options.log.error({ error: messageOf(error) }, 'The thread of the tap failed; its readers are cut'),
    );
    thread.on('exit', () => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#readers.clear();
      this.#want(0);
    });
    for (const [id, { memory }] of this.#dataPlanes) thread.postMessage({ type: 'begun', id, memory });
    return thread;
  }

  #stopThread(): void {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    this.#readers.clear();
    this.#want(0);
    this.#ended = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage({ type: 'stop' } satisfies ToTapThread);
  }

  #tell(message: ToTapThread): void {
    this.#thread?.postMessage(message);
  }

  #hear(message: FromTapThread): void {
    if (message.type === 'wanted') {
      this.#want(message.tap);
      return;
    }
    const reader = this.#readers.get(message.id);
    if (reader === undefined) return;
    const { pid, uid } = reader.who;
    const { log } = this.#options;
    switch (message.type) {
      case 'opened': {
        const { network = null, sample, snapLength, droppedOnly = false } = message.request;
        reader.status = { network, sample, snapLength, droppedOnly };
        log.info({ pid, uid, ...reader.status }, 'A reader of the tap sees packets');
        return;
      }
      case 'counts':
        reader.sent = message.sent;
        reader.lost = message.lost;
        return;
      case 'closed':
        this.#readers.delete(message.id);
        if (message.problem === undefined)
          log.info({ pid, uid, records: reader.sent, lost: reader.lost }, 'A reader of the tap has left');
        else this.#logRefusal(pid, uid, message.problem);
        if (this.#readers.size === 0) this.#linger = setTimeout(() => this.#stopThread(), LINGER_MS).unref();
    }
  }

  #want(tap: number): void {
    this.#wanted = tap;
    for (const dataPlane of this.#dataPlanes.values()) setWanted(dataPlane, tap);
  }
}

/** Closed at once, it would meet a request that is on its way, and its line would not be read. */
function turnAway(socket: Socket, line: string): void {
  socket.end(line);
  socket.on('end', () => socket.destroy());
  socket.resume();
  setTimeout(() => socket.destroy(), TURNED_AWAY_MS).unref();
}

function setWanted({ memory, wake }: DataPlane, tap: number): void {
  Atomics.store(new Int32Array(memory), CONFIG_TAP / 4, tap);
  wake();
}

function noDescriptor(): WeftError {
  return new WeftError('TAP_BUSY', 'The tap cannot take another reader: weftd gets no descriptor for it', {
    hint: "raise LimitNOFILE of weftd's unit, or allow dup(2)",
  });
}

function denied(why: string): WeftError {
  return new WeftError('TAP_DENIED', `The tap shows packets to few, and ${why}`, {
    hint: 'root, the user that runs weftd, and members of the group of -tap-group may: try sudo',
  });
}

function refused(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('TAP_SOCKET_REFUSED', `Cannot use tap socket ${JSON.stringify(path)}: ${why}`, {
    cause,
    hint: 'give another path with -tap-socket, or none: -tap-socket=',
  });
}
