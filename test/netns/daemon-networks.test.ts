import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { until } from '../../lib/lab/until.ts';
import { type EtcdServer, startEtcd } from '../etcd-server.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';
import { listenForNotices } from './notify-socket.ts';
import { makeUnderlay } from './underlay.ts';
import { type Files, makeFiles, Weftd } from './weftd.ts';

// One namespace: lo with etcd, and a veth pair und0 (192.0.2.1/24) - und1 as underlay. One weftd with several networks.
const test = testInFreshNamespace();

const HEALTH = ['--healthz-ip=127.0.0.1', '--healthz-port=18083'];
const UDP = '{"Network":"10.5.0.0/16","Backend":{"Type":"udp"}}';

const alloc = (network: string): string => `{"Network":"${network}","Backend":{"Type":"alloc"}}`;

/** An etcd with the configuration of each network, at /t/<name>; '' is none. */
async function etcd(t: ExecutionContext, configs: Readonly<Record<string, string>>): Promise<EtcdServer> {
  makeUnderlay();
  const server = await startEtcd();
  t.teardown(() => server.stop());
  for (const [name, config] of Object.entries(configs)) if (config !== '') await configure(server, name, config);
  return server;
}

async function configure(server: EtcdServer, name: string, config: string): Promise<void> {
  await server.etcdctl('put', `/t/${name}/config`, config);
}

/** Names, each perhaps with more: "blue", "red,netns=red". */
function flags(server: EtcdServer, files: Files, networks: readonly string[]): string[] {
  const values = networks.map((text) => {
    const name = text.split(',', 1)[0];
    return `--network=name=${text},etcd-prefix=/t/${name},subnet-file=${subnetFile(files, name)}`;
  });
  return [`--etcd-endpoints=${server.endpoint}`, '--iface=und0', ...values];
}

function subnetFile(files: Files, name: string | undefined): string {
  return join(files.directory, `${name}.env`);
}

async function readyz(): Promise<number> {
  return (await fetch('http://127.0.0.1:18083/readyz', { headers: { connection: 'close' } })).status;
}

function ip(...argv: string[]): string {
  return execFileSync('ip', argv, { encoding: 'utf8' });
}

test('one network runs while another waits for its configuration and a third has a bad one, until all are mended', async (t) => {
  const server = await etcd(t, {
    blue: UDP,
    green: '',
    red: '{"Network":"10.7.0.0/16","Backend":{"Type":"wireguard"}}',
  });
  const before = ip('-br', 'link');
  const files = makeFiles(t);
  const weftd = new Weftd(t, [...flags(server, files, ['blue', 'green', 'red']), ...HEALTH], files);
  const status = await weftd.networks({ blue: 'ready', green: 'waiting', red: 'failed' });
  const [blue, green, red] = status.networks;
  t.is(await readyz(), 503);

  t.is(status.state, 'ready', 'the keys of one network are those of the first');
  t.deepEqual(status.lease, blue?.lease);
  t.like(status, { subnetFile: subnetFile(files, 'blue'), alarms: [], waitingFor: null });
  t.is(blue?.backend?.device, 'flannel0');
  t.regex(readFileSync(subnetFile(files, 'blue'), 'utf8'), /^FLANNEL_NETWORK=10\.5\.0\.0\/16\n/);
  t.like(green, {
    etcdPrefix: '/t/green',
    netns: null,
    backend: null,
    waitingFor: { code: 'CONFIG_MISSING' },
    alarms: [],
  });
  t.is(red?.waitingFor?.code, 'UNSUPPORTED_BACKEND');
  t.regex(red?.alarms.join() ?? '', /^Network "red" has failed: Backend type "wireguard" of \/t\/red\/config is not/);
  t.false(existsSync(subnetFile(files, 'green')) || existsSync(subnetFile(files, 'red')));
  t.true(weftd.log.some((line) => line.network === 'red' && line.msg.startsWith('Failed, and tried again: Backend')));

  const socket = weftd.files.controlSocket;
  t.deepEqual((await askDaemon(socket, '/v1/routes', 'blue')).routes, []);
  await t.throwsAsync(askDaemon(socket, '/v1/routes', 'green'), {
    code: 'NOT_READY',
    message: /^Network "green" is not ready: No network configuration at \/t\/green\/config/,
  });
  await t.throwsAsync(askDaemon(socket, '/v1/stats', 'white'), {
    code: 'UNKNOWN_NETWORK',
    message: 'No network "white": there is blue, green, red',
  });
  t.is((await askDaemon(socket, '/v1/status', 'red')).waitingFor?.code, 'UNSUPPORTED_BACKEND');

  await configure(server, 'green', alloc('10.6.0.0/16'));
  await configure(server, 'red', alloc('10.7.0.0/16'));
  const mended = await weftd.networks({ blue: 'ready', green: 'ready', red: 'ready' });
  t.is(await readyz(), 200);
  t.deepEqual(
    mended.networks.map(({ waitingFor, alarms }) => ({ waitingFor, alarms })),
    Array(3).fill({ waitingFor: null, alarms: [] }),
  );
  for (const [name, network] of [
    ['green', '10.6.0.0/16'],
    ['red', '10.7.0.0/16'],
  ] as const)
    t.true(readFileSync(subnetFile(files, name), 'utf8').startsWith(`FLANNEL_NETWORK=${network}\n`));
  const started = weftd.log.filter(({ network, msg }) => network === 'blue' && msg === 'Backend started');
  t.is(started.length, 1, 'blue was left alone');

  weftd.signal('SIGTERM');
  const { code } = await weftd.ended();
  t.is(code, 0, weftd.errorLines.join('\n'));
  t.is(ip('-br', 'link'), before);
});

