import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { until } from '../../lib/lab/until.ts';
import { startEtcd } from '../etcd-server.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInFreshNamespace } from './enter.ts';
import { makeUnderlay } from './underlay.ts';
import { makeFiles, Weftd } from './weftd.ts';

// One namespace: lo with etcd, and a veth pair und0 (192.0.2.1/24) - und1 as underlay. What keeps packets from passing is
// told in status, state and /readyz, and is over when it is mended; /healthz stays 200 (the rows V).
const test = testInFreshNamespace();

const HEALTH = 'http://127.0.0.1:18084';
const UDP = '{"Network":"10.5.0.0/16","Backend":{"Type":"udp"}}';

const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8' });

/** A weftd that is ready. */
async function start(t: ExecutionContext, config: string, ...args: string[]): Promise<Node> {
  makeUnderlay();
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  await etcd.etcdctl('put', '/coreos.com/network/config', config);
  const health = ['--healthz-ip=127.0.0.1', '--healthz-port=18084'];
  const weftd = new Weftd(t, [`--etcd-endpoints=${etcd.endpoint}`, '--iface=und0', ...health, ...args], makeFiles(t));
  await weftd.ready();
  return new Node(t, weftd, etcd);
}

class Node {
  readonly #t: ExecutionContext;
  readonly weftd: Weftd;
  readonly etcd: Awaited<ReturnType<typeof startEtcd>>;

  constructor(t: ExecutionContext, weftd: Weftd, etcd: Awaited<ReturnType<typeof startEtcd>>) {
    this.#t = t;
    this.weftd = weftd;
    this.etcd = etcd;
  }

  /** Waits until the first alarm matches, and sees that it is told everywhere. */
  async degrades(alarm: RegExp): Promise<void> {
    const t = this.#t;
    const status = await this.#reaches(
      ({ state, alarms }) => state === 'degraded' && alarm.test(alarms[0] ?? ''),
      alarm,
    );
    const [code, body] = await get('/readyz');
    t.is(code, 503);
    t.is(body, `flanneld is not ready yet\n/coreos.com/network: degraded: ${status.alarms[0]}`);
    t.deepEqual(await get('/healthz'), [200, 'flanneld is running']);
    t.true(this.weftd.log.some(({ msg }) => msg === `Alarm: ${status.alarms[0]}`));
  }

  async recovers(): Promise<StatusReply> {
    const status = await this.#reaches(({ state, alarms }) => state === 'ready' && alarms.length === 0, /ready/);
    this.#t.deepEqual(await get('/readyz'), [200, 'flanneld is ready']);
    return status;
  }

  async #reaches(condition: (status: StatusReply) => boolean, what: RegExp): Promise<StatusReply> {
    let status: StatusReply | undefined;
    const met = await until(async () => {
      status = await askDaemon(this.weftd.files.controlSocket, '/v1/status');
      return condition(status);
    }, PATIENCE_MS);
    if (met && status !== undefined) return status;
    throw new Error(`waited in vain for ${what}: ${status?.state} ${status?.alarms.join('; ')}\n${logOf(this.weftd)}`);
  }
}

async function get(path: string): Promise<[number, string]> {
  const response = await fetch(`${HEALTH}${path}`, { headers: { connection: 'close' } });
  return [response.status, await response.text()];
}

function logOf(weftd: Weftd): string {
  return weftd.log.map((line) => JSON.stringify(line)).join('\n');
}

