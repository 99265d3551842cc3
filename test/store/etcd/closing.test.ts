import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { startEtcd } from '../../etcd-server.ts';
import { PATIENCE_MS } from '../../patience.ts';
import { TcpProxy } from '../../tcp-proxy.ts';
import { Following, openStore } from './harness.ts';

const PROGRAM = fileURLToPath(new URL('closing-process.js', import.meta.url));
/** Runs the program to its own end; what it wrote. */
async function run(endpoint: string, mode: 'use' | 'wait'): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, endpoint, mode], {
    timeout: PATIENCE_MS,
  });
  return stdout + stderr;
}

test('a process ends by itself after its store is closed', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  t.is(await run(etcd.endpoint, 'use'), 'closed\n');
});

test('a process ends by itself when its store is closed while etcd does not answer', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  etcd.pause();
  t.is(await run(etcd.endpoint, 'wait'), 'closed\n');
  const proxy = await TcpProxy.start(etcd.clientPort);
  await proxy.stop();
  t.is(await run(proxy.endpoint, 'wait'), 'closed\n');
});

test('a closed store refuses to work', async (t) => {
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  const { store } = openStore(t, etcd.endpoint);
  const watch = store.watch(new Following());
  await store.close();
  await t.throwsAsync(store.networkConfig(), { code: 'STORE_CLOSED' });
  await t.throwsAsync(watch.ready, { code: 'STORE_CLOSED' });
  await store.close();
  await watch.close();
});
