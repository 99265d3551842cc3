import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatPeers } from '../../lib/cli/commands/peers.ts';
import { formatStats } from '../../lib/cli/commands/stats.ts';
import { formatStatus } from '../../lib/cli/commands/status.ts';
import { PLAIN } from '../../lib/cli/style.ts';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { DROP_REASONS } from '../../lib/dataplane/drop.ts';
import { PATIENCE_MS } from '../patience.ts';
import { FDB, NEIGH, PEERS, ROUTES, STATS, STATUS, TENANTS, WAITING } from './replies.ts';
import { run } from './run.ts';
import { serveReplies } from './serve-replies.ts';

const STATUS_TEXT = `weftd 0.1.0  ready, up 1 h 2 min, pid 4711, 93.0 MB
Network      10.244.0.0/16 in /24 subnets
Subnet       10.244.30.0/24 (allocated, expires never)
Backend      udp on flannel0, MTU 1472, port 8285, source check on
External     eth1 192.0.2.1, MTU 1500 (-iface=eth1)
etcd         http://192.0.2.254:2379/coreos.com/network, connected, revision 42
Peers        2
Subnet file  /run/flannel/subnet.env

Which path packets take
Offload  State  Why
tun-tso  on     in use
udp-gro  off    switched off by --udp-gro=false
`;

const PEERS_TEXT = `Subnet                         Public IP    Backend  Out packets  Out bytes  In packets  In bytes  Note
10.244.99.0/24                 192.0.2.2    udp        1,234,567     1.5 GB           3     252 B
10.244.7.0/24 fd00:0:0:7::/64  192.0.2.130  vxlan              -          -           -         -  ignored: its backend type is vxlan, ours is udp
`;

const FDB_TEXT = `MAC                VTEP       Origin         Age  Moves  Refused
02:00:00:00:00:02  192.0.2.2  lease            -      0        0
02:42:0a:f4:01:02  192.0.2.3  learned  3 min 5 s      3    1,234
`;

const NEIGH_TEXT = `Address      MAC                VTEP         Origin   Age
10.244.99.0  02:00:00:00:00:02  192.0.2.2    lease      -
fd00::2      02:42:0a:f4:01:02  2001:db8::3  learned  4 s
`;

const ROUTES_TEXT = `Prefix          Via          Device
10.244.99.0/24  192.0.2.2    flannel0
10.244.7.0/24   192.0.2.130  flannel0
`;

const STATS_TEXT = `Direction  Received  Forwarded   Bytes  Packets/read  Packets/write
outbound      1,000        998  1.4 MB          10.0           20.0
inbound       2,000      1,993  2.8 MB             -              -

ICMP errors sent  2 (1 held back)
Socket overflows  0 datagrams lost because the receive buffer was full
Probes            40 sent, 39 answered; 41 from other nodes

`;

test('weft stats shows what a learning network does beside forwarding', (t) => {
  const bridge = { flooded: 12, answered: 3400, refusedMoves: 2, shutOut: 1 };
  const text = formatStats({ ...STATS, bridge });
  t.regex(text, /Flooded +12 frames to all VTEPs; 3,400 ARP and ND questions answered here\n/);
  t.regex(text, /MAC moves +2 refused\nStorms +senders shut out 1 times\n/);
  t.notRegex(formatStats(STATS), /Storms/);
});

test('weft stats shows the tap when somebody has looked', (t) => {
  const text = formatStats({ ...STATS, tap: { records: 1234, lost: 5 } });
  t.regex(text, /Tap +1,234 records, 5 lost because they were not read in time\n/);
  t.notRegex(formatStats(STATS), /Tap/);
});

for (const [command, text, reply] of [
  ['status', STATUS_TEXT, STATUS],
  ['peers', PEERS_TEXT, PEERS],
  ['routes', ROUTES_TEXT, ROUTES],
  ['fdb', FDB_TEXT, FDB],
  ['neigh', NEIGH_TEXT, NEIGH],
] as const)
  test(`weft ${command} prints a table, and with --json the reply`, async (t) => {
    const socket = await serveReplies(t);
    t.deepEqual(await run('weft', [command, '--control-socket', socket]), { code: 0, stdout: text, stderr: '' });
    const json = await run('weft', [command, '--json', `--control-socket=${socket}`]);
    t.is(json.code, 0);
    t.deepEqual(JSON.parse(json.stdout), reply);
  });