test('a device that is renamed, or moved to another namespace, is built again under its name (V1, H5)', async (t) => {
  const node = await start(t, UDP);
  const indexOf = (): string => ip('-o link show flannel0').split(':', 1)[0]!;
  const first = indexOf();
  ip('link set flannel0 down name x');
  const rebuilt = async (): Promise<boolean> => !ip('-br link').includes('x ') && ip('-br link').includes('flannel0');
  t.true(await until(rebuilt, PATIENCE_MS), logOf(node.weftd));
  await node.recovers();
  t.not(indexOf(), first);
  t.true(ip('route').includes('10.5.0.0/16 dev flannel0'));
  ip('link set flannel0 name x up');
  t.true(await until(rebuilt, PATIENCE_MS), logOf(node.weftd));
  const second = indexOf();
  const name = `weft-away-${process.pid}`;
  ip(`netns add ${name}`);
  t.teardown(() => ip(`netns del ${name}`));
  ip(`link set flannel0 netns ${name}`);
  t.true(await until(async () => ip('-br link').includes('flannel0') && indexOf() !== second, PATIENCE_MS));
  await node.recovers();
  t.true(
    node.weftd.log.some(({ msg }) => msg.startsWith('Alarm: Device "flannel0" is gone: it was deleted, renamed,')),
  );
});

test('a device whose name another one took is an alarm until the name is free (V2, H4)', async (t) => {
  const node = await start(t, UDP);
  const begun = node.weftd.log.length;
  // weftd is quick to take the name of a device that is deleted; of one that is renamed it hears a moment later.
  execFileSync('ip', ['-batch', '-'], { input: 'link set flannel0 down name x\nlink add flannel0 type bridge\n' });
  await node.degrades(
    /^Device "flannel0" cannot be built: .* a device of that name exists; .*ip -d link show flannel0/,
  );
  ip('link del flannel0');
  await node.recovers();
  const lines = node.weftd.log.slice(begun).filter(({ level }) => level !== 'debug');
  t.true(lines.length <= 6, lines.map(({ msg }) => msg).join('\n'));
});

test('an underlay that is down, has no carrier, or lost its address is an alarm until it is mended (V3, V5)', async (t) => {
  const node = await start(t, UDP);
  ip('link set und0 down');
  await node.degrades(/^External interface "und0" is down; ip link set und0 up/);
  ip('link set und0 up');
  await node.recovers();
  ip('link set und1 down');
  await node.degrades(/^External interface "und0" has no carrier/);
  ip('link set und1 up');
  await node.recovers();
  ip('addr del 192.0.2.1/24 dev und0');
  await node.degrades(/^External interface "und0" no longer has 192\.0\.2\.1, which our packets come from/);
  ip('addr add 192.0.2.1/24 dev und0');
  await node.recovers();
});

test('another address of the host is taken up by socket and lease while weftd runs (V3, L8)', async (t) => {
  const node = await start(t, UDP);
  ip('addr del 192.0.2.1/24 dev und0');
  ip('addr add 192.0.2.7/24 dev und0');
  const moved = async (): Promise<boolean> => {
    const { external, state } = await node.weftd.status();
    return state === 'ready' && external?.ipv4 === '192.0.2.7';
  };
  t.true(await until(moved, PATIENCE_MS), logOf(node.weftd));
  const { lease } = await node.recovers();
  const key = `/coreos.com/network/subnets/${lease?.ipv4.replace('/', '-')}`;
  t.regex(await node.etcd.etcdctl('get', '--print-value-only', key), /"PublicIP":"192\.0\.2\.7"/);
  t.regex(execFileSync('ss', ['-lun'], { encoding: 'utf8' }), /192\.0\.2\.7:8285/);
  t.notRegex(execFileSync('ss', ['-lun'], { encoding: 'utf8' }), /192\.0\.2\.1:8285/);
  ip('addr del 192.0.2.7/24 dev und0');
  ip('addr add 192.0.2.1/24 dev und0');
});