test('a network that fails for want of its port writes no lease, and comes up when the port is free (F1)', async (t) => {
  const server = await etcd(t, { blue: alloc('10.6.0.0/16'), red: UDP });
  const squatter = createSocket('udp4').bind(8285, '192.0.2.1');
  await once(squatter, 'listening');
  const files = makeFiles(t);
  const weftd = new Weftd(t, flags(server, files, ['blue', 'red']), files);
  const { networks } = await weftd.networks({ blue: 'ready', red: 'failed' });
  t.is(networks[1]?.waitingFor?.code, 'PORT_BUSY');
  const attempts = async () => (await weftd.status()).networks[1]?.waitingFor?.attempts ?? 0;
  t.true(await until(async () => (await attempts()) >= 3, PATIENCE_MS), `${await attempts()} attempts`);
  t.is(await server.etcdctl('get', '--prefix', '/t/red/subnets', '--keys-only'), '');
  t.notRegex(ip('-br', 'link'), /flannel/, 'an attempt that fails leaves nothing');
  const closed = once(squatter, 'close');
  squatter.close();
  await closed;
  const after = await weftd.networks({ blue: 'ready', red: 'ready' });
  t.truthy(after.networks[1]?.lease);
  t.true(weftd.log.some(({ network, msg }) => network === 'red' && msg === 'No longer failed'));
});

test('networks whose addresses overlap are kept apart: the second one fails and says how to mend it', async (t) => {
  const server = await etcd(t, { blue: alloc('10.6.0.0/16'), red: '' });
  const files = makeFiles(t);
  const weftd = new Weftd(t, flags(server, files, ['blue', 'red']), files);
  await weftd.networks({ blue: 'ready', red: 'waiting' });
  await configure(server, 'red', alloc('10.6.128.0/17'));
  const { networks } = await weftd.networks({ blue: 'ready', red: 'failed' });
  t.like(networks[1]?.waitingFor, {
    code: 'NETWORK_OVERLAP',
    message: '10.6.128.0/17 of network "red" overlaps 10.6.0.0/16 of "blue", and both are without netns=',
  });
  t.is(await server.etcdctl('get', '--prefix', '/t/red/subnets', '--keys-only'), '', 'no lease was taken');
});

