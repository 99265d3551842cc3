import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { testInFreshNamespace } from './enter.ts';

// The health server (health-child.ts) and a crowd of strangers (strangers.ts) in processes of their own.
const test = testInFreshNamespace();

/** Starts a program of this directory; resolves to its first line. */
async function start(t: ExecutionContext, argv: readonly string[], descriptors?: number): Promise<string> {
  const shell = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `;
  const [name = '', ...rest] = argv;
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child: ChildProcess = spawn('sh', ['-c', `${shell}exec "$@"`, 'sh', process.execPath, file, ...rest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return line.toString().trim();
}

/** Status of an answer, or what went wrong. The limit is for a busy machine: the strangers hold out for longer. */
function probe(port: string): Promise<number | string> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path: '/healthz', agent: false, timeout: 20_000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', (error) => resolve(error.message));
    call.end();
  });
}

const HALF_A_HEADER = 'GET /healthz HTTP/1.1\r\nhost: ';
const CROWDS: readonly (readonly [count: number, words: string, sources: number, descriptors?: number])[] = [
  [64, '', 1],
  [64, HALF_A_HEADER, 1, 1024],
  [1000, HALF_A_HEADER, 1, 1024],
  [1000, '', 5, 256],
  [10_000, '', 1],
  [10_000, HALF_A_HEADER, 5, 1024],
];
for (const [count, words, sources, descriptors] of CROWDS) {
  const kind = words === '' ? 'idle' : 'with half a header';
  const limit = descriptors === undefined ? '' : ` and ${descriptors} descriptors`;
  test(`a probe is answered beside ${count} connections, ${kind}, from ${sources} sources${limit}, that come again (S1)`, async (t) => {
    t.timeout(280_000);
    const port = await start(t, ['health-child.js'], descriptors);
    await start(t, ['strangers.js', port, String(count), words, String(sources)]);
    const answers: unknown[] = [];
    for (let number = 0; number < 10; number++) answers.push(await probe(port));
    t.deepEqual(answers, Array(10).fill(200));
  });
}
