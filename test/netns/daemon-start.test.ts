import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import koffi from 'koffi';
import { askDaemon } from '../../lib/control/client.ts';
import { readOptions } from '../../lib/daemon/cmdline/options.ts';
import { Daemon } from '../../lib/daemon/daemon.ts';
import { openStore } from '../../lib/daemon/open-store.ts';
import { until } from '../../lib/lab/until.ts';
import { type EtcdServer, startEtcd } from '../etcd-server.ts';
import { logTo } from '../log.ts';
import { testInFreshNamespace } from './enter.ts';
import { listenForNotices } from './notify-socket.ts';
import { makeUnderlay } from './underlay.ts';
import { makeFiles, Weftd } from './weftd.ts';

// One namespace: lo with etcd, and a veth pair und0 (192.0.2.1/24) - und1 as underlay.
const test = testInFreshNamespace();

const CONFIG_KEY = '/coreos.com/network/config';
const CONFIG = '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}';

/** tgkill(2): a signal for one thread. Of the main thread the number is the process's. */
const tgkill = koffi.load(null).func('int tgkill(int process, int thread, int signal)') as (
  ...of: [process: number, thread: number, signal: number]
) => number;

async function etcd(t: ExecutionContext, config: string | undefined = CONFIG): Promise<EtcdServer> {
  const server = await startEtcd();
  t.teardown(() => server.stop());
  if (config !== '') await server.etcdctl('put', CONFIG_KEY, config);
  return server;
}

/** Flags of a daemon that would start. */
function flags(server: { readonly endpoint: string }): string[] {
  makeUnderlay();
  return [`--etcd-endpoints=${server.endpoint}`, '--iface=und0'];
}

/** Nobody listens there. */
const NO_ETCD = { endpoint: 'http://127.0.0.1:1' };

async function assertFails(t: ExecutionContext, weftd: Weftd, lines: readonly (string | RegExp)[], code = 1) {
  const ending = await weftd.ended();
  t.is(ending.code, code, weftd.errorLines.join('\n'));
  t.is(weftd.errorLines.length, lines.length, weftd.errorLines.join('\n'));
  for (const [index, expected] of lines.entries())
    if (typeof expected === 'string') t.is(weftd.errorLines[index], expected);
    else t.regex(weftd.errorLines[index] ?? '', expected);
  t.false(existsSync(weftd.files.controlSocket));
}

function links(): string {
  return execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
}

test('wrong usage is one line and a hint, exit code 2', async (t) => {
  const wrong: [string, string, string | RegExp][] = [
    ['--ifce=eth0', 'weftd: flag provided but not defined: -ifce', 'did you mean -iface?'],
    [
      '--ip-masq=true',
      'weftd: -ip-masq=true is not supported yet; only the default false is',
      /^remove -ip-masq, and type with your Network: iptables /,
    ],
    ['--healthz-port=x', 'weftd: invalid value "x" for flag -healthz-port: parse error', 'weftd -help lists all flags'],
  ];
  for (const [flag, ...lines] of wrong) await assertFails(t, new Weftd(t, [flag]), lines, 2);
  const endpoint = new Weftd(t, ['--etcd-endpoints=ftp://root:hunter2@h:1']);
  t.is((await endpoint.ended()).code, 2);
  t.false(JSON.stringify([endpoint.errorLines, endpoint.log]).includes('hunter2'));
});

test('without CAP_NET_ADMIN it says which privilege is missing', async (t) => {
  const wrapper = ['setpriv', '--bounding-set=-net_admin'];
  await assertFails(t, new Weftd(t, flags(NO_ETCD), undefined, { wrapper }), [
    'weftd: CAP_NET_ADMIN is missing: Linux lets nobody else make network devices',
    'run as root (sudo weftd ...), or give the service AmbientCapabilities=CAP_NET_ADMIN',
  ]);
});