test('a network whose namespace is not there fails, and comes up when it is made', async (t) => {
  const server = await etcd(t, { blue: alloc('10.6.0.0/16'), red: alloc('10.6.0.0/16') });
  const name = `weft-${process.pid}-red`;
  const files = makeFiles(t);
  const weftd = new Weftd(t, flags(server, files, ['blue', `red,netns=${name}`]), files);
  const { networks } = await weftd.networks({ blue: 'ready', red: 'failed' });
  t.is(networks[1]?.waitingFor?.code, 'NETNS_MISSING');
  t.is(networks[1]?.netns, `/run/netns/${name}`);
  ip('netns', 'add', name);
  t.teardown(() => {
    ip('netns', 'del', name);
  });
  // With a namespace of its own it may have the same addresses.
  await weftd.networks({ blue: 'ready', red: 'ready' });
});

test('vxlan networks with the same addresses share a port, each with its device in its own namespace', async (t) => {
  const vxlan = (vni: number) => `{"Network":"10.6.0.0/16","Backend":{"Type":"vxlan","VNI":${vni},"Port":4789}}`;
  const server = await etcd(t, { blue: vxlan(7), red: vxlan(8), twin: vxlan(7) });
  const names = ['blue', 'red', 'twin'];
  const netns = (name: string) => `weft-${process.pid}-${name}`;
  for (const name of names) {
    ip('netns', 'add', netns(name));
    t.teardown(() => {
      ip('netns', 'del', netns(name));
    });
  }
  const files = makeFiles(t);
  const values = names.map((name) => `${name},netns=${netns(name)}`);
  const weftd = new Weftd(t, flags(server, files, values.slice(0, 2)), files);
  const { networks } = await weftd.networks({ blue: 'ready', red: 'ready' });
  t.deepEqual(
    networks.map(({ backend }) => [backend?.device, backend?.port]),
    [
      ['flannel.7', 4789],
      ['flannel.8', 4789],
    ],
  );
  t.regex(ip('-n', netns('blue'), '-br', 'link'), /^flannel\.7 /m);
  t.regex(ip('-n', netns('red'), '-br', 'link'), /^flannel\.8 /m);
  t.notRegex(ip('-br', 'link'), /flannel/);
  const sockets = execFileSync('ss', ['-Hlun', 'sport = :4789'], { encoding: 'utf8' });
  t.is(sockets.trim().split('\n').length, 1, sockets);

  // What tells tenants apart on the wire is the VNI: the third has that of the first.
  weftd.signal('SIGTERM');
  await weftd.ended();
  const again = new Weftd(t, flags(server, files, values), files);
  const states = async (): Promise<string> => {
    const status = await again.status().catch(() => undefined);
    return (
      status?.networks
        .map(({ state }) => state)
        .toSorted()
        .join() ?? ''
    );
  };
  t.true(await until(async () => (await states()) === 'failed,ready,ready', PATIENCE_MS), await states());
  const failed = (await again.status()).networks.find(({ state }) => state === 'failed');
  t.is(failed?.waitingFor?.code, 'NETWORK_CONFLICT');
  t.not(failed?.name, 'red');
});

test('the service manager hears READY when one network is ready and the other waits for somebody, and how many are', async (t) => {
  const server = await etcd(t, { blue: alloc('10.6.0.0/16'), red: '' });
  const files = makeFiles(t);
  const path = join(files.directory, 'notify');
  const received = listenForNotices(t, path);
  const weftd = new Weftd(t, flags(server, files, ['blue', 'red']), files, { env: { NOTIFY_SOCKET: path } });
  await weftd.networks({ blue: 'ready', red: 'waiting' });
  const messages = received();
  const ready = messages.filter((message) => message.includes('READY=1'));
  t.is(ready.length, 1, messages.join('\n'));
  t.regex(
    messages.at(-1) ?? '',
    /^(READY=1\n)?STATUS=1 of 2 networks ready; red: Waiting: No network configuration at /,
  );
  await configure(server, 'red', alloc('10.7.0.0/16'));
  await weftd.networks({ blue: 'ready', red: 'ready' });
  t.deepEqual(
    received().filter((message) => message.includes('READY') || message.includes('2 of 2')),
    ['STATUS=2 of 2 networks ready'],
  );
});

