import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ending } from './tap.ts';

export interface AvaOptions {
  /** The folder of package.json. */
  readonly root: string;
  /** Paths of compiled test files, relative to `root`. */
  readonly compiled: readonly string[];
  /** Everything is killed after so many milliseconds. AVA itself gives up earlier when nothing happens any more. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** What a run of AVA left behind. */
export interface AvaRun {
  readonly tap: string;
  /** For each line of `tap`, in milliseconds from the start, when it was there. */
  readonly atMs: readonly number[];
  readonly ending: Ending;
  readonly seconds: number;
  /** What the tests printed: the end of it, if it was much. */
  readonly output: string;
  /** Commands that were still running when AVA had ended; they have been killed. */
  readonly leftRunning: readonly string[];
}

const OUTPUT_KEPT = 64 * 1024;
/** Between SIGTERM, on which tests remove their namespaces, and SIGKILL. */
const GRACE_MS = 10_000;
/** AVA's children end a moment after AVA. */
const FOLLOW_MS = 1000;

/** Runs AVA, which is a process group of its own, and waits for its end. It runs one file after the other, each in a process. */
export async function runAva(options: AvaOptions): Promise<AvaRun> {
  const started = performance.now();
  const ava = join(options.root, 'node_modules/ava/entrypoints/cli.mjs');
  const child = spawn(process.execPath, [ava, '--tap', '--concurrency', '1', ...options.compiled], {
    cwd: options.root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
  });
  const atMs: number[] = [];
  const tap = collect(child.stdout, Number.POSITIVE_INFINITY, (chunk) => {
    for (const character of chunk) if (character === '\n') atMs.push(performance.now() - started);
  });
  // AVA passes on whatever the tests print, on either stream, by its standard error.
  const output = collect(child.stderr, OUTPUT_KEPT);
  const ending = await endOf(child, options.limitMs, options.signal);
  const leftRunning = await killGroup(child.pid as number, ending.signal === null ? FOLLOW_MS : GRACE_MS);
  // A process outside the group may still hold the pipes; what AVA wrote is in them by now.
  await Promise.race([Promise.all([tap.ended, output.ended]), delay(1000)]);
  const seconds = (performance.now() - started) / 1000;
  return { tap: tap.text(), atMs, ending, seconds, output: output.text(), leftRunning };
}

interface Collected {
  readonly ended: Promise<unknown>;
  text(): string;
}

function collect(stream: NodeJS.ReadableStream, keep: number, onChunk?: (chunk: string) => void): Collected {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    onChunk?.(chunk);
    text += chunk;
    if (text.length > keep) text = text.slice(-keep);
  });
  return { ended: once(stream, 'end'), text: () => text };
}
async function endOf(child: ChildProcess, limitMs: number, signal: AbortSignal): Promise<Ending> {
  const group = -(child.pid as number);
  let timedOut = false;
  let lastResort: NodeJS.Timeout | undefined;
  const end = () => {
    kill(group, 'SIGTERM');
    lastResort ??= setTimeout(() => kill(group, 'SIGKILL'), GRACE_MS);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    end();
  }, limitMs);
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  const [exitCode, endedBy] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(limit);
  clearTimeout(lastResort);
  signal.removeEventListener('abort', end);
  return { exitCode, signal: endedBy, timedOut };
}

/** Kills what is left of a process group after `patienceMs`, and returns the commands that had to be killed. */
async function killGroup(group: number, patienceMs: number): Promise<readonly string[]> {
  const deadline = performance.now() + patienceMs;
  let left = membersOf(group);
  while (left.length > 0 && performance.now() < deadline) {
    await delay(20);
    left = membersOf(group);
  }
  if (left.length > 0) kill(-group, 'SIGKILL');
  return left;
}

/** Names and ids of the live processes of a group. The fields are those of proc(5), /proc/[pid]/stat. */
function membersOf(group: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = /^\d+ \((.*)\) (\S) \d+ (\d+)/s.exec(readIfThere(`/proc/${pid}/stat`));
      return stat !== null && Number(stat[3]) === group && stat[2] !== 'Z' ? [`${stat[1]} (${pid})`] : [];
    });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // The process has ended.
  }
}

function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // It has ended.
  }
}
