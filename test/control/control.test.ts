import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { PeersReply, RoutesReply } from '../../lib/control/protocol.ts';
import { type ControlHandlers, serveControl } from '../../lib/control/server.ts';
import { WeftError } from '../../lib/error.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { violations } from './schema.ts';

const PEERS: PeersReply = {
  peers: [
    {
      subnet: '10.244.99.0/24',
      ipv6Subnet: null,
      publicIp: '192.0.2.2',
      publicIpv6: null,
      backendType: '',
      expiresAt: '2026-11-23T00:00:00.000Z',
      leaving: false,
      traffic: null,
      note: null,
      vni: null,
      vtepMac: null,
      vtepMacV6: null,
      health: null,
    },
  ],
};
const ROUTES: RoutesReply = { routes: [{ prefix: '10.244.99.0/24', via: '192.0.2.2', device: 'flannel0' }] };

const FDB_ENTRY = { vtep: '192.0.2.2', origin: 'lease', ageSeconds: null, moves: 0, refusedMoves: 0 } as const;

function notReady(): never {
  throw new WeftError('NOT_READY', 'weftd is waiting for etcd', { hint: 'start etcd' });
}

const HANDLERS: ControlHandlers = {
  '/v1/status': notReady,
  '/v1/peers': () => PEERS,
  '/v1/routes': () => ROUTES,
  '/v1/stats': () => {
    throw new TypeError('a bug');
  },
  // Answers with what was asked for.
  '/v1/fdb': ({ network }) => ({ fdb: [{ ...FDB_ENTRY, mac: network ?? 'none' }] }),
  '/v1/neigh': async ({ network }) => {
    await setImmediate();
    throw new WeftError('UNKNOWN_NETWORK', `No network ${network}: there is blue, red`);
  },
};

function socketPath(t: ExecutionContext, ...below: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'weft-control-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, ...below, 'weft.sock');
}

async function serve(t: ExecutionContext, path: string): Promise<void> {
  const server = await serveControl(path, HANDLERS);
  t.teardown(() => server.close());
}

test('a reply arrives as it was given', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
  t.deepEqual(await askDaemon(path, '/v1/routes'), ROUTES);
});

test('the network asked for arrives as it was given, and is undefined when none was', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  const answered = async (network?: string) => (await askDaemon(path, '/v1/fdb', network)).fdb[0]?.mac;
  t.is(await answered(), 'none');
  for (const name of ['blue', '', 'a b&network=c#%/?', 'é']) t.is(await answered(name), name);
});

test('a network that there is not is answered 404 with those there are', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  await t.throwsAsync(askDaemon(path, '/v1/neigh', 'green'), {
    code: 'UNKNOWN_NETWORK',
    message: 'No network green: there is blue, red',
  });
});

test("the daemon's own error arrives with code, message and hint", async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  const error = await t.throwsAsync(askDaemon(path, '/v1/status'), { instanceOf: WeftError, code: 'NOT_READY' });
  t.is(error?.message, 'weftd is waiting for etcd');
  t.is(error?.hint, 'start etcd');
  await t.throwsAsync(askDaemon(path, '/v1/stats'), { code: 'INTERNAL', message: 'a bug' });
});

test('a reply that is no JSON ends neither the daemon nor the connection', async (t) => {
  const path = socketPath(t);
  const routes = () => ({ routes: [], version: 1n });
  const server = await serveControl(path, { ...HANDLERS, '/v1/routes': routes });
  t.teardown(() => server.close());
  await t.throwsAsync(askDaemon(path, '/v1/routes'), { code: 'INTERNAL', message: /BigInt/ });
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
});

test('the socket is 0600 in a 0755 directory made for it, and is gone after close', async (t) => {
  const path = socketPath(t, 'run');
  const server = await serveControl(path, HANDLERS);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is(statSync(join(path, '..')).mode & 0o777, 0o755);
  await server.close();
  t.false(existsSync(path));
});

const raw: readonly (readonly [method: string, path: string, status: number, code: string | undefined])[] = [
  ['GET', '/v1/peers', 200, undefined],
  ['GET', '/v1/peers?verbose=1', 200, undefined],
  ['GET', '/v1/fdb?verbose=1&network=blue', 200, undefined],
  ['GET', '/v1/neigh?network=green', 404, 'UNKNOWN_NETWORK'],
  ['POST', '/v1/peers', 405, 'METHOD_NOT_ALLOWED'],
  ['GET', '/', 404, 'NOT_FOUND'],
  ['GET', '/v1/../v1/peers', 404, 'NOT_FOUND'],
  ['GET', '/constructor', 404, 'NOT_FOUND'],
  ['GET', '/v1/status', 503, 'NOT_READY'],
];
for (const [method, path, status, code] of raw)
  test(`${method} ${path} is answered ${status}`, async (t) => {
    const socket = socketPath(t);
    await serve(t, socket);
    const call = request({ socketPath: socket, method, path, agent: false }).end();
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
    let text = '';
    for await (const chunk of response) text += chunk;
    t.is(response.statusCode, status);
    t.is(response.headers['content-type'], 'application/json');
    const body = JSON.parse(text) as { error?: { code: string } };
    t.is(body.error?.code, code);
    if (status !== 200) t.deepEqual(violations('error', body), []);
  });

test('a second daemon is refused while the first answers, and the first goes on', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  await t.throwsAsync(serveControl(path, HANDLERS), {
    instanceOf: WeftError,
    code: 'ALREADY_RUNNING',
    message: `Another weftd is running: it answers on ${path}`,
  });
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
});