test('READY is not sent while the only network that could be ready has not come', async (t) => {
  const server = await etcd(t, { blue: '', red: '{"Network":"10.5.0.0/16","Backend":{"Type":"wireguard"}}' });
  const files = makeFiles(t);
  const path = join(files.directory, 'notify');
  const received = listenForNotices(t, path);
  const weftd = new Weftd(t, flags(server, files, ['blue', 'red']), files, { env: { NOTIFY_SOCKET: path } });
  await weftd.networks({ blue: 'waiting', red: 'failed' });
  t.notRegex(received().join('\n'), /READY/);
});

test('a network with a namespace of its own takes CAP_SYS_ADMIN, which is said at once', async (t) => {
  const server = await etcd(t, {});
  const files = makeFiles(t);
  const wrapper = ['setpriv', '--bounding-set=-sys_admin'];
  const weftd = new Weftd(t, flags(server, files, ['blue,netns=x']), files, { wrapper });
  t.is((await weftd.ended()).code, 1);
  t.regex(weftd.errorLines[0] ?? '', /^weftd: CAP_SYS_ADMIN is missing/);
});

test('a daemon of one network ends with what is wrong, with a name or without', async (t) => {
  const server = await etcd(t, { blue: '{"Network":"10.5.0.0/16","Backend":{"Type":"wireguard"}}' });
  const files = makeFiles(t);
  const weftd = new Weftd(t, flags(server, files, ['blue']), files);
  t.is((await weftd.ended()).code, 1);
  t.regex(weftd.errorLines[0] ?? '', /^weftd: Backend type "wireguard" of \/t\/blue\/config is not supported/);
});

test('one network with a name is one network', async (t) => {
  const server = await etcd(t, { blue: UDP });
  const files = makeFiles(t);
  const weftd = new Weftd(t, flags(server, files, ['blue']), files);
  const { networks, lease } = await weftd.networks({ blue: 'ready' });
  t.deepEqual(networks[0]?.lease, lease);
  t.deepEqual((await askDaemon(files.controlSocket, '/v1/routes', 'blue')).routes, []);
  await t.throwsAsync(askDaemon(files.controlSocket, '/v1/routes', ''), { code: 'UNKNOWN_NETWORK' });
});

test('a daemon without --network has one network without a name', async (t) => {
  makeUnderlay();
  const server = await startEtcd();
  t.teardown(() => server.stop());
  await server.etcdctl('put', '/coreos.com/network/config', UDP);
  const weftd = new Weftd(t, [`--etcd-endpoints=${server.endpoint}`, '--iface=und0']);
  const { networks, ...status } = await weftd.ready();
  t.is(networks.length, 1);
  t.like(networks[0], { name: '', etcdPrefix: '/coreos.com/network', netns: null, lease: status.lease });
  const { controlSocket } = weftd.files;
  t.deepEqual((await askDaemon(controlSocket, '/v1/fdb')).fdb, []);
  t.deepEqual((await askDaemon(controlSocket, '/v1/neigh')).neighbors, []);
  await t.throwsAsync(askDaemon(controlSocket, '/v1/peers', 'blue'), {
    message: 'No network "blue": this weftd has one network, which has no name',
  });
});

test('wrong values of --network are wrong usage', async (t) => {
  const weftd = new Weftd(t, ['--network=name=blue,etcd-prefix=/t/blue']);
  t.is((await weftd.ended()).code, 2);
  t.deepEqual(weftd.errorLines, [
    'weftd: invalid value "name=blue,etcd-prefix=/t/blue" for -network: subnet-file is missing',
    'for example -network=name=blue,etcd-prefix=/tenants/blue,subnet-file=/run/flannel/blue.env,netns=blue',
  ]);
});
