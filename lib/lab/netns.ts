/** Programs inside the namespaces of a lab. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { commandFailed, toolMissing } from './command.ts';
import { until } from './until.ts';

/** Where ip-netns(8) keeps the names. */
const NAMES = '/run/netns';

interface ExitStatus {
  /** Undefined when a signal ended the program. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

export interface ExecResult extends ExitStatus {
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  /** Appends standard output and standard error to this file instead of capturing them. */
  readonly logFile?: string;
  /** The program outlives ours; needs `logFile`. */
  readonly detached?: boolean;
}

/** A running program. */
export interface LabProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it wrote so far; with `logFile` both streams are in `stdout`. */
  stdout(): string;
  stderr(): string;
  /** Resolves when the program has ended and its output is read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** True until it ended. */
  running(): boolean;
  /** Sends the signal (default SIGTERM), SIGKILL after `graceMs` (default 30,000), and waits for the end. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<ExitStatus>;
}

/** What runs a program in a namespace, undefined: ours. `ip netns exec` replaces itself by it, so the pid is the program's. */
export function inNetns(netns: string | undefined, argv: readonly string[]): string[] {
  return netns === undefined ? [...argv] : ['ip', 'netns', 'exec', netns, ...argv];
}

/** Starts a program in a namespace, undefined: ours. */
export function spawnInNetns(
  netns: string | undefined,
  argv: readonly string[],
  options: SpawnOptions = {},
): LabProcess {
  const { logFile } = options;
  const log = logFile === undefined ? undefined : openSync(logFile, 'a', 0o600);
  // What an earlier program wrote there is not this one's output.
  const logStart = log === undefined ? 0 : fstatSync(log).size;
  let child: ChildProcess;
  try {
    const [program = '', ...args] = inNetns(netns, argv);
    child = spawn(program, args, {
      stdio: ['ignore', log ?? 'pipe', log ?? 'pipe'],
      detached: options.detached === true,
    });
  } finally {
    if (log !== undefined) closeSync(log);
  }
  if (options.detached === true) child.unref();
  const stdout = capture(child.stdout);
  const stderr = capture(child.stderr);
  let spawnError = '';
  let ended = false;
  const exited = new Promise<ExitStatus>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      ended = true;
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    };
    child.on('close', end);
    child.on('error', (error) => {
      spawnError = `${error.message}\n`;
      // No pid: it never ran, and 'close' does not always follow.
      if (child.pid === undefined) end(127, null);
    });
  });
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => (logFile === undefined ? stdout() : readFileSync(logFile).subarray(logStart).toString('utf8')),
    stderr: () => spawnError + stderr(),
    exited,
    running: () => !ended,
    stop: async (signal = 'SIGTERM', graceMs = 30_000) => {
      if (!ended) child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function capture(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

export interface ExecOptions {
  /** Default 120,000. The program is killed then. */
  readonly timeoutMs?: number;
  /** Return instead of throwing when the exit code is not 0. */
  readonly allowFailure?: boolean;
}

/** Runs a program in a namespace, undefined: ours, to its end. Throws WeftError LAB_COMMAND_FAILED or TOOL_MISSING. */
export async function execInNetns(
  netns: string | undefined,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const program = spawnInNetns(netns, argv);
  const timeoutMs = options.timeoutMs ?? 120_000;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    program.child.kill('SIGKILL');
  }, timeoutMs);
  const status = await program.exited;
  clearTimeout(timer);
  const result = { ...status, stdout: program.stdout(), stderr: program.stderr() };
  const command = inNetns(netns, argv).join(' ');
  if (timedOut) throw commandFailed(command, `no end within ${timeoutMs} ms`);
  if (status.code === 0 || options.allowFailure === true) return result;
  if (cannotExec(result.stderr)) throw toolMissing(argv[0] ?? '');
  throw commandFailed(command, result.stderr.trim() || result.stdout.trim() || describeExit(status));
}

/**
 * Waits until a program that was just started is ready. Resolves to undefined then; if it ends or takes too long, it is
 * stopped, and this resolves to why: "not ready after 15000 ms".
 */
export async function whyNotReady(
  program: LabProcess,
  isReady: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<string | undefined> {
  const inTime = await until(async () => !program.running() || (await isReady()), timeoutMs);
  if (inTime && program.running()) return undefined;
  const why = inTime ? `it ended with ${describeExit(await program.exited)}` : `not ready after ${timeoutMs} ms`;
  await program.stop('SIGKILL');
  return why;
}

/** True for what ip(8), or Node, says when the program it should become is not there. */
export function cannotExec(output: string): boolean {
  return /exec of ".*" failed: No such file|^spawn \S+ ENOENT$/m.test(output);
}

/** "exit code 1", "signal SIGKILL". */
function describeExit(status: ExitStatus): string {
  return status.signal === undefined ? `exit code ${status.code}` : `signal ${status.signal}`;
}

/** The names of all network namespaces of this machine. */
export function listNamespaces(): string[] {
  try {
    return readdirSync(NAMES);
  } catch (error) {
    // Made by the first `ip netns add`.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * The processes all of whose threads are in the namespaces; never ourselves. A thread may look into a namespace and go back, as
 * `weft trace` does to find a pod: its process does not belong there.
 */
export function processesIn(namespaces: readonly string[]): number[] {
  const links = new Set(namespaces.map(networkOfName).filter((link) => link !== ''));
  const isIn = (process: string): boolean =>
    links.has(networkOf(process)) && threadsOf(process).every((thread) => links.has(networkOf(thread)));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid && isIn(entry))
    .map(Number);
}

/** "1234/task/1234", "1234/task/1240". */
function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`);
  } catch {
    // It ended meanwhile.
    return [];
  }
}

function networkOfName(name: string): string {
  const stats = statSync(`${NAMES}/${name}`, { throwIfNoEntry: false });
  return stats === undefined ? '' : `net:[${stats.ino}]`;
}

/** Of a process, its main thread's, or of a thread. */
function networkOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    // It ended meanwhile, or is a zombie: in no namespace any more.
    return '';
  }
}