test('without /dev/net/tun it says how to get it, before a lease is taken', async (t) => {
  const server = await etcd(t);
  const script = 'mount -t tmpfs none /dev/net && exec "$@"';
  const wrapper = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
  await assertFails(t, new Weftd(t, flags(server), undefined, { wrapper }), [
    /^weftd: Cannot use \/dev\/net\/tun: ENOENT/,
    /^load the module with "modprobe tun"/,
  ]);
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('an unknown interface is reported at once, with those there are', async (t) => {
  makeUnderlay();
  await assertFails(t, new Weftd(t, [`--etcd-endpoints=${NO_ETCD.endpoint}`, '--iface=eth9']), [
    'weftd: No interface matches -iface="eth9"',
    /^this host has lo \(127\.0\.0\.1\), .*und0 \(192\.0\.2\.1\)/,
  ]);
  await assertFails(t, new Weftd(t, [`--etcd-endpoints=${NO_ETCD.endpoint}`]), [
    /^weftd: No default route/,
    /^choose one with -iface: lo/,
  ]);
});

test('a busy UDP port is named, with a way to find who has it', async (t) => {
  const server = await etcd(t);
  makeUnderlay();
  const squatter = createSocket('udp4').bind(8285, '192.0.2.1');
  t.teardown(() => squatter.close());
  await once(squatter, 'listening');
  await assertFails(t, new Weftd(t, flags(server)), [
    'weftd: Cannot bind UDP 192.0.2.1:8285: the port is in use',
    /^see who holds it with "ss -lunp 'sport = :8285'"/,
  ]);
  t.false(links().includes('flannel0'));
});

test('what fails on this host fails before the lease is written: it is as it was, or there is none (F1)', async (t) => {
  const server = await etcd(t, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","Port":4789}}');
  makeUnderlay();
  const squatter = createSocket('udp4').bind(4789, '192.0.2.1');
  t.teardown(() => squatter.close());
  await once(squatter, 'listening');
  const all = (): Promise<string> => server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '-w', 'json');
  const kvs = async (): Promise<unknown> => JSON.parse(await all()).kvs;
  await assertFails(t, new Weftd(t, flags(server)), [/the port is in use/, /^see who holds it/]);
  t.is(await kvs(), undefined);
  // As flanneld left it, whose kernel still has the port and the device of this MAC.
  const value =
    '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}';
  await server.etcdctl('put', '/coreos.com/network/subnets/10.244.7.0-24', value);
  const before = await kvs();
  const files = makeFiles(t);
  await assertFails(t, new Weftd(t, flags(server), files), [/the port is in use/, /^see who holds it/]);
  t.deepEqual(await kvs(), before, 'not even its revision');
  t.false(existsSync(files.subnetFile));
});

test('a device that is taken is named', async (t) => {
  const server = await etcd(t);
  execFileSync('ip', ['tuntap', 'add', 'flannel0', 'mode', 'tun']);
  t.teardown(() => {
    execFileSync('ip', ['tuntap', 'del', 'flannel0', 'mode', 'tun']);
  });
  await assertFails(t, new Weftd(t, flags(server)), [
    'weftd: Cannot create TUN device "flannel0": a device of that name exists',
    /^another weftd or flanneld may be running here/,
  ]);
});

test('another backend is refused with the ones there are', async (t) => {
  const server = await etcd(t, '{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard"}}');
  await assertFails(t, new Weftd(t, flags(server)), [
    /^weftd: Backend type "wireguard" of \/coreos\.com\/network\/config is not supported; supported: udp/,
    /^name one of these as Backend\.Type in \/coreos\.com\/network\/config/,
  ]);
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('a dual-stack network that needs an IPv6 underlay names the interface that has none', async (t) => {
  const server = await etcd(
    t,
    '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48","Backend":{"Type":"host-gw"}}',
  );
  for (const command of [
    'link add only4 type veth peer name only4p',
    'link set only4 addrgenmode none up',
    'link set only4p up',
    'addr add 198.51.100.1/24 dev only4',
  ])
    execFileSync('ip', command.split(' '));
  t.teardown(() => {
    execFileSync('ip', ['link', 'del', 'only4']);
  });
  await assertFails(
    t,
    new Weftd(
      t,
      [...flags(server), '--iface=only4'].filter((flag) => flag !== '--iface=und0'),
    ),
    [
      'weftd: EnableIPv6 with backend host-gw needs an IPv6 address on interface "only4", which has none',
      /^give only4 one .*, or choose another interface with -iface: .*und0 \(2001:db8::1, /,
    ],
  );
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('a subnet file that cannot be written is reported before a lease is taken', async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  symlinkSync('/etc/passwd', files.subnetFile);
  await assertFails(t, new Weftd(t, flags(server), files), [
    `weftd: Cannot use subnet file "${files.subnetFile}": it is a symbolic link, not a regular file`,
    'give another file with -subnet-file, or remove what is there',
  ]);
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('a file in a place where nothing can be made is one sentence, and takes no time (H2)', async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  await assertFails(t, new Weftd(t, flags(server), { ...files, subnetFile: '/proc/hx/subnet.env' }), [
    /^weftd: Cannot use subnet file "\/proc\/hx\/subnet.env": its directory cannot be made: ENOENT/,
    /^give another file with -subnet-file/,
  ]);
  await assertFails(t, new Weftd(t, flags(server), { ...files, controlSocket: '/proc/hx/weft.sock' }), [
    /^weftd: Cannot use control socket "\/proc\/hx\/weft.sock": ENOENT/,
    /./,
  ]);
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('a disk without room for the subnet file stops nothing: an alarm until there is room (H3)', async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  const full = join(files.directory, 'full');
  mkdirSync(full);
  const script = `mount -t tmpfs -o size=64k none ${full}; head -c 70000 /dev/zero > ${full}/fill; exec "$@"`;
  const subnetFile = join(full, 'subnet.env');
  const wrapper = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
  const weftd = new Weftd(t, flags(server), { ...files, subnetFile }, { wrapper });
  const { pid, state, alarms, lease } = await weftd.ready();
  t.is(state, 'degraded');
  t.regex(alarms.join(), /^Cannot write subnet file ".*": ENOSPC: no space left on device; pods that start now/);
  t.true(links().includes('flannel0'));
  execFileSync('nsenter', ['-t', `${pid}`, '--mount', 'rm', `${full}/fill`]);
  await weftd.logged('Alarm is over: Cannot write subnet file');
  t.is((await weftd.status()).state, 'ready');
  const text = execFileSync('nsenter', ['-t', `${pid}`, '--mount', 'cat', subnetFile], { encoding: 'utf8' });
  t.true(text.includes(`FLANNEL_SUBNET=${lease?.ipv4.replace('.0/24', '.1/24')}\n`), text);
  t.is(weftd.log.filter(({ msg }) => msg.startsWith('Alarm: ')).length, 1);
});

test('a CPU without SSSE3 is named before a lease is taken, with what to set (H6)', async (t) => {
  const server = await etcd(t);
  const script = 'node=$1; shift; exec "$node" --no-enable-ssse3 --no-enable-sse4-1 "$@"';
  await assertFails(t, new Weftd(t, flags(server), undefined, { wrapper: ['sh', '-c', script, 'sh'] }), [
    /^weftd: The CPU \(.+\) lacks SSSE3 or SSE4.1: WebAssembly.Module\(\)/,
    /^a virtual machine: give it the CPU model "host" or x86-64-v2/,
  ]);
  t.is(await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets', '--keys-only'), '');
});

test('too few descriptors are one sentence (H12)', async (t) => {
  const wrapper = ['prlimit', '--nofile=24:24'];
  await assertFails(t, new Weftd(t, flags(NO_ETCD), undefined, { wrapper }), [
    'weftd: The limit "Max open files" is 24, and weftd needs 128',
    /^raise it: LimitNOFILE=1024 in the unit/,
  ]);
});

test('the uptime goes on when the clock is set back (H11)', async (t) => {
  const files = makeFiles(t);
  const own = [
    '--control-socket',
    files.controlSocket,
    '--subnet-file',
    files.subnetFile,
    '--state-dir',
    files.directory,
  ];
  const result = readOptions([...flags(NO_ETCD), ...own], {});
  if (result.action !== 'run') throw new Error(result.action);
  const stop = new AbortController();
  const log = logTo(() => undefined);
  let clock = Date.now();
  const daemon = new Daemon({
    options: result.options,
    version: '0',
    log,
    openStore: (prefix, networkLog) => openStore(result.options.etcd, prefix, networkLog),
    signal: stop.signal,
    now: () => clock,
    random: Math.random,
    sleep: async (ms, signal) => sleep(ms, undefined, { signal }),
    notify: () => undefined,
    pid: process.pid,
    rssBytes: () => 0,
  });
  const running = daemon.run();
  t.true(await until(() => existsSync(files.controlSocket), 20_000));
  clock -= 7_200_000;
  const { uptimeSeconds } = await askDaemon(files.controlSocket, '/v1/status');
  t.true(uptimeSeconds >= 0, `${uptimeSeconds}`);
  stop.abort();
  await running;
});

test('a configuration that is changed in etcd is an alarm, and the network stays ready (N8)', async (t) => {
  const server = await etcd(t);
  const weftd = new Weftd(t, flags(server));
  await weftd.ready();
  await server.etcdctl('put', CONFIG_KEY, CONFIG.replace('"udp"', '"vxlan"'));
  const alarm = 'The configuration at /coreos.com/network/config has changed: Backend.Type "udp" to "vxlan"; ';
  t.true(await until(async () => (await weftd.status()).alarms.some((one) => one.startsWith(alarm)), 120_000));
  const { state, backend } = await weftd.status();
  t.deepEqual([state, backend?.type], ['ready', 'udp']);
  t.is(weftd.log.filter(({ msg }) => msg.startsWith(`Alarm: ${alarm}`)).length, 1);
  await server.etcdctl('put', CONFIG_KEY, CONFIG);
  t.true(await until(async () => (await weftd.status()).alarms.length === 0, 120_000));
});

test('a network with no subnet left ends the start', async (t) => {
  const server = await etcd(t, '{"Network":"10.244.0.0/23","SubnetLen":25,"Backend":{"Type":"udp"}}');
  for (const subnet of ['10.244.0.128-25', '10.244.1.0-25', '10.244.1.128-25'])
    await server.etcdctl('put', `/coreos.com/network/subnets/${subnet}`, '{"PublicIP":"192.0.2.9"}');
  const weftd = new Weftd(t, flags(server));
  t.is((await weftd.ended()).code, 1);
  t.regex(weftd.errorLines[0] ?? '', /^weftd: .*subnet/i);
  t.true(weftd.errorLines.length <= 2);
});

test('a health port in use is one line', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.teardown(() => holder.close());
  const { port } = holder.address() as { port: number };
  await assertFails(t, new Weftd(t, [...flags(NO_ETCD), '--healthz-ip=127.0.0.1', `--healthz-port=${port}`]), [
    /^weftd: Cannot serve health checks on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
    'choose another -healthz-ip or -healthz-port',
  ]);
});

test('without etcd it waits, says so once, and is ready soon after etcd is up', async (t) => {
  const server = await etcd(t);
  await server.kill();
  const health = ['--healthz-ip=127.0.0.1', '--healthz-port=18081'];
  const weftd = new Weftd(t, [...flags(server), ...health]);
  await weftd.logged('Waiting');
  const readyz = async () =>
    (await fetch('http://127.0.0.1:18081/readyz', { headers: { connection: 'close' } })).status;
  t.is(await readyz(), 503);
  const status = await weftd.status();
  t.is(status.state, 'waiting');
  t.is(status.waitingFor?.code, 'STORE_UNREACHABLE');
  t.true(status.waitingFor?.message.includes(server.endpoint), status.waitingFor?.message);
  t.false(status.store.connected);
  await t.throwsAsync(askDaemon(weftd.files.controlSocket, '/v1/peers'), { code: 'NOT_READY' });

  await server.restart();
  t.is((await weftd.ready()).state, 'ready');
  t.is(await readyz(), 200);
  t.is(weftd.log.filter((line) => line.msg.startsWith('Waiting')).length, 1);
  t.is(weftd.log.filter((line) => line.msg === 'No longer waiting').length, 1);
  weftd.signal('SIGTERM');
  t.is((await weftd.ended()).code, 0);
});

test('without a configuration it says which key and how to write it, and goes on when it is there', async (t) => {
  const server = await etcd(t, '');
  const weftd = new Weftd(t, flags(server));
  await weftd.logged('Waiting');
  const waiting = weftd.log.find((line) => line.msg.startsWith('Waiting'));
  t.is(waiting?.code, 'CONFIG_MISSING');
  const { message = '', hint } = (await weftd.status()).waitingFor ?? {};
  t.true(message.includes(CONFIG_KEY) && message.includes(server.endpoint), message);
  t.true(hint?.includes(`etcdctl put ${CONFIG_KEY} '{"Network":`), hint ?? '');
  t.is(waiting?.msg, `Waiting: ${message}; ${hint}`);

  await server.etcdctl('put', CONFIG_KEY, '{"Network":"10.244.0.0/16","SubnetLen":99}');
  const invalid = () => weftd.log.some((line) => line.code === 'CONFIG_INVALID');
  while (!invalid()) await weftd.status();
  await server.etcdctl('put', CONFIG_KEY, CONFIG);
  t.is((await weftd.ready()).network?.ipv4, '10.244.0.0/16');
});

test('a second daemon on the same socket is refused, and the first goes on', async (t) => {
  const first = new Weftd(t, flags(NO_ETCD));
  await first.logged('Waiting');
  const second = new Weftd(t, flags(NO_ETCD), first.files);
  t.is((await second.ended()).code, 1);
  t.deepEqual(second.errorLines, [
    `weftd: Another weftd is running: it answers on ${first.files.controlSocket}`,
    'stop it first, or give this one its own -control-socket, -tap-socket and -subnet-file',
  ]);
  t.is((await first.status()).state, 'waiting');
});

test('SIGTERM ends a waiting daemon, and leaves nothing', async (t) => {
  const weftd = new Weftd(t, flags(NO_ETCD));
  await weftd.logged('Waiting');
  weftd.signal('SIGTERM');
  const { code } = await weftd.ended();
  t.is(code, 0);
  t.deepEqual(readdirSync(weftd.files.directory), []);
});

test('each new start has the same subnet: after SIGINT, after SIGKILL, and when etcd has lost the lease', async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  const subnets: (string | undefined)[] = [];
  for (const [origin, signal] of [
    ['allocated', 'SIGINT'],
    ['reused', 'SIGKILL'],
    ['reused', 'SIGHUP'],
    ['previous', 'SIGTERM'],
  ] as const) {
    if (origin === 'previous') await server.etcdctl('del', '--prefix', '/coreos.com/network/subnets/');
    const weftd = new Weftd(t, flags(server), files);
    const { lease } = await weftd.ready();
    t.is(lease?.origin, origin);
    subnets.push(lease?.ipv4);
    weftd.signal(signal);
    t.is((await weftd.ended()).code, signal === 'SIGKILL' ? null : 0);
  }
  t.is(new Set(subnets).size, 1);
});

test('a host whose address changed meanwhile has the same subnet, and its lease the new address (L8 b)', async (t) => {
  const server = await etcd(t, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
  const files = makeFiles(t);
  makeUnderlay();
  execFileSync('ip', 'addr add 192.0.2.7/24 dev und0'.split(' '));
  t.teardown(() => {
    execFileSync('ip', 'addr del 192.0.2.7/24 dev und0'.split(' '));
  });
  const subnets: (string | undefined)[] = [];
  const macs: unknown[] = [];
  for (const address of ['192.0.2.1', '192.0.2.7']) {
    const weftd = new Weftd(t, [`--etcd-endpoints=${server.endpoint}`, `--iface=${address}`], files);
    const { lease } = await weftd.ready();
    subnets.push(lease?.ipv4);
    weftd.signal('SIGTERM');
    await weftd.ended();
    const all = await server.etcdctl('get', '--prefix', '/coreos.com/network/subnets/', '--print-value-only');
    t.is(all.trim().split('\n').length, 1, all);
    t.is(JSON.parse(all).PublicIP, address);
    macs.push(JSON.parse(all).BackendData.VtepMAC);
  }
  t.is(new Set(subnets).size, 1);
  t.is(new Set(macs).size, 1, 'its VTEP is the same, too');
});

test('SIGTERM leaves the lease and the subnet file and nothing else', async (t) => {
  const server = await etcd(t);
  const before = links();
  const weftd = new Weftd(t, flags(server));
  const { lease, backend, memory } = await weftd.ready();
  t.true(links().includes('flannel0'));
  t.true(memory.rssBytes < 150e6, `${memory.rssBytes} bytes`);
  const text = readFileSync(weftd.files.subnetFile, 'utf8');
  const subnet = lease?.ipv4.replace('.0/24', '.1/24');
  t.is(
    text,
    `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${subnet}\nFLANNEL_MTU=${backend?.mtu}\nFLANNEL_IPMASQ=false\n`,
  );
  weftd.signal('SIGTERM');
  const { code } = await weftd.ended();
  t.is(code, 0);
  t.is(links(), before);
  t.notRegex(execFileSync('ip', ['route'], { encoding: 'utf8' }), /10\.244/);
  t.deepEqual(readdirSync(weftd.files.directory).toSorted(), ['state', 'subnet.env']);
  t.is(readFileSync(weftd.files.subnetFile, 'utf8'), text);
  const key = `/coreos.com/network/subnets/${lease?.ipv4.replace('/', '-')}`;
  t.is(await server.etcdctl('get', key, '--print-value-only'), '{"PublicIP":"192.0.2.1","PublicIPv6":null}\n');
  t.deepEqual(weftd.errorLines, []);
});

test('a second signal ends the daemon at once with code 1', async (t) => {
  const server = await etcd(t);
  const weftd = new Weftd(t, flags(server));
  const { pid } = await weftd.ready();
  // Two kinds: one kind sent twice is delivered once. While it is halted, and to its main thread, which takes both before anything
  // else: of two threads with one each, the second may get the processor when the stop is over.
  weftd.signal('SIGSTOP');
  for (const signal of [constants.signals.SIGTERM, constants.signals.SIGINT]) t.is(tgkill(pid, pid, signal), 0);
  weftd.signal('SIGCONT');
  t.is((await weftd.ended()).code, 1);
  t.is(weftd.log.at(-1)?.msg, 'Second signal: ending at once');
  t.false(links().includes('flannel0'));
});

test('signals that are not for it neither end weftd nor open a debugger (F5)', async (t) => {
  const server = await etcd(t);
  const weftd = new Weftd(t, flags(server));
  const { pid } = await weftd.ready();
  const signals = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGPIPE', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR'] as const;
  for (const signal of signals) {
    weftd.signal(signal);
    t.is((await weftd.status()).state, 'ready', signal);
  }
  t.notRegex(execFileSync('ss', ['-tlnpH'], { encoding: 'utf8' }), new RegExp(`pid=${pid},`));
  weftd.signal('SIGTERM');
  t.is((await weftd.ended()).code, 0);
});

test("flanneld's flags without effect, and an unset variable, do not keep weftd from starting (F3, F4)", async (t) => {
  const server = await etcd(t);
  makeUnderlay();
  execFileSync('ip', 'route add default via 192.0.2.99 dev und0'.split(' '));
  t.teardown(() => {
    execFileSync('ip', 'route del default via 192.0.2.99 dev und0'.split(' '));
  });
  const idle = ['--iptables-resync=10', '--kubeconfig-file=/none', '--etcd-cafile=/none', '--iface=', ''];
  const weftd = new Weftd(t, [`--etcd-endpoints=${server.endpoint}`, ...idle], undefined, {
    env: { EVENT_QUEUE_DEPTH: '5000' },
  });
  t.is((await weftd.ready()).external?.name, 'und0');
  const line = weftd.log.find(({ msg }) => msg === 'Accepted for flanneld and without effect');
  t.deepEqual(line?.flags, ['-etcd-cafile', '-iptables-resync', '-kubeconfig-file', 'EVENT_QUEUE_DEPTH']);
});

test("a prefix without a slash in front is flanneld's key (L12)", async (t) => {
  const server = await etcd(t, '');
  await server.etcdctl('put', 'coreos.com/network/config', CONFIG);
  const weftd = new Weftd(t, [...flags(server), '--etcd-prefix=coreos.com/network']);
  const { lease } = await weftd.ready();
  const keys = await server.etcdctl('get', '--prefix', 'coreos.com/network/subnets/', '--keys-only');
  t.is(keys.trim(), `coreos.com/network/subnets/${lease?.ipv4.replace('/', '-')}`);
});

test('the NAT address that every Vagrant VM has gets a warning that says what to do', async (t) => {
  const server = await etcd(t);
  makeUnderlay();
  execFileSync('ip', 'addr add 10.0.2.15/24 dev und0'.split(' '));
  t.teardown(() => {
    execFileSync('ip', 'addr del 10.0.2.15/24 dev und0'.split(' '));
  });
  const weftd = new Weftd(t, [`--etcd-endpoints=${server.endpoint}`, '--iface=10.0.2.15']);
  t.is((await weftd.ready()).external?.publicIp, '10.0.2.15');
  t.true(weftd.log.some(({ level, hint }) => level === 'warn' && String(hint).includes('-iface=eth1')));
});

test('the service manager hears READY once packets can flow, and STOPPING', async (t) => {
  const server = await etcd(t);
  const files = makeFiles(t);
  const path = join(files.directory, 'notify');
  const received = listenForNotices(t, path);
  const weftd = new Weftd(t, flags(server), files, { env: { NOTIFY_SOCKET: path } });
  await weftd.ready();
  const ready = received();
  t.is(ready.filter((message) => message.startsWith('READY=1')).length, 1);
  t.regex(ready.join('\n'), /STATUS=10\.244\.\d+\.0\/24 on flannel0, 0 peers/);
  weftd.signal('SIGTERM');
  await weftd.ended();
  t.true(received().includes('STOPPING=1'));
});

test('the password is in no line of the log', async (t) => {
  const weftd = new Weftd(t, [...flags(NO_ETCD), '--etcd-username=root', '--log-level=trace'], undefined, {
    env: { WEFTD_ETCD_PASSWORD: 'hunter2' },
  });
  await weftd.logged('Waiting');
  t.like(weftd.log[0]?.flags, { WEFTD_ETCD_PASSWORD: '(hidden)', '-etcd-username': 'root' });
  t.false(JSON.stringify(weftd.log).includes('hunter2'));
});

test('a control socket in a place that takes none is refused', async (t) => {
  const files = makeFiles(t);
  mkdirSync(join(files.directory, 'd'));
  writeFileSync(join(files.directory, 'f'), '');
  const controlSocket = join(files.directory, 'f', 'weft.sock');
  const weftd = new Weftd(t, flags(NO_ETCD), { ...files, controlSocket });
  t.is((await weftd.ended()).code, 1);
  t.regex(weftd.errorLines[0] ?? '', /^weftd: Cannot use control socket ".*": /);
});
