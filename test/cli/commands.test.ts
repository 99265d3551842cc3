import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { formatStats } from '../../lib/cli/commands/stats.ts';
import { formatStatus } from '../../lib/cli/commands/status.ts';
import { PLAIN, terminalStyle } from '../../lib/cli/style.ts';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { type ControlHandlers, serveControl } from '../../lib/control/server.ts';
import { DROP_REASONS } from '../../lib/dataplane/drop.ts';
import { WeftError } from '../../lib/error.ts';
import { PEERS, ROUTES, STATS, STATUS, WAITING } from './replies.ts';
import { run } from './run.ts';

const READY: ControlHandlers = {
  '/v1/status': () => STATUS,
  '/v1/peers': () => PEERS,
  '/v1/routes': () => ROUTES,
  '/v1/stats': () => STATS,
};

/** A real control server with the given answers; returns its socket. */
async function daemon(t: ExecutionContext, handlers: Partial<ControlHandlers> = {}): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-cli-'));
  const path = join(directory, 'weft.sock');
  const server = await serveControl(path, { ...READY, ...handlers });
  t.teardown(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return path;
}

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

const PEERS_TEXT = `Subnet                         Public IP    Backend  Out packets  Out bytes  In packets  In bytes
10.244.99.0/24                 192.0.2.2    udp        1,234,567     1.5 GB           3     252 B
10.244.7.0/24 fd00:0:0:7::/64  192.0.2.130  vxlan              -          -           -         -
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

Drop reason          Packets
spoofed-source             7
no-route                   2
`;

for (const [command, text, reply] of [
  ['status', STATUS_TEXT, STATUS],
  ['peers', PEERS_TEXT, PEERS],
  ['routes', ROUTES_TEXT, ROUTES],
] as const)
  test(`weft ${command} prints a table, and with --json the reply`, async (t) => {
    const socket = await daemon(t);
    t.deepEqual(await run('weft', [command, '--control-socket', socket]), { code: 0, stdout: text, stderr: '' });
    const json = await run('weft', [command, '--json', `--control-socket=${socket}`]);
    t.is(json.code, 0);
    t.deepEqual(JSON.parse(json.stdout), reply);
  });

test('weft stats prints counters and every drop reason, those that happened first', async (t) => {
  const socket = await daemon(t);
  const { code, stdout, stderr } = await run('weft', ['stats', '--control-socket', socket]);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.true(stdout.startsWith(STATS_TEXT), stdout);
  const lines = stdout.slice(stdout.indexOf('Drop reason')).trimEnd().split('\n').slice(1);
  t.is(lines.length, DROP_REASONS.length);
  for (const reason of DROP_REASONS)
    t.true(
      lines.some((line) => line.startsWith(`${reason} `)),
      reason,
    );
});

test('weft status of a waiting daemon says for what, and exits with 1', async (t) => {
  const socket = await daemon(t, { '/v1/status': () => WAITING });
  const { code, stdout, stderr } = await run('weft', ['status', '--control-socket', socket]);
  t.deepEqual({ code, stderr }, { code: 1, stderr: '' });
  t.regex(stdout, /^weftd 0\.1\.0 {2}waiting for \d+ s, 6 attempts, up 1 h 2 min, pid 4711, 93\.0 MB\n/);
  t.true(
    stdout.includes('\n             no network configuration at /coreos.com/network/config\n             Put one\n'),
  );
  t.false(stdout.includes('Backend'));
});

test('alarms, skipped keys and the last error of etcd are shown', (t) => {
  const status: StatusReply = {
    ...STATUS,
    alarms: ['192.0.2.1 is also the PublicIP of 10.244.7.0/24'],
    etcd: { ...STATUS.etcd, connected: false, lastError: 'connection refused', skipped: 2 },
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
  t.regex(lines[0] ?? '', /Packets\/s +Rate$/);
  t.regex(lines[1] ?? '', / 500 +10\.0 Mb\/s$/);
  t.regex(lines[2] ?? '', / - +-$/);
  t.true(lines.some((line) => /^no-route +6 +2$/.test(line)));
});

test('weft stats --watch --json prints one reply a line until it is interrupted', async (t) => {
  const socket = await daemon(t);
  const bin = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
  const argv = [bin, 'stats', '--watch', '0.1', '--json', '--control-socket', socket];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 });
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += chunk;
    if (text.split('\n').length > 3) child.kill('SIGINT');
  }
  const lines = text.trimEnd().split('\n');
  t.true(lines.length >= 3);
  for (const line of lines) t.deepEqual(JSON.parse(line), STATS);
});

test('output cut by its reader is no failure', async (t) => {
  const socket = await daemon(t);
  const bin = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
  const argv = [bin, 'stats', '--watch', '0.1', '--control-socket', socket];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'close');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});

test("the daemon's refusal is one line and a hint, and with --json an object too", async (t) => {
  const refuse = (): never => {
    throw new WeftError('NOT_READY', 'weftd is not ready: etcd does not answer', { hint: 'Start etcd' });
  };
  const socket = await daemon(t, { '/v1/peers': refuse });
  const stderr = 'weft: weftd is not ready: etcd does not answer\nStart etcd\n';
  t.deepEqual(await run('weft', ['peers', '--control-socket', socket]), { code: 1, stdout: '', stderr });
  const json = await run('weft', ['peers', '--json', '--control-socket', socket]);
  t.deepEqual({ code: json.code, stderr: json.stderr }, { code: 1, stderr });
  const message = 'weftd is not ready: etcd does not answer';
  t.deepEqual(JSON.parse(json.stdout), { error: { code: 'NOT_READY', message, hint: 'Start etcd' } });
});

test('no daemon is one line and a hint', async (t) => {
  t.deepEqual(await run('weft', ['status', '--control-socket', '/nonexistent/weft.sock']), {
    code: 1,
    stdout: '',
    stderr:
      'weft: No control socket at /nonexistent/weft.sock\n' +
      'is weftd running? If it has another socket, give --control-socket\n',
  });
});

const wrong: readonly (readonly [argv: readonly string[], stderr: string])[] = [
  [['ruotes'], "weft: unknown command 'ruotes'\n(Did you mean routes?)\n"],
  [['status', '--jsn'], "weft: unknown option '--jsn'\n(Did you mean --json?)\n"],
  [['routes', 'extra'], "weft: too many arguments for 'routes'. Expected 0 arguments but got 1.\n"],
  [
    ['stats', '--watch', 'x'],
    "weft: option '--watch [seconds]' argument 'x' is invalid. It must be 0.1 to 86400 seconds.\n",
  ],
  [['peers', '--control-socket'], "weft: option '--control-socket <path>' argument missing\n"],
];
for (const [argv, stderr] of wrong)
  test(`weft ${argv.join(' ')} is wrong usage`, async (t) => {
    t.deepEqual(await run('weft', argv), { code: 2, stdout: '', stderr });
  });

test('help and version', async (t) => {
  const version = await run('weft', ['--version']);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await run('weft', ['--help']);
  for (const word of ['status', 'peers', 'routes', 'stats', 'Examples:', 'Exit codes:'])
    t.true(help.stdout.includes(word), word);
  t.deepEqual(await run('weft', ['help', 'stats']), await run('weft', ['stats', '--help']));
  t.is((await run('weft', [])).code, 2);
});

test('colour is for terminals that want it', (t) => {
  t.is(terminalStyle({ isTTY: true }, {}).green('x'), '\u001b[32mx\u001b[39m');
  t.is(terminalStyle({ isTTY: true }, { NO_COLOR: '1' }).green('x'), 'x');
  t.is(terminalStyle({}, {}).green('x'), 'x');
});
