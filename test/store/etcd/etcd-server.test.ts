import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'ava';
import { startEtcd } from '../../etcd-server.ts';

test('the etcd of the tests keeps its data over a restart and leaves nothing behind', async (t) => {
  const [one, two] = await Promise.all([startEtcd(), startEtcd()]);
  t.not(one.clientPort, two.clientPort);
  await one.etcdctl('put', 'key', 'value');
  await one.restart();
  t.is(await one.etcdctl('get', 'key', '--print-value-only'), 'value\n');
  t.is(await two.etcdctl('get', 'key', '--print-value-only'), '');
  const { pid } = one;
  await Promise.all([one.stop(), two.stop()]);
  t.false(existsSync(`/proc/${pid}`));
  t.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith(`weft-etcd-${process.pid}-`)),
    [],
  );
});
