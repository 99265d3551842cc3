import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'ava';
import { serveHealth } from '../../lib/daemon/health.ts';
import { WeftError } from '../../lib/error.ts';

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

test("the answers are flanneld's", async (t) => {
  const port = await freePort();
  let notReady = ['blue: degraded: flannel0 is down', 'red: waiting: a\u001bb'];
  const health = await serveHealth('127.0.0.1', port, () => notReady);
  t.teardown(() => health.close());
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: 'close' } });
    return [response.status, await response.text()];
  };
  t.deepEqual(await ask('/healthz'), [200, 'flanneld is running']);
  t.deepEqual(await ask('/readyz'), [
    503,
    'flanneld is not ready yet\nblue: degraded: flannel0 is down\nred: waiting: a\\u001bb',
  ]);
  notReady = [];
  t.deepEqual(await ask('/readyz?verbose'), [200, 'flanneld is ready']);
  t.deepEqual(await ask('/healthz', 'HEAD'), [200, '']);
  t.is((await ask('/healthz', 'POST'))[0], 405);
  t.is((await ask('/'))[0], 404);
  t.is((await ask('/healthz/../readyz%2f'))[0], 404);
});

test('a port in use is one clear error', async (t) => {
  const port = await freePort();
  const health = await serveHealth('127.0.0.1', port, () => []);
  t.teardown(() => health.close());
  await t.throwsAsync(
    serveHealth('127.0.0.1', port, () => []),
    {
      instanceOf: WeftError,
      code: 'HEALTHZ_REFUSED',
      message: `Cannot serve health checks on 127.0.0.1:${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    },
  );
});

test('a client that sends the head slowly, asks twice or ends its half is answered', async (t) => {
  const port = await freePort();
  const health = await serveHealth('127.0.0.1', port, () => []);
  t.teardown(() => health.close());
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  for (const part of ['GET /hea', 'lthz HTTP/1.1\r\nhost: x\r', '\n\r\nHEAD /readyz HTTP/1.1\r\n\r\n']) {
    socket.write(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end('GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\nignored');
  await once(socket, 'close');
  t.deepEqual(
    text.split('\r\n').filter((line) => !line.startsWith('content-')),
    [
      ['HTTP/1.1 200 OK', 'connection: keep-alive', ''],
      ['flanneld is runningHTTP/1.1 200 OK', 'connection: keep-alive', ''],
      ['HTTP/1.1 200 OK', 'connection: close', '', 'flanneld is running'],
    ].flat(),
  );
});

test('what is no HTTP is cut', async (t) => {
  const port = await freePort();
  const health = await serveHealth('127.0.0.1', port, () => []);
  t.teardown(() => health.close());
  for (const words of ['hello\r\n\r\n', 'x'.repeat(10_000), 'GET /healthz HTTP/1.1\r\n no-name\r\n\r\n']) {
    const socket = connect(port, '127.0.0.1').end(words);
    let text = '';
    for await (const chunk of socket) text += chunk;
    t.regex(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  }
});
