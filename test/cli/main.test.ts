import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { commandFirst } from '../../lib/cli/main.ts';
import { WeftError } from '../../lib/error.ts';
import { PATIENCE_MS } from '../patience.ts';
import { PEERS, STATUS } from './replies.ts';
import { run } from './run.ts';
import { serveReplies } from './serve-replies.ts';

test('output cut by its reader is no failure', async (t) => {
  const socket = await serveReplies(t);
  const bin = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
  const argv = [bin, 'stats', '--watch', '0.1', '--control-socket', socket];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
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
  const socket = await serveReplies(t, { '/v1/peers': refuse });
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

test('options may stand before the command, and help knows commands of commands (N12)', async (t) => {
  const socket = await serveReplies(t);
  const usual = await run('weft', ['peers', '--json', '--control-socket', socket]);
  t.is(usual.code, 0);
  t.deepEqual(await run('weft', ['--json', '--control-socket', socket, 'peers']), usual);
  t.deepEqual(await run('weft', [`--control-socket=${socket}`, '--json', 'peers']), usual);
  const help = await run('weft', ['help', 'lab', 'up']);
  t.regex(help.stdout, /^Usage: weft lab up /);
  t.deepEqual(help, await run('weft', ['lab', 'up', '--help']));
  t.deepEqual(commandFirst(['--json', 'lab', 'list']), ['lab', 'list', '--json']);
  t.deepEqual(commandFirst(['--json']), ['--json']);
  t.deepEqual(commandFirst(['lab', 'exec', 'h1', '--', 'weft', '--json']), [
    'lab',
    'exec',
    'h1',
    '--',
    'weft',
    '--json',
  ]);
});

test('output of weftd that cannot be written is a sentence and exit code 1, and one that is cut no failure (N11)', (t) => {
  const bin = fileURLToPath(new URL('../../../bin/weftd', import.meta.url));
  for (const flag of ['--help', '--version']) {
    const { status, stderr } = spawnSync('sh', ['-c', `exec ${process.execPath} ${bin} ${flag} > /dev/full`], {
      encoding: 'utf8',
    });
    t.deepEqual(
      { status, stderr },
      { status: 1, stderr: 'weftd: Cannot write the output: ENOSPC: no space left on device, write\n' },
    );
  }
});

test('output that cannot be written is a sentence and exit code 1 (N11)', async (t) => {
  const socket = await serveReplies(t);
  const bin = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
  for (const more of ['', ' --json']) {
    const command = `exec ${process.execPath} ${bin} status --control-socket ${socket}${more} > /dev/full`;
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, 'close');
    t.deepEqual(
      { code, stderr },
      { code: 1, stderr: 'weft: Cannot write the output: ENOSPC: no space left on device, write\n' },
    );
  }
});

test('what comes from etcd cannot command the terminal, by no command and not in an error either (S3)', async (t) => {
  const hostile = `\u001b]0;pwned\u0007\u001b[31mred\u009b\u202e${'x'.repeat(100_000)}`;
  const peer = { ...PEERS.peers[0]!, backendType: hostile, note: `ignored: its backend type is ${hostile}` };
  const socket = await serveReplies(t, {
    '/v1/peers': () => ({ peers: [peer] }),
    '/v1/routes': () => ({ routes: [{ prefix: hostile, via: '192.0.2.2', device: 'flannel0' }] }),
    '/v1/status': () => ({
      ...STATUS,
      alarms: [hostile],
      store: { ...STATUS.store, connected: false, lastError: hostile },
    }),
    '/v1/fdb': () => {
      throw new WeftError('NOT_READY', hostile, { hint: hostile });
    },
  });
  const shown = /^[^\p{Cc}\p{Cf}]*$/u;
  for (const command of ['peers', 'routes', 'status', 'fdb']) {
    const { stdout, stderr } = await run('weft', [command, '--control-socket', socket]);
    for (const line of `${stdout}\n${stderr}`.split('\n')) {
      t.regex(line.slice(0, 2500), shown);
      t.true(line.length < 2500, `${command}: ${line.length} characters`);
    }
  }
  const { stdout } = await run('weft', ['peers', '--json', '--control-socket', socket]);
  t.deepEqual(JSON.parse(stdout), { peers: [peer] });
  t.regex(stdout.replaceAll('\n', ''), shown);
});

test('help and version', async (t) => {
  const version = await run('weft', ['--version']);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await run('weft', ['--help']);
  for (const word of ['status', 'peers', 'routes', 'stats', 'fdb', 'neigh', 'Examples:', 'Exit codes:'])
    t.true(help.stdout.includes(word), word);
  t.deepEqual(await run('weft', ['help', 'stats']), await run('weft', ['stats', '--help']));
  t.is((await run('weft', [])).code, 2);
});
