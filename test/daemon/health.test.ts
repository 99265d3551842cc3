import { once } from 'node:events';
import { createServer } from 'node:net';
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
    'flanneld is not ready yet\nblue: degraded: flannel0 is down\nred: waiting: a?b',
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
