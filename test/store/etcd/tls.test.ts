import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { WeftError } from '../../../lib/error.ts';
import { type EtcdTls, hasTlsFiles, readTlsFiles } from '../../../lib/store/etcd/tls.ts';
import { type EtcdServer, startEtcd } from '../../etcd-server.ts';
import { TcpProxy } from '../../tcp-proxy.ts';
import { Authority } from './certificates.ts';
import { follow, openStore } from './harness.ts';

const authority = new Authority('weft test');
const stranger = new Authority('weft test');
const server = authority.issue('IP:127.0.0.1,DNS:localhost');
const client = authority.issue('DNS:client');
const strangersClient = stranger.issue('DNS:client');

let etcd: EtcdServer;
let plainEtcd: EtcdServer;
let strictEtcd: EtcdServer;
let misnamedEtcd: EtcdServer;
let expiredEtcd: EtcdServer;

test.before(async () => {
  const { certFile } = authority;
  [etcd, plainEtcd, strictEtcd, misnamedEtcd, expiredEtcd] = await Promise.all([
    startEtcd({ tls: server }),
    startEtcd(),
    startEtcd({ tls: { ...server, clientCaFile: certFile } }),
    startEtcd({ tls: authority.issue('DNS:elsewhere') }),
    startEtcd({ tls: authority.issue('IP:127.0.0.1', 0) }),
  ]);
});
test.after.always(async () => {
  await Promise.all([etcd, plainEtcd, strictEtcd, misnamedEtcd, expiredEtcd].map((one) => one?.stop()));
  authority.remove();
  stranger.remove();
});

/** Code, message without the address, and hint of what a store says; "works" when it can read. */
async function outcome(endpoint: string, tls: EtcdTls | undefined): Promise<string> {
  const { EtcdClient } = await import('../../../lib/store/etcd/client.ts');
  const etcdClient = new EtcdClient({ endpoints: endpoint, tls });
  try {
    await etcdClient.range({ key: new Uint8Array([1]) });
    return 'works';
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return `${error.code}: ${error.message.replace(endpoint, 'URL')} (${error.hint})`;
  } finally {
    etcdClient.close();
  }
}

test('reads, writes and watches over TLS with only the CA', async (t) => {
  const { store } = openStore(t, `${etcd.endpoint}/`, { tls: { ca: authority.cert } });
  t.is((await follow(t, store)).lists, 1);
  t.is(await outcome(etcd.endpoint.replace('127.0.0.1', 'localhost'), { ca: authority.cert }), 'works');
});

test('shows its own certificate to an etcd that asks for one', async (t) => {
  t.is(await outcome(strictEtcd.endpoint, { ca: authority.cert, cert: client.cert, key: client.key }), 'works');
});

test('says what is wrong with TLS, differently for each mistake', async (t) => {
  const ca = authority.cert;
  const says = async (endpoint: string, tls: EtcdTls | undefined, expected: RegExp) => {
    const text = await outcome(endpoint, tls);
    t.regex(text, expected);
    t.log(text);
  };
  await says(
    etcd.endpoint,
    { ca: stranger.cert },
    /^STORE_DENIED: TLS with etcd at URL fails: .*(give the CA that signed etcd's certificate with --etcd-cafile)/,
  );
  await says(
    etcd.endpoint,
    undefined,
    /^STORE_DENIED: TLS with etcd at URL fails: .*(give the CA that signed etcd's certificate with --etcd-cafile)/,
  );
  await says(
    etcd.endpoint.replace('https', 'http'),
    undefined,
    /^STORE_DENIED: Etcd at URL speaks TLS, not plain http \(write the endpoint as https:\/\/ and give the CA with --etcd-cafile\)/,
  );
  await says(
    plainEtcd.endpoint.replace('http', 'https'),
    { ca },
    /^STORE_DENIED: Etcd at URL speaks plain http, not TLS \(let etcd listen with https/,
  );
  await says(
    misnamedEtcd.endpoint,
    { ca },
    /^STORE_DENIED: TLS with etcd at URL fails: .*127\.0\.0\.1.*\(the certificate is for other names/,
  );
  await says(
    expiredEtcd.endpoint,
    { ca },
    /^STORE_DENIED: TLS with etcd at URL fails: .*expired.*\(renew etcd's certificate/,
  );
  await says(
    strictEtcd.endpoint,
    { ca },
    /^STORE_DENIED: TLS with etcd at URL fails: .*\(etcd refuses our certificate/,
  );
  const foreign = { ca, cert: strangersClient.cert, key: strangersClient.key };
  await says(
    strictEtcd.endpoint,
    foreign,
    /^STORE_DENIED: TLS with etcd at URL fails: .*\(etcd refuses our certificate/,
  );
});

test('certificate and key are read again at each connection, and half a renewal leaves the old ones in force (L9)', async (t) => {
  const { EtcdClient } = await import('../../../lib/store/etcd/client.ts');
  const files = {
    certFile: join(authority.directory, 'renewed.pem'),
    keyFile: join(authority.directory, 'renewed.key'),
  };
  const write = (cert: string, key: string): void => {
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
  };
  write(client.cert, client.key);
  const proxy = await TcpProxy.start(strictEtcd.clientPort);
  t.teardown(() => proxy.stop());
  const tls = () => readTlsFiles({ caFile: authority.certFile, ...files });
  const etcdClient = new EtcdClient({ endpoints: `https://127.0.0.1:${proxy.port}`, tls });
  t.teardown(() => etcdClient.close());
  const read = () => etcdClient.range({ key: new Uint8Array([1]) });
  const reconnect = async () => {
    await proxy.cut();
    await proxy.restore();
    return read();
  };
  await t.notThrowsAsync(read());
  const next = authority.issue('DNS:next');
  write(next.cert, client.key);
  await t.notThrowsAsync(reconnect());
  // etcd takes none but its own authority's: the new files are in use.
  write(strangersClient.cert, strangersClient.key);
  await t.throwsAsync(reconnect(), { code: 'STORE_DENIED' });
  write(next.cert, next.key);
  await t.notThrowsAsync(reconnect());
});

test('refuses TLS files that are not usable', (t) => {
  const open = (tls: EtcdTls) => openStore(t, etcd.endpoint, { tls });
  const code = 'STORE_OPTIONS_INVALID';
  t.throws(() => open({ ca: authority.cert, cert: client.cert }), { code, message: /needs its key/ });
  t.throws(() => open({ cert: client.cert, key: server.key }), { code, message: /^TLS files are not usable: / });
  t.throws(() => open({ ca: 'nonsense', cert: 'nonsense', key: 'nonsense' }), { code });
  const missing = join(authority.directory, 'missing.pem');
  t.throws(() => readTlsFiles({ caFile: missing }), {
    code,
    message: `Cannot read TLS file: ENOENT: no such file or directory, open '${missing}'`,
  });
  t.false(hasTlsFiles({ caFile: '', certFile: undefined }));
  t.is(readTlsFiles({ caFile: authority.certFile }).ca, authority.cert);
});
