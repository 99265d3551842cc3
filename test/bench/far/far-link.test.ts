import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import { FarLink } from '../../../lib/bench/far/far-link.ts';
import { helloLine, proofLine } from '../../../lib/bench/far/handshake.ts';
import { random } from '../../random.ts';
import { ADDRESS, TOKEN, World } from './far-world.ts';

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
