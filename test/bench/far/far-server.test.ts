import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { FarLink } from '../../../lib/bench/far/far-link.ts';
import { helloLine, proofLine, proofOf, readGreeting } from '../../../lib/bench/far/handshake.ts';
import { until } from '../../../lib/lab/until.ts';
import { PATIENCE_MS } from '../../patience.ts';
import { ADDRESS, TOKEN, World } from './far-world.ts';

const WRONG = '7K2QX0MN4RZZ81TP3VWB';

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

test('however many come without the token, six lines a minute tell of them', async (t) => {
  let now = 0;
  const world = await World.make({ now: () => now });
  const comeAndGo = async () => {
    const socket = world.raw();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
  };
  for (let i = 0; i < 50; i++) await comeAndGo();
  t.is(world.log.length, 6, world.log.join('; '));
  now = 60_000;
  await comeAndGo();
  t.true(await until(() => world.log.length === 7, PATIENCE_MS));
  t.regex(world.log[6]!, /^127\.0\.0\.1: it does not speak the protocol \(and 44 more without the token\)$/);
  const link = await world.open();
  t.regex(world.log[7]!, /^Measuring with/);
  link.close();
  await world.server.stop('done');
});

test('a far side that answers nonsense is an error of that request alone', async (t) => {
  const answers: unknown[] = [null, { machine: { user: -1, kernel: 0 }, daemon: null, residentBytes: null }, 'x'];
  const world = await World.make({
    startPerformer: () => ({ perform: () => Promise.resolve(answers.shift()), close: () => Promise.resolve() }),
  });
  const link = await world.open();
  for (let i = 0; i < 3; i++)
    await t.throwsAsync(link.ask({ type: 'usage', place: 'underlay' }), {
      code: 'FAR_PROTOCOL',
      message: /answer to "usage" makes no sense/,
    });
  // Nothing at all is enough where nothing is to be told.
  t.is(
    await link.ask({ type: 'udp-listen', place: 'underlay', trial: 1, payloadSize: 36, firstWithinMs: 1, quietMs: 1 }),
    undefined,
  );
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
