import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { keysOf } from '../../lib/cli/full-screen.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { STATS, STATUS } from './replies.ts';
import { serveReplies } from './serve-replies.ts';

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const CHILD = 'weft-top-pid=';

interface Terminal {
  readonly output: () => string;
  readonly type: (keys: string) => void;
  /** Of weft. */
  readonly pid: () => number;
  readonly ended: Promise<unknown>;
}

/** `weft top` in a terminal of its own (script(1)); what the terminal was like before and after stands around it. `after`: shell commands. */
function inTerminal(t: ExecutionContext, size: string, args: readonly string[], after = ''): Terminal {
  // exec: the shell that stty is asked in before and after is another than the one that becomes weft.
  const weft = `sh -c 'echo ${CHILD}$$; exec "$@"' sh "${process.execPath}" "${WEFT}" top ${args.join(' ')}`;
  const jobControl = after === '' ? '' : 'set -m; ';
  const line = `stty ${size}; stty -g; ${jobControl}${weft}${after}; echo "code $?"; stty -g`;
  const child = spawn('script', ['-qec', line, '/dev/null'], { env: { PATH: process.env.PATH, TERM: 'xterm' } });
  t.teardown(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return {
    output: () => output,
    type: (keys) => void child.stdin.write(keys),
    pid: () => Number(new RegExp(`^${CHILD}(\\d+)`, 'm').exec(output)?.[1]),
    ended: once(child, 'close'),
  };
}

async function serve(t: ExecutionContext): Promise<string> {
  let second = 0;
  return serveReplies(t, {
    '/v1/status': () => ({ ...STATUS, pid: process.pid }),
    '/v1/stats': () => ({ ...STATS, at: new Date(1_700_000_000_000 + 1000 * second++).toISOString() }),
  });
}

/** The settings before and after are the same, and so are text and cursor. */
function assertAsItWas(t: ExecutionContext, output: string, code: number): void {
  t.regex(output, new RegExp(`code ${code}\\r?$`, 'm'));
  const settings = [...output.matchAll(/^[0-9a-f]+(?::[0-9a-f]+){10,}/gm)].map(([text]) => text);
  t.is(settings.length, 2, output);
  t.is(settings[0], settings[1]);
  t.is(output.split(ENTER).length, output.split(LEAVE).length);
  t.true(output.lastIndexOf(LEAVE) > output.lastIndexOf(ENTER));
}

const ENDS = [
  ['q', (terminal: Terminal) => terminal.type('q')],
  ['Ctrl-C', (terminal: Terminal) => terminal.type('\u0003')],
  ['SIGTERM', (terminal: Terminal) => process.kill(terminal.pid(), 'SIGTERM')],
  ['SIGHUP', (terminal: Terminal) => process.kill(terminal.pid(), 'SIGHUP')],
] as const;

for (const [name, end] of ENDS)
  test(`weft top draws, and leaves the terminal as it was: ${name}`, async (t) => {
    const terminal = inTerminal(t, 'rows 24 cols 80', ['--interval', '0.2', '--control-socket', await serve(t)]);
    t.true(await until(() => terminal.output().includes('packets/s'), PATIENCE_MS), terminal.output());
    terminal.type('l');
    end(terminal);
    await terminal.ended;
    assertAsItWas(t, terminal.output(), 0);
  });

test('weft top that is suspended gives the terminal back, and takes it again when it goes on', async (t) => {
  const args = ['--interval', '0.2', '--control-socket', await serve(t)];
  // A shell with job control, as people have one; and one that could never continue it.
  for (const [after, stays] of [
    ['; echo "the shell has it"; fg', false],
    ['', true],
  ] as const) {
    const terminal = inTerminal(t, 'rows 24 cols 80', args, after);
    t.true(await until(() => terminal.output().includes('packets/s'), PATIENCE_MS), terminal.output());
    terminal.type('\u001a');
    t.true(await until(() => terminal.output().split(ENTER).length === 3, PATIENCE_MS), terminal.output());
    t.is(/the shell has it/.test(terminal.output().split(LEAVE)[1]!), !stays);
    terminal.type('q');
    await terminal.ended;
    assertAsItWas(t, terminal.output(), 0);
  }
});

test('a terminal that is too small, and a daemon that is not there: one line, and the terminal as it was', async (t) => {
  const small = inTerminal(t, 'rows 10 cols 40', ['--control-socket', await serve(t)]);
  await small.ended;
  t.regex(small.output(), /weft: weft top needs a terminal of 60 columns and 12 rows; this one has 40 and 10\r?$/m);
  t.false(small.output().includes(ENTER));
  const without = inTerminal(t, 'rows 24 cols 80', ['--control-socket', '/nonexistent/weft.sock']);
  await without.ended;
  t.regex(without.output(), /weft: No control socket at \/nonexistent\/weft\.sock\r?$/m);
  assertAsItWas(t, without.output(), 1);
});

test('keys that come together are taken apart, and unknown ones left out', (t) => {
  t.deepEqual(keysOf('t\u001b[A\u001b[6~q'), ['t', 'up', 'page-down', 'q']);
  t.deepEqual(keysOf('\u001b[200~x\u001b\u0000'), ['x']);
  t.deepEqual(keysOf('\u0003\u001aé'), ['interrupt', 'suspend', 'é']);
  t.deepEqual(keysOf(''), []);
});
