/** A network gets other addresses in etcd between two runs of weftd: what the first left in the kernel, the second removes. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { until } from '../../lib/lab/until.ts';
import { type EtcdServer, startEtcd } from '../etcd-server.ts';
import { testInFreshNamespace } from './enter.ts';
import { makeUnderlay } from './underlay.ts';
import { type Files, makeFiles, Weftd } from './weftd.ts';

// One namespace: lo with etcd, and a veth pair und0 (192.0.2.1/24, 2001:db8::1/64) - und1 as underlay, where nobody answers.
const test = testInFreshNamespace();

const DEADLINE_MS = 20_000;
const VXLAN = '{"Type":"vxlan","DirectRouting":true}';
const DATA = '{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}';

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

/** Destinations of the routes that some weftd made. */
function left(): string[] {
  const lines = ['-4', '-6'].flatMap((family) => ip(family, 'route', 'show', 'proto', '137').split('\n'));
  return lines.flatMap((line) => line.split(' ')[0] || []).toSorted();
}

interface Run {
  /** Of etcd: /t/<name>. */
  readonly name: string;
  readonly files: Files;
  readonly network: string;
  readonly backend: string;
  /** The subnets of a peer at 192.0.2.9 and 2001:db8::9. */
  readonly peer: string;
  readonly ipv6Network?: string;
  readonly peer6?: string;
  /** What is to be there while it runs. */
  readonly routes: readonly string[];
}

async function makeHost(t: ExecutionContext): Promise<EtcdServer> {
  ip('route', 'flush', 'proto', '137');
  ip('-6', 'route', 'flush', 'proto', '137');
  makeUnderlay();
  ip('-6', 'addr', 'replace', '2001:db8::1/64', 'dev', 'und0', 'nodad');
  const server = await startEtcd();
  t.teardown(() => server.stop());
  return server;
}

/** Starts a weftd with everything new in etcd but for the one peer; resolves when its routes are there. */
async function start(t: ExecutionContext, server: EtcdServer, run: Run): Promise<Weftd> {
  const { name, files, network, backend, peer, ipv6Network, peer6, routes } = run;
  const prefix = `/t/${name}`;
  const ipv6 = ipv6Network === undefined ? '' : `"EnableIPv6":true,"IPv6Network":"${ipv6Network}",`;
  const type = (JSON.parse(backend) as { Type: string }).Type;
  const data = type === 'vxlan' ? `,"BackendData":${DATA},"BackendV6Data":${DATA}` : '';
  const key = `${prefix}/subnets/${[peer, ...(peer6 === undefined ? [] : [peer6])].join('&').replaceAll('/', '-')}`;
  await server.etcdctl('del', '--prefix', prefix);
  await server.etcdctl('put', `${prefix}/config`, `{"Network":"${network}",${ipv6}"Backend":${backend}}`);
  await server.etcdctl(
    'put',
    key,
    `{"PublicIP":"192.0.2.9","PublicIPv6":"2001:db8::9","BackendType":"${type}"${data}}`,
  );
  const flags = [`--etcd-endpoints=${server.endpoint}`, `--etcd-prefix=${prefix}`, '--iface=und0'];
  const daemon = new Weftd(t, flags, files);
  await daemon.ready();
  const settled = await until(() => String(left()) === String(routes.toSorted()), DEADLINE_MS);
  t.true(settled, `${left().join(' ')} in place of ${routes.join(' ')}`);
  return daemon;
}

async function runOnce(t: ExecutionContext, server: EtcdServer, run: Run): Promise<void> {
  const daemon = await start(t, server, run);
  daemon.signal('SIGTERM');
  await daemon.ended();
}

const OLD = { name: 'a', network: '10.244.0.0/16', peer: '10.244.9.0/24', routes: ['10.244.9.0/24'] };
const NEW = { name: 'a', network: '10.99.0.0/16', peer: '10.99.9.0/24', routes: ['10.99.9.0/24'] };
const HOST_GW = '{"Type":"host-gw"}';

for (const [title, before, after] of [
  ['host-gw', HOST_GW, HOST_GW],
  ['vxlan with DirectRouting', VXLAN, VXLAN],
  ['host-gw, then vxlan', HOST_GW, VXLAN],
] as const)
  test(`the routes of a network that was renumbered are gone: ${title} (L7)`, async (t) => {
    const server = await makeHost(t);
    const files = makeFiles(t);
    await runOnce(t, server, { ...OLD, files, backend: before });
    t.deepEqual(left(), OLD.routes, 'plain routes outlive weftd');
    await runOnce(t, server, { ...NEW, files, backend: after });
    t.deepEqual(left(), NEW.routes);
  });

test('they are gone also where the state directory was lost, and where alloc comes after (L7)', async (t) => {
  const server = await makeHost(t);
  const files = makeFiles(t);
  await runOnce(t, server, { ...OLD, files, backend: HOST_GW });
  rmSync(join(files.directory, 'state'), { recursive: true });
  await runOnce(t, server, { ...NEW, files, backend: '{"Type":"alloc"}', routes: [] });
});

test('the IPv6 routes of a network that has IPv6 no longer are gone (L7)', async (t) => {
  const server = await makeHost(t);
  const files = makeFiles(t);
  const dual = { ipv6Network: 'fd00:5::/48', peer6: 'fd00:5:0:9::/64' };
  await runOnce(t, server, { ...OLD, ...dual, files, backend: HOST_GW, routes: [...OLD.routes, dual.peer6] });
  await runOnce(t, server, { ...OLD, files, backend: HOST_GW });
});

test('the routes of another weftd stay, also where it has got the addresses that this one had (L7)', async (t) => {
  const server = await makeHost(t);
  const files = makeFiles(t);
  const other = { name: 'b', files: makeFiles(t), backend: HOST_GW };
  const shared = { ...other.files, directory: files.directory };
  await runOnce(t, server, { ...OLD, files, backend: HOST_GW });

  // It takes over the addresses; they share the state directory, as with the default one.
  const routes = ['10.244.9.0/24'];
  const running = await start(t, server, { ...OLD, ...other, files: shared, routes });
  const since = running.log.length;
  await runOnce(t, server, { ...NEW, files, backend: HOST_GW, routes: [...routes, ...NEW.routes] });
  t.deepEqual(
    running.log.slice(since).filter(({ msg }) => msg.startsWith('Repaired')),
    [],
    'nothing had to be repaired',
  );
  await runOnce(t, server, { ...NEW, files, backend: HOST_GW, routes: [...routes, ...NEW.routes] });
});
