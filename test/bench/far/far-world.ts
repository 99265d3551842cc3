/** Both ends of the connection between two machines, on the loopback. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FarLink } from '../../../lib/bench/far/far-link.ts';
import { FarServer, type FarServerOptions } from '../../../lib/bench/far/far-server.ts';
import type { Request } from '../../../lib/bench/far/requests.ts';
import { until } from '../../../lib/lab/until.ts';
import { PATIENCE_MS } from '../../patience.ts';

export const ADDRESS = '127.0.0.1';
export const TOKEN = '7K2QX0MN4RZZ81TP3VWA';

/** A far side whose performer only writes down what it is asked. */
export class World {
  readonly server: FarServer;
  readonly asked: Request[] = [];
  readonly log: string[] = [];
  running = 0;

  static async make(options: Partial<FarServerOptions> = {}): Promise<World> {
    const log: string[] = [];
    const world: { value?: World } = {};
    const server = await FarServer.listen({
      address: ADDRESS,
      port: 0,
      token: TOKEN,
      log: (line) => log.push(line),
      now: () => 0,
      startPerformer: () => world.value!.#startPerformer(),
      ...options,
    });
    world.value = new World(server, log);
    return world.value;
  }

  private constructor(server: FarServer, log: string[]) {
    this.server = server;
    this.log = log;
  }

  #startPerformer() {
    this.running++;
    return {
      perform: async (request: Request) => {
        this.asked.push(request);
        if (request.type === 'pair-stop') await new Promise(() => undefined);
        return { machine: { user: 1, kernel: 0 }, daemon: null, residentBytes: null };
      },
      close: async () => {
        // Another near side has to wait for that.
        await delay(1);
        this.running--;
      },
    };
  }

  open(token = TOKEN): Promise<FarLink> {
    return FarLink.open({ host: ADDRESS, port: this.server.port, token, limits: { aliveMs: 100 } });
  }

  raw(): Socket {
    const socket = connect(this.server.port, ADDRESS);
    socket.on('error', () => undefined);
    return socket;
  }

  async idle(): Promise<boolean> {
    return until(() => this.running === 0, PATIENCE_MS);
  }
}
