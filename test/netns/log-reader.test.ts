import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../lib/control/client.ts';
import { until } from '../../lib/lab/until.ts';
import { testInFreshNamespace } from './enter.ts';

// weftd without an etcd, its log going into a pipe that is full and that nobody reads.
const test = testInFreshNamespace();

const WEFTD = fileURLToPath(new URL('../../../bin/weftd', import.meta.url));

/** All that is in the pipe now. */
function drain(fd: number): string {
  const chunk = Buffer.alloc(65_536);
  let text = '';
  try {
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk))
      text += chunk.subarray(0, length).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return text;
}

test('neither status nor SIGTERM waits for a log reader that hangs, and what waited is written when it reads (H7)', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-log-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const fifo = join(directory, 'log');
  execFileSync('mkfifo', [fifo]);
  const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(pipe));
  // Blocking, as a shell makes them.
  const blocking = openSync(fifo, constants.O_RDWR);
  t.throws(() => {
    for (;;) writeSync(pipe, 'x'.repeat(4096));
  });
  const socket = join(directory, 'weft.sock');
  const argv = ['--iface=lo', '--public-ip=127.0.0.1', '--etcd-endpoints=http://127.0.0.1:1', '--log-format=json'];
  const files = [`--control-socket=${socket}`, `--subnet-file=${directory}/s.env`, `--state-dir=${directory}/state`];
  const child = spawn(process.execPath, [WEFTD, ...argv, ...files], { stdio: ['ignore', 'ignore', blocking] });
  closeSync(blocking);
  const ended = once(child, 'close');
  t.teardown(() => child.kill('SIGKILL'));
  const state = (): Promise<string | undefined> =>
    askDaemon(socket, '/v1/status').then(
      (status) => status.state,
      () => undefined,
    );
  t.true(await until(async () => (await state()) !== undefined, 20_000), 'status is answered');

  t.regex(drain(pipe), /^x+$/);
  let log = '';
  const has = (words: string) => () => {
    log += drain(pipe);
    return log.includes(words);
  };
  t.true(await until(has('weftd starts'), 20_000), 'what waited is written');
  t.throws(() => {
    for (;;) writeSync(pipe, 'x'.repeat(4096));
  });
  child.kill('SIGTERM');
  const [code] = (await Promise.race([ended, delay(20_000, ['it hangs'], { ref: false })])) as [unknown];
  t.is(code, 0);
});
