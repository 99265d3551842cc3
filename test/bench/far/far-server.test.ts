import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import { FarLink } from '../../../lib/bench/far/far-link.ts';
import { FarServer, type FarServerOptions } from '../../../lib/bench/far/far-server.ts';
import { helloLine, proofLine, proofOf, readGreeting } from '../../../lib/bench/far/handshake.ts';
import type { Request } from '../../../lib/bench/far/requests.ts';
import { until } from '../../../lib/lab/until.ts';
import { PATIENCE_MS } from '../../patience.ts';
import { random } from '../../random.ts';

const ADDRESS = '127.0.0.1';
const TOKEN = '7K2QX0MN4RZZ81TP3VWA';
const WRONG = '7K2QX0MN4RZZ81TP3VWB';

/** A far side whose performer only writes down what it is asked. */
class World {
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

const test = anyTest as TestFn;

async function linesOf(socket: Socket): Promise<string[]> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return text.split('\n').filter((line) => line !== '');
}

test('who has the token is served, and what was started is closed when it goes', async (t) => {
  const world = await World.make();
  const link = await world.open();
  t.is(link.other, ADDRESS);
  const usage = await link.ask({ type: 'usage', place: 'underlay' });
  t.is(usage.machine.user, 1);
  t.deepEqual(world.asked, [{ type: 'usage', place: 'underlay' }]);
  await t.throwsAsync(link.ask({ type: 'ping', place: 'underlay', count: 1, intervalSeconds: 1 }), {
    code: 'FAR_REQUEST',
  });
  t.is(world.running, 1);
  link.close();
  t.true(await world.idle());
  await t.throwsAsync(link.ask({ type: 'describe' }), { code: 'FAR_LOST' });
  const again = await untilServed(world);
  again.close();
  await world.server.stop('the end of the test');
  t.is(await world.server.ended, 'stopped');
});

/** The next one, when the last has been cleaned up after. */
async function untilServed(world: World): Promise<FarLink> {
  let link: FarLink | undefined;
  await until(async () => {
    link = await world.open().catch(() => undefined);
    return link !== undefined;
  }, PATIENCE_MS);
  return link!;
}

test('a second near side is told that there is one', async (t) => {
  const world = await World.make();
  const link = await world.open();
  await t.throwsAsync(world.open(), { code: 'FAR_BUSY', message: /somebody else/ });
  t.like(await link.ask({ type: 'usage', place: 'underlay' }), { daemon: null });
  link.close();
  await world.server.stop('done');
});

test('the fifth wrong token ends the far side, also while it serves', async (t) => {
  const world = await World.make();
  const link = await world.open();
  for (let i = 0; i < 5; i++) await t.throwsAsync(world.open(WRONG), { code: 'FAR_TOKEN', message: /refuses/ });
  t.is(await world.server.ended, 'wrong-tokens');
  await t.throwsAsync(link.ask({ type: 'describe' }), { code: 'FAR_LOST', message: /too many wrong tokens/ });
  t.is(world.running, 0);
  await t.throwsAsync(world.open(), { code: 'FAR_UNREACHABLE' });
});

test('it ends by itself when nobody comes', async (t) => {
  const world = await World.make({ limits: { idleMs: 20 } });
  t.is(await world.server.ended, 'idle');
});

test('it does not end for want of a near side while it has one, and does afterwards', async (t) => {
  const world = await World.make({ limits: { idleMs: 2000 } });
  const link = await world.open();
  await delay(2200);
  t.like(await link.ask({ type: 'usage', place: 'underlay' }), { daemon: null });
  link.close();
  t.is(await world.server.ended, 'idle');
});

test('a stop tells the near side why', async (t) => {
  const world = await World.make();
  const link = await world.open();
  const waiting = link.ask({ type: 'pair-stop' });
  await until(() => world.asked.length === 1, PATIENCE_MS);
  await world.server.stop('SIGINT there');
  await t.throwsAsync(waiting, { code: 'FAR_LOST', message: /SIGINT there/ });
  t.is(world.running, 0);
});

test('a port that is taken and an address of somebody else are said in words', async (t) => {
  const world = await World.make();
  await t.throwsAsync(World.make({ port: world.server.port }), { code: 'FAR_LISTEN', message: /another program/ });
  await t.throwsAsync(World.make({ address: '192.0.2.77' }), { code: 'FAR_LISTEN', message: /no such address/ });
  await world.server.stop('done');
});

test('garbage, huge lines, slow and silent clients and half-closed connections end, and the next one is served', async (t) => {
  const world = await World.make({ limits: { handshakeMs: 2000, silentMs: 2000 } });
  const hello = `${helloLine(Buffer.alloc(32, 1))}\n`;
  const openings = [
    '',
    'GET / HTTP/1.1\r\n\r\n',
    '\n',
    `${'x'.repeat(100_000)}`,
    `{"weftBench":1,"nonce":"${'a'.repeat(5000)}`,
    hello,
  ];
  // Each is closed at once, or when the time for the handshake is over.
  const ends = openings.flatMap((opening) => {
    const [open, half] = [world.raw(), world.raw()];
    open.write(opening);
    half.end(opening);
    return [linesOf(open), linesOf(half)];
  });
  const slow = world.raw();
  const dripping = setInterval(() => slow.write('{'), 20);
  await once(slow, 'close');
  clearInterval(dripping);
  await Promise.all(ends);
  const silent = await FarLink.open({
    host: ADDRESS,
    port: world.server.port,
    token: TOKEN,
    limits: { aliveMs: PATIENCE_MS },
  });
  const waiting = silent.ask({ type: 'pair-stop' });
  await t.throwsAsync(waiting, { code: 'FAR_LOST' });
  t.true(await world.idle());
  const link = await untilServed(world);
  t.like(await link.ask({ type: 'usage', place: 'underlay' }), { daemon: null });
  link.close();
  await world.server.stop('done');
});