test('weft stats prints counters and every drop reason, those that happened first', async (t) => {
  const socket = await serveReplies(t);
  const { code, stdout, stderr } = await run('weft', ['stats', '--control-socket', socket]);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.true(stdout.startsWith(`${STATS_TEXT}Drop reason `), stdout);
  // How wide the first column is depends on the longest reason there is.
  t.regex(stdout, /\nDrop reason +Packets\nspoofed-source +7\nno-route +2\n/);
  const lines = stdout.slice(stdout.indexOf('Drop reason')).trimEnd().split('\n').slice(1);
  const reasons = Object.keys(DROP_REASONS);
  t.is(lines.length, reasons.length);
  for (const reason of reasons)
    t.true(
      lines.some((line) => line.startsWith(`${reason} `)),
      reason,
    );
});

test('weft status of a waiting daemon says for what, and exits with 1', async (t) => {
  const socket = await serveReplies(t, { '/v1/status': () => WAITING });
  const { code, stdout, stderr } = await run('weft', ['status', '--control-socket', socket]);
  t.deepEqual({ code, stderr }, { code: 1, stderr: '' });
  t.regex(stdout, /^weftd 0\.1\.0 {2}waiting for \d+ s, 6 attempts, up 1 h 2 min, pid 4711, 93\.0 MB\n/);
  t.true(
    stdout.includes('\n             no network configuration at /coreos.com/network/config\n             Put one\n'),
  );
  t.false(stdout.includes('Backend'));
});

test('weft status of several networks is a line each and what is wrong, and exits with 1 unless all are ready', async (t) => {
  const socket = await serveReplies(t, { '/v1/status': () => TENANTS });
  const { code, stdout, stderr } = await run('weft', ['status', '--control-socket', socket]);
  t.deepEqual({ code, stderr }, { code: 1, stderr: '' });
  t.is(
    stdout.replaceAll(/for \d+ s/g, 'for 5 s'),
    `weftd 0.1.0  1 of 3 networks ready, up 1 h 2 min, pid 4711, 93.0 MB
etcd         http://192.0.2.254:2379, not connected for red

Network  State    Subnet          Backend             Peers  Subnet file
blue     ready    10.244.30.0/24  vxlan on flannel.7  2      /run/flannel/blue.env
green    waiting  -               -                   -      /run/flannel/green.env
red      failed   -               -                   -      /run/flannel/red.env

green  waiting for 5 s, 6 attempts
       no network configuration at /coreos.com/network/config
       Put one
red    failed for 5 s, 2 attempts
       the port is in use
red    alarm: Our lease is gone
`,
  );
  const ready = { ...TENANTS, networks: TENANTS.networks.map((network) => ({ ...network, state: 'ready' as const })) };
  const other = await serveReplies(t, { '/v1/status': () => ready });
  t.is((await run('weft', ['status', '--control-socket', other])).code, 0);
});

test('--network reaches the daemon, and weft status shows all about that network', async (t) => {
  const asked: (string | undefined)[] = [];
  const remember =
    <T>(reply: T) =>
    ({ network }: { readonly network: string | undefined }): T => {
      asked.push(network);
      return reply;
    };
  const socket = await serveReplies(t, {
    '/v1/status': remember(TENANTS),
    '/v1/peers': remember(PEERS),
    '/v1/routes': remember(ROUTES),
    '/v1/stats': remember(STATS),
    '/v1/fdb': remember(FDB),
    '/v1/neigh': remember(NEIGH),
  });
  for (const command of ['peers', 'routes', 'stats', 'fdb', 'neigh'])
    t.is((await run('weft', [command, '--network', 'a&b=', '--control-socket', socket])).code, 0);
  t.deepEqual(asked, Array(5).fill('a&b='));
  const { code, stdout } = await run('weft', ['status', '--network=blue', '--control-socket', socket]);
  t.is(code, 0, 'the networks that are not ready were not asked for');
  t.true(stdout.includes('Backend      vxlan on flannel.7, MTU 1450, port 4789, source check on\n'), stdout);
  t.is(asked.at(-1), 'blue');
});