test('peers that no route leads to, or one into the overlay itself, are an alarm until there is another (a brother of V5)', async (t) => {
  const node = await start(t, UDP);
  const subnets = '/coreos.com/network/subnets';
  await node.etcd.etcdctl('put', `${subnets}/10.5.200.0-24`, '{"PublicIP":"198.51.100.9","PublicIPv6":null}');
  await node.degrades(/^This host has no route to 198\.51\.100\.9; see ip route get 198\.51\.100\.9$/);
  ip('route add 198.51.100.0/24 dev flannel0');
  await node.degrades(/^The route to 198\.51\.100\.9 leads into the overlay itself, through flannel0; /);
  ip('route replace 198.51.100.0/24 via 192.0.2.9');
  await node.recovers();
  await node.etcd.etcdctl('put', `${subnets}/10.5.201.0-24`, '{"PublicIP":"203.0.113.9","PublicIPv6":null}');
  const told = async (): Promise<boolean> =>
    (await node.weftd.status()).alarms.some((text) => text.includes('203.0.113.9'));
  t.true(await until(told, PATIENCE_MS));
  t.is((await node.weftd.status()).state, 'ready', 'one peer that is not there must not make all nodes unready');
  ip('route del 198.51.100.0/24 via 192.0.2.9');
});

test('a MAC address that somebody else gives to the device is put right (H19)', async (t) => {
  const node = await start(t, '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}');
  const macOf = (): string | undefined => /link\/ether ([0-9a-f:]+)/.exec(ip('link show flannel.1'))?.[1];
  const mac = macOf();
  t.truthy(mac);
  ip('link set flannel.1 address 02:00:00:00:00:99');
  t.true(await until(() => macOf() === mac, PATIENCE_MS), `${macOf()} in place of ${mac}`);
  t.is((await node.recovers()).alarms.length, 0);
  t.true(node.weftd.log.some(({ msg }) => msg.startsWith('Somebody changed the device')));
});

test("a tenant's namespace that is deleted is an alarm, and one made anew gets the device (V6)", async (t) => {
  makeUnderlay();
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  await etcd.etcdctl('put', '/t/blue/config', UDP);
  await etcd.etcdctl('put', '/t/red/config', '{"Network":"10.6.0.0/16","Backend":{"Type":"alloc"}}');
  const name = `weft-blue-${process.pid}`;
  const files = makeFiles(t);
  const network = (tenant: string, more = ''): string =>
    `--network=name=${tenant},etcd-prefix=/t/${tenant},subnet-file=${files.directory}/${tenant}.env${more}`;
  ip(`netns add ${name}`);
  t.teardown(() => ip(`netns del ${name}`));
  const args = [network('blue', `,netns=${name}`), network('red'), '--healthz-ip=127.0.0.1', '--healthz-port=18084'];
  const weftd = new Weftd(t, [`--etcd-endpoints=${etcd.endpoint}`, '--iface=und0', ...args], files);
  await weftd.networks({ blue: 'ready', red: 'ready' });
  ip(`netns del ${name}`);
  const { networks } = await weftd.networks({ blue: 'degraded', red: 'ready' });
  t.regex(networks[0]?.alarms[0] ?? '', /^Network namespace ".*" is gone, and with it device "flannel0"$/);
  t.deepEqual(await get('/readyz'), [503, `flanneld is not ready yet\nblue: degraded: ${networks[0]?.alarms[0]}`]);
  ip(`netns add ${name}`);
  await weftd.networks({ blue: 'ready', red: 'ready' });
  t.true(ip(`-n ${name} -br link`).includes('flannel0'));
  t.true(ip(`-n ${name} route`).includes('10.5.0.0/16 dev flannel0'));
});

test('routes that the kernel goes on refusing are an alarm until it takes them (V7)', async (t) => {
  const node = await start(t, '{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}');
  const value = '{"PublicIP":"192.0.2.9","PublicIPv6":null,"BackendType":"host-gw"}';
  await node.etcd.etcdctl('put', '/coreos.com/network/subnets/10.5.200.0-24', value);
  const route = '10.5.200.0/24 via 192.0.2.9 dev und0';
  t.true(await until(async () => ip('route').includes(route), PATIENCE_MS));
  ip('route del 192.0.2.0/24 dev und0');
  ip('route del 10.5.200.0/24');
  await node.degrades(/^Not all neighbors and routes can be set: Cannot add route 10\.5\.200\.0\/24 .*ENETUNREACH/);
  ip('route add 192.0.2.0/24 dev und0');
  await node.recovers();
  t.true(ip('route').includes(route));
});

