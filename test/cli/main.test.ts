import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { PATIENCE_MS } from '../patience.ts';
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

test('help and version', async (t) => {
  const version = await run('weft', ['--version']);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await run('weft', ['--help']);
  for (const word of ['status', 'peers', 'routes', 'stats', 'fdb', 'neigh', 'Examples:', 'Exit codes:'])
    t.true(help.stdout.includes(word), word);
  t.deepEqual(await run('weft', ['help', 'stats']), await run('weft', ['stats', '--help']));
  t.is((await run('weft', [])).code, 2);
});