test('the socket of a killed daemon is replaced', async (t) => {
  const path = socketPath(t);
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.true(statSync(path).isSocket());
  await t.throwsAsync(askDaemon(path, '/v1/peers'), { code: 'NOT_RUNNING', message: `Nobody answers on ${path}` });
  await serve(t, path);
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
});

test('a file that is not a socket is neither replaced nor asked', async (t) => {
  const path = socketPath(t);
  writeFileSync(path, 'precious');
  await t.throwsAsync(serveControl(path, HANDLERS), { code: 'CONTROL_SOCKET_REFUSED', message: /not a socket/ });
  await t.throwsAsync(askDaemon(path, '/v1/peers'), { instanceOf: WeftError });
  t.is(statSync(path).size, 8);
});

test('a path that is too long for a socket is refused, not cut', async (t) => {
  const path = join(socketPath(t), '..', `${'x'.repeat(120)}.sock`);
  await t.throwsAsync(serveControl(path, HANDLERS), { code: 'CONTROL_SOCKET_REFUSED' });
  await t.throwsAsync(askDaemon(path, '/v1/peers'), { code: 'NOT_RUNNING', message: /107 bytes/ });
});

test('no socket asks whether weftd is running', async (t) => {
  const error = await t.throwsAsync(askDaemon(socketPath(t), '/v1/peers'), { code: 'NOT_RUNNING' });
  t.true(error instanceof WeftError && error.hint?.startsWith('is weftd running?'));
});

test('another user is told to use sudo', async (t) => {
  if (process.getuid?.() !== 0) {
    t.pass('needs root to become somebody else');
    return;
  }
  const path = socketPath(t);
  await serve(t, path);
  execFileSync('chmod', ['0755', join(path, '..')]);
  const client = new URL('../../lib/control/client.js', import.meta.url);
  // Imported first: the checkout may be in a folder that nobody else may enter.
  const script = `const { askDaemon } = await import(${JSON.stringify(client.href)});
    process.setgid(65534); process.setuid(65534);
    askDaemon(${JSON.stringify(path)}, '/v1/peers')
      .then(() => console.log('answered'), (error) => console.log(error.code + ': ' + error.hint));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  t.is(output, 'PERMISSION_DENIED: only the user that runs weftd may: try sudo\n');
});

test("something else's socket is not mistaken for weftd's", async (t) => {
  const path = socketPath(t);
  const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi')).listen(path);
  t.teardown(() => server.close());
  await once(server, 'listening');
  await t.throwsAsync(askDaemon(path, '/v1/peers'), { code: 'BAD_REPLY' });
});

test('closing does not wait for a client that hangs', async (t) => {
  const path = socketPath(t);
  const server = await serveControl(path, HANDLERS);
  const idle = connect(path);
  await once(idle, 'connect');
  idle.on('error', () => undefined);
  await server.close();
  await once(idle, 'close');
  t.pass();
});

test('300 idle connections keep nobody from an answer (S2)', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  const idle: Socket[] = [];
  t.teardown(() => {
    for (const socket of idle) socket.destroy();
  });
  for (let number = 0; number < 300; number++) {
    const socket = connect(path).on('error', () => undefined);
    idle.push(socket);
    await once(socket, 'connect');
  }
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
});

test('of 120,000 requests whose answers nobody reads only those are answered that the kernel takes, and others go on (S2)', async (t) => {
  const path = socketPath(t);
  let produced = 0;
  const reply: RoutesReply = { routes: Array(100).fill(ROUTES.routes[0]) };
  const routes = (): RoutesReply => {
    produced++;
    return reply;
  };
  const server = await serveControl(path, { ...HANDLERS, '/v1/routes': routes });
  t.teardown(() => server.close());
  const socket = connect(path);
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.write('GET /v1/routes HTTP/1.1\r\nhost: weftd\r\n\r\n'.repeat(120_000));
  for (let number = 0; number < 50; number++) t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
  // What two unix sockets hold is some hundred kB; an answer has 7.
  t.true(produced > 0 && produced < 500, `${produced} answers`);
});

test('requests in one go are answered in order as they are read (S2)', async (t) => {
  const path = socketPath(t);
  await serve(t, path);
  const socket = connect(path);
  await once(socket, 'connect');
  const names = Array.from({ length: 2000 }, (_, index) => `n${index}`);
  socket.end(names.map((name) => `GET /v1/fdb?network=${name} HTTP/1.1\r\nhost: weftd\r\n\r\n`).join(''));
  let text = '';
  for await (const chunk of socket) text += chunk;
  t.deepEqual(
    [...text.matchAll(/"mac":"(n\d+)"/g)].map((match) => match[1]),
    names,
  );
});

test('a socket that somebody deletes, with its directory, is made again (a brother of S2)', async (t) => {
  const path = socketPath(t, 'run');
  let times = 0;
  const server = await serveControl(path, HANDLERS, { lookMs: 5, onMadeAgain: () => times++ });
  rmSync(dirname(path), { recursive: true });
  t.true(await until(() => times === 1, PATIENCE_MS));
  t.deepEqual(await askDaemon(path, '/v1/peers'), PEERS);
  t.is(statSync(path).mode & 0o777, 0o600);
  await server.close();
  t.false(existsSync(path));
});

test('what is in the place of a deleted socket is left alone', async (t) => {
  const path = socketPath(t);
  const server = await serveControl(path, HANDLERS, { lookMs: 5, onMadeAgain: () => t.fail() });
  t.teardown(() => server.close());
  rmSync(path);
  writeFileSync(path, 'mine');
  await delay(50);
  t.is(readFileSync(path, 'utf8'), 'mine');
});
