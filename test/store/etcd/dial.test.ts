import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { WeftError } from '../../../lib/error.ts';
import { dial } from '../../../lib/store/etcd/dial.ts';
import { parseEndpoints } from '../../../lib/store/etcd/endpoints.ts';

/** Listens on an address of loopback; ends with the test. Returns the port. */
function listen(t: ExecutionContext, server: Server, address: string, port: number): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0);
    });
  });
}

/** Takes connections and says nothing. */
const silent = (): Server => createServer();

/** Says its first word only after a while: a long way off. */
function distant(ms: number): Server {
  const http2 = createHttp2Server();
  return createServer((socket) => {
    const timer = setTimeout(() => http2.emit('connection', socket), ms);
    socket.once('close', () => clearTimeout(timer));
  });
}

function dialName(port: number, addresses: readonly string[], timeoutMs: number): Promise<string> {
  const [endpoint] = parseEndpoints(`http://etcd.test:${port}`);
  const { signal } = new AbortController();
  return dial(endpoint!, { context: undefined, timeoutMs, signal, resolve: async () => addresses });
}

const orders: readonly (readonly string[])[] = [
  ['127.0.0.2', '127.0.0.3'],
  ['127.0.0.3', '127.0.0.2'],
];
for (const addresses of orders)
  test(`of two addresses, one silent and one 450 ms away, the second answers: ${addresses.join(', ')} (L10)`, async (t) => {
    const port = await listen(t, silent(), '127.0.0.2', 0);
    await listen(t, distant(450), '127.0.0.3', port);
    t.is(await dialName(port, addresses, 20_000), '127.0.0.3');
  });

test('an address that refuses is followed by the next at once (L10)', async (t) => {
  const port = await listen(t, distant(0), '127.0.0.3', 0);
  t.is(await dialName(port, ['127.0.0.4', '127.0.0.5', '127.0.0.3'], 20_000), '127.0.0.3');
});

test('when no address answers, each is named (L10)', async (t) => {
  const port = await listen(t, silent(), '127.0.0.2', 0);
  const error = await t.throwsAsync(dialName(port, ['127.0.0.2', '127.0.0.4'], 300), { instanceOf: WeftError });
  t.is(error?.code, 'STORE_UNREACHABLE');
  t.true(error?.message.includes('no answer of 127.0.0.2 within 300 ms'), error?.message);
  t.true(error?.message.includes(`ECONNREFUSED 127.0.0.4:${port}`), error?.message);
});

test('a name that cannot be resolved is said to be that', async (t) => {
  const [endpoint] = parseEndpoints('http://etcd.test:1');
  const resolve = (): Promise<never> =>
    Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND etcd.test'), { code: 'ENOTFOUND' }));
  const { signal } = new AbortController();
  const error = await t.throwsAsync(dial(endpoint!, { context: undefined, timeoutMs: 1000, signal, resolve }), {
    instanceOf: WeftError,
  });
  t.is(error?.message, 'Cannot reach etcd at http://etcd.test:1: getaddrinfo ENOTFOUND etcd.test');
  t.is(error?.hint, 'check the host name in --etcd-endpoints');
});
