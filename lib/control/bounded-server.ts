/**
 * The server of the control socket and of the health port: whatever strangers do there, who asks is answered, and memory and
 * descriptors stay bounded. Nobody is refused: where there is no room, the newest connection pushes out the most idle one.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Answer, Connection, type Patience } from './connection.ts';

export interface BoundedServerOptions {
  readonly answer: Answer;
  /** Connections that may stay; 4 or more. */
  readonly most: number;
  /** Those of one source address. A unix socket knows one source only. */
  readonly mostOfSource: number;
  /** Called for each connection while half of `most` are there or more. */
  readonly onCrowd?: () => void;
}

const TICK_MS = 250;
/** Our choice. A probe has a second or two; who holds a connection open without a word needs none. */
const PATIENCE: Patience = { head: 2000 / TICK_MS, next: 5000 / TICK_MS, answer: 30_000 / TICK_MS };

/** Beyond `most`, what arrives within one turn of the event loop is kept until it could have been read. */
const MARGIN = 1.5;

/** Our choice: the most that Linux keeps for us to accept (net.core.somaxconn caps it). */
export const BACKLOG = 4096;

export class BoundedServer {
  /** To listen with. */
  readonly server: Server;
  readonly #options: BoundedServerOptions;
  /** The most idle first. */
  readonly #connections = new Set<Connection>();
  /** The same, of each source. */
  readonly #sources = new Map<string, Set<Connection>>();
  /** Sources with too many. */
  readonly #crowded = new Set<string>();
  #turn = 0;
  #isTurnEnding = false;
  #tick = 0;
  #clock: NodeJS.Timeout | undefined;

  constructor(options: BoundedServerOptions) {
    this.#options = options;
    // A client may end its half once it has asked.
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.server.maxConnections = Math.ceil(options.most * MARGIN);
  }

  /** Stops listening and cuts what is connected. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      for (const connection of this.#connections) connection.close();
    });
  }

  #accept(socket: Socket): void {
    const at = { turn: this.#turn, tick: this.#tick };
    const connection = new Connection(socket, socket.remoteAddress ?? '', at, this.#options.answer);
    const ofSource = this.#sources.get(connection.source) ?? new Set();
    this.#sources.set(connection.source, ofSource.add(connection));
    this.#connections.add(connection);
    socket.once('close', () => this.#forget(connection));
    connection.serve(
      () => this.#tick,
      () => this.#wasUseful(connection),
    );
    this.#clock ??= setInterval(() => this.#cutOverdue(), TICK_MS).unref();
    if (ofSource.size > this.#options.mostOfSource) this.#crowded.add(connection.source);
    if (this.#connections.size > this.#options.most || this.#crowded.size > 0) this.#endTurnLater();
    if (this.#connections.size > this.#options.most / 2) this.#options.onCrowd?.();
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    const ofSource = this.#sources.get(connection.source);
    ofSource?.delete(connection);
    if (ofSource?.size === 0) this.#sources.delete(connection.source);
    if (this.#connections.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  #wasUseful(connection: Connection): void {
    for (const set of [this.#connections, this.#sources.get(connection.source)]) {
      if (set?.delete(connection) === true) set.add(connection);
    }
  }

  #cutOverdue(): void {
    this.#tick++;
    for (const connection of this.#connections) if (connection.isOverdue(this.#tick, PATIENCE)) this.#drop(connection);
  }

  /**
   * Not at once: node accepts all that wait before it reads from any, so that in a crowd a probe would be pushed out by those
   * behind it before its request was looked at.
   */
  #endTurnLater(): void {
    if (this.#isTurnEnding) return;
    this.#isTurnEnding = true;
    setImmediate(() => {
      this.#isTurnEnding = false;
      this.#makeRoom();
      this.#turn++;
    });
  }

  /** Those of this turn have not been read yet, so they stay for another. */
  #makeRoom(): void {
    const { most, mostOfSource } = this.#options;
    for (const source of this.#crowded) {
      const ofSource = this.#sources.get(source) ?? new Set();
      if (this.#dropIdlest(ofSource, mostOfSource)) this.#crowded.delete(source);
    }
    const hasRoom = this.#dropIdlest(this.#connections, most);
    if (!hasRoom || this.#crowded.size > 0) this.#endTurnLater();
  }

  /** Whether no more than `most` are left. */
  #dropIdlest(connections: ReadonlySet<Connection>, most: number): boolean {
    for (const connection of connections) {
      if (connections.size <= most) return true;
      if (connection.turn === this.#turn) return false;
      this.#drop(connection);
    }
    return connections.size <= most;
  }

  #drop(connection: Connection): void {
    this.#forget(connection);
    connection.close();
  }
}

/** How many descriptors this process may have; Infinity where it cannot be known. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
}