test('a host whose own link has no peer any more, or another name, is not ready with host-gw (brothers of V3)', async (t) => {
  const node = await start(t, '{"Network":"10.5.0.0/16","Backend":{"Type":"host-gw"}}');
  const value = '{"PublicIP":"192.0.2.9","PublicIPv6":null,"BackendType":"host-gw"}';
  await node.etcd.etcdctl('put', '/coreos.com/network/subnets/10.5.200.0-24', value);
  const route = '10.5.200.0/24 via 192.0.2.9 dev und0';
  t.true(await until(async () => ip('route').includes(route), PATIENCE_MS));
  // As a machine for virtual machines is set up: its card becomes a port of a bridge, which gets the address.
  const bridge = ['link add brx type bridge', 'link set und0 master brx', 'link set brx up'];
  for (const line of [...bridge, 'addr del 192.0.2.1/24 dev und0', 'addr add 192.0.2.1/24 dev brx']) ip(line);
  await node.degrades(/^No peer is on the link of und0, where host-gw needs them: see ip route get 192\.0\.2\.9; /);
  for (const line of ['link del brx', 'addr add 192.0.2.1/24 dev und0']) ip(line);
  await node.recovers();
  for (const line of ['link set und0 down', 'link set und0 name ens9', 'link set ens9 up']) ip(line);
  await node.degrades(/^External interface "und0" is called "ens9" now/);
  for (const line of ['link set ens9 down', 'link set ens9 name und0', 'link set und0 up']) ip(line);
  await node.recovers();
  t.true(await until(async () => ip('route').includes(route), PATIENCE_MS));
});

test('a namespace made anew gets the device that could not be built in the old one (a brother of V6)', async (t) => {
  makeUnderlay();
  const etcd = await startEtcd();
  t.teardown(() => etcd.stop());
  await etcd.etcdctl('put', '/t/blue/config', UDP);
  const name = `weft-green-${process.pid}`;
  const files = makeFiles(t);
  const values = `name=blue,etcd-prefix=/t/blue,subnet-file=${files.directory}/blue.env,netns=${name}`;
  ip(`netns add ${name}`);
  t.teardown(() => ip(`netns del ${name}`));
  const weftd = new Weftd(t, [`--etcd-endpoints=${etcd.endpoint}`, '--iface=und0', `--network=${values}`], files);
  await weftd.networks({ blue: 'ready' });
  const taken = 'link set flannel0 down name x\nlink add flannel0 type bridge\n';
  execFileSync('ip', ['-n', name, '-batch', '-'], { input: taken });
  await weftd.logged('Alarm: Device "flannel0" cannot be built');
  ip(`netns del ${name}`);
  await weftd.logged('Alarm: Network namespace');
  ip(`netns add ${name}`);
  await weftd.networks({ blue: 'ready' });
  t.true(ip(`-n ${name} route`).includes('10.5.0.0/16 dev flannel0'));
});

test('a dual-stack host that loses its IPv6 address goes on with IPv4 until it is back (a brother of V3)', async (t) => {
  const config = '{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48","Backend":{"Type":"vxlan"}}';
  makeUnderlay();
  // An earlier test set the link down, which takes it away.
  ip('addr replace 2001:db8::1/64 dev und0 nodad');
  const node = await start(t, config);
  ip('addr del 2001:db8::1/64 dev und0');
  await node.degrades(/^External interface "und0" no longer has 2001:db8::1, which our packets come from/);
  // Another look at the underlay.
  ip('link set und1 down');
  await node.degrades(/^External interface "und0" has no carrier/);
  ip('link set und1 up');
  await node.degrades(/^External interface "und0" no longer has 2001:db8::1/);
  ip('addr add 2001:db8::1/64 dev und0 nodad');
  await node.recovers();
  t.false(
    node.weftd.log.some(({ msg }) => msg === 'The network starts over'),
    logOf(node.weftd),
  );
});