test('status and peers --wide show VNI, VtepMACs and IPv6 addresses (N14)', (t) => {
  const backend = { ...TENANTS.backend!, vtepMacV6: '02:00:00:00:00:06' };
  const text = formatStatus({ ...STATUS, backend }, 0, PLAIN);
  t.true(text.includes('source check on\n             VNI 7, VtepMAC 02:00:00:00:00:01 02:00:00:00:00:06\n'), text);
  const rows = formatPeers(PEERS, 0, true).split('\n');
  t.regex(rows[0]!, / Public IPv6 +VNI +VtepMAC +Note$/);
  t.regex(rows[2]!, / 2001:db8::2 +1 +02:00:00:00:00:02 02:00:00:00:00:06 +ignored/);
});

test('a backend without port and data plane is shown without them', (t) => {
  const backend = { ...STATUS.backend!, type: 'host-gw', device: 'eth1', mtu: 1500, port: null };
  const text = formatStatus({ ...STATUS, backend, offloads: [] }, 0, PLAIN);
  t.true(text.includes('Backend      host-gw on eth1, MTU 1500\n'), text);
});

test('status understands a weftd that is older than the key `store`', (t) => {
  const older = JSON.parse(JSON.stringify(STATUS, (key, value: unknown) => (key === 'store' ? undefined : value)));
  t.is(
    formatStatus(older, Date.parse(STATUS.startedAt), PLAIN),
    formatStatus(STATUS, Date.parse(STATUS.startedAt), PLAIN),
  );
});

test('empty tables say why', async (t) => {
  const socket = await serveReplies(t, { '/v1/fdb': () => ({ fdb: [] }), '/v1/neigh': () => ({ neighbors: [] }) });
  for (const command of ['fdb', 'neigh'])
    t.regex((await run('weft', [command, '--control-socket', socket])).stdout, /^No entries: .*not vxlan\.\n$/);
});

test('alarms, skipped keys and the last error of the store are shown', (t) => {
  const status: StatusReply = {
    ...STATUS,
    alarms: ['192.0.2.1 is also the PublicIP of 10.244.7.0/24'],
    store: { ...STATUS.store, connected: false, lastError: 'connection refused', skipped: 2 },
  };
  const text = formatStatus(status, Date.parse(STATUS.startedAt), PLAIN);
  t.true(text.includes('Alarm        192.0.2.1 is also the PublicIP of 10.244.7.0/24\n'));
  t.true(text.includes('not connected, revision 42, 2 keys skipped because they do not parse\n'));
  t.true(text.includes('\n             connection refused\n'));
});

test('rates come from two readings, and a counter that went back has none', (t) => {
  const before = { ...STATS, at: '2026-11-22T10:59:58.000Z' };
  const after = {
    ...STATS,
    outbound: { ...STATS.outbound, forwarded: 1998, forwardedBytes: 3_900_000 },
    inbound: { ...STATS.inbound, forwarded: 5, forwardedBytes: 5 },
    drops: { ...STATS.drops, 'no-route': 6 },
  };
  const lines = formatStats(after, before).split('\n');
  t.regex((lines[0] ?? '').slice(0, 80), /Bytes +Packets\/s +Rate /, 'a terminal of 80 columns shows them');
  t.regex(lines[1] ?? '', / 500 +10\.0 Mb\/s +\S+ +\S+$/);
  t.regex(lines[2] ?? '', / - +- +- +-$/);
  t.true(lines.some((line) => /^no-route +6 +2$/.test(line)));
});

test('weft stats --watch --json prints one reply a line until it is interrupted', async (t) => {
  const socket = await serveReplies(t);
  const bin = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
  const argv = [bin, 'stats', '--watch', '0.1', '--json', '--control-socket', socket];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE_MS });
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    if (text.split('\n').length > 3) child.kill('SIGINT');
  }
  const lines = text.trimEnd().split('\n');
  t.true(lines.length >= 3);
  for (const line of lines) t.deepEqual(JSON.parse(line), STATS);
});
