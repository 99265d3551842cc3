/**
 * A TCP relay on loopback whose wire can be cut, held (nothing passes, nothing is closed) or watched. Tests put it between
 * a client and a server to take the server away without touching it.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Sees the bytes of one connection. */
export interface Tap {
  fromClient(chunk: Buffer): void;
  /** Returns how many bytes may pass before the wire is cut; undefined lets all of them pass. */
  fromServer(chunk: Buffer): number | undefined;
}

export class TcpProxy {
  readonly port: number;
  /** Where new connections go. */
  target: number;
  /** Connections accepted so far. */
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #tap: (() => Tap) | undefined;
  #held = false;

  static async start(target: number, tap?: () => Tap): Promise<TcpProxy> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new TcpProxy(server, target, tap);
  }

  private constructor(server: Server, target: number, tap: (() => Tap) | undefined) {
    this.#server = server;
    this.#tap = tap;
    this.target = target;
    // A listening TCP server has such an address.
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#relay(client));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** TCP connections that clients hold open to this port or are opening, as the kernel counts them (/proc/net/tcp). */
  get clientConnections(): number {
    const remotePort = `:${this.port.toString(16).toUpperCase().padStart(4, '0')}`;
    const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
    return rows.filter((row) => {
      const [, , remote, state] = row.trim().split(/\s+/);
      return remote?.endsWith(remotePort) === true && (state === '01' || state === '02');
    }).length;
  }

  /** Breaks all connections and refuses new ones until `restore`. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async restore(): Promise<void> {
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening');
  }

  /** Lets nothing pass in either direction, on old and new connections, and closes nothing. */
  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.cut();
  }

  #relay(client: Socket): void {
    this.accepted++;
    const server = connect(this.target, '127.0.0.1');
    const tap = this.#tap?.();
    const close = () => {
      client.destroy();
      server.destroy();
      this.#sockets.delete(client);
      this.#sockets.delete(server);
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay().on('error', close).on('close', close);
      if (this.#held) socket.pause();
    }
    client.on('data', (chunk: Buffer) => {
      tap?.fromClient(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      const allowed = tap?.fromServer(chunk);
      if (allowed === undefined) {
        client.write(chunk);
      } else {
        server.destroy();
        client.end(chunk.subarray(0, allowed));
      }
    });
  }
}
