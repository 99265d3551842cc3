import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from '../patience.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** AVA begins all tests of a file at once: so many programs at a time, or a busy machine has dozens of them to start. */
const AT_ONCE = 2;
let running = 0;
const waiting: (() => void)[] = [];

/** Runs `bin/<program>` of this checkout to its end, with pipes for its output. */
export async function run(program: 'weft' | 'weftd', argv: readonly string[]): Promise<Outcome> {
  if (running === AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await runNow(program, argv);
  } finally {
    // Its turn goes to the next.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

async function runNow(program: 'weft' | 'weftd', argv: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [`${ROOT}bin/${program}`, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
    timeout: PATIENCE_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