test('a proof of another connection, or the one of the far side itself, opens nothing', async (t) => {
  const world = await World.make();
  const near = Buffer.alloc(32, 9);
  const far = await helloOf(world, near);
  const good = proofOf(TOKEN, 'near', { near, far });
  // The same nonce of ours, another one of theirs.
  t.deepEqual(await answerTo(world, near, () => good), '{"weftBench":1,"refused":"token"}');
  t.deepEqual(
    await answerTo(world, near, (nonce) => proofOf(TOKEN, 'far', { near, far: nonce })),
    '{"weftBench":1,"refused":"token"}',
  );
  t.regex(await answerTo(world, near, (nonce) => proofOf(TOKEN, 'near', { near, far: nonce })), /^\{"proof":"/);
  await world.server.stop('done');
});

async function helloOf(world: World, near: Buffer): Promise<Buffer> {
  const socket = world.raw();
  socket.write(`${helloLine(near)}\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  const greeting = readGreeting(chunk.toString().trim());
  return greeting?.kind === 'hello' ? greeting.nonce : Buffer.alloc(0);
}

async function answerTo(world: World, near: Buffer, proof: (far: Buffer) => Buffer): Promise<string> {
  const socket = world.raw();
  socket.write(`${helloLine(near)}\n`);
  const [hello] = (await once(socket, 'data')) as [Buffer];
  const greeting = readGreeting(hello.toString().trim());
  socket.write(`${proofLine(proof(greeting?.kind === 'hello' ? greeting.nonce : Buffer.alloc(0)))}\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString().trim();
}

test('a connection that somebody changes on its way ends, and nothing of the change is performed', async (t) => {
  const { next, seed } = random();
  const world = await World.make();
  for (let i = 0; i < 30; i++) {
    const changed = 3 + next(3);
    const proxy = await changingProxy(world.server.port, changed, next);
    const asked = world.asked.length;
    const outcome = await FarLink.open({ host: ADDRESS, port: proxy.port, token: TOKEN }).then(
      async (link) => {
        const asking = [1, 2, 3, 4].map(() => link.ask({ type: 'usage', place: 'underlay' }));
        const results = await Promise.allSettled(asking);
        link.close();
        return results.some(({ status }) => status === 'rejected');
      },
      () => true,
    );
    t.true(outcome, `seed ${seed}: line ${changed} was changed`);
    // Only those before the change.
    t.true(world.asked.length - asked < 4, `seed ${seed}`);
    await proxy.close();
    t.true(await world.idle());
  }
  await world.server.stop('done');
});

/** Passes bytes, but for one of the near side's line number `changed`. */
async function changingProxy(port: number, changed: number, next: (limit: number) => number) {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(port, ADDRESS);
    sockets.push(near, far);
    let line = 1;
    near.on('data', (chunk: Buffer) => {
      const bytes = Buffer.from(chunk);
      for (const [at, byte] of bytes.entries()) {
        // Among the first of the line, which are its MAC.
        if (line === changed && at > 0 && bytes[at - 1] === 0x0a) bytes[at + next(20)]! ^= 0x01;
        if (line === changed && at === 0) bytes[next(Math.min(60, bytes.length))]! ^= 0x01;
        if (byte === 0x0a) line++;
      }
      far.write(bytes);
    });
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, ADDRESS);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('the near side says what it found in place of a far side', async (t) => {
  const refusals: readonly (readonly [string, string])[] = [
    ['SSH-2.0-OpenSSH_9.2\r\n', 'FAR_PROTOCOL'],
    [`${'x'.repeat(10_000)}`, 'FAR_PROTOCOL'],
    ['{"weftBench":9,"nonce":"of the future"}\n', 'FAR_VERSION'],
    ['{"weftBench":2,"refused":"version"}\n', 'FAR_VERSION'],
    ['', 'FAR_PROTOCOL'],
    [`${helloLine(Buffer.alloc(32, 2))}\n${proofLine(Buffer.alloc(32, 3))}\n`, 'FAR_TOKEN'],
  ];
  for (const [text, code] of refusals) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(text);
    });
    server.listen(0, ADDRESS);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await t.throwsAsync(FarLink.open({ host: ADDRESS, port, token: TOKEN }), { code }, text);
    server.close();
  }
  const silent = createServer(() => undefined);
  silent.listen(0, ADDRESS);
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const limits = { connectMs: 50 };
  await t.throwsAsync(FarLink.open({ host: ADDRESS, port, token: TOKEN, limits }), {
    code: 'FAR_UNREACHABLE',
    message: /does not answer within/,
  });
  silent.close();
  await t.throwsAsync(FarLink.open({ host: ADDRESS, port: 1, token: TOKEN }), { message: /nobody listens/ });
});
