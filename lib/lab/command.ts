/** Runs the programs a lab is made with. No shell is involved, so nothing has to be quoted. */
import { execFile } from 'node:child_process';
import { WeftError } from '../error.ts';

/** The Debian package of each program, for hints. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  tc: 'iproute2',
  ethtool: 'ethtool',
  iperf3: 'iperf3',
  ping: 'iputils-ping',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
};

export interface RunOptions {
  /** Written to standard input. */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Our choice: the slowest batch takes a second; this only keeps a lab from hanging. */
const TIMEOUT_MS = 60_000;

/** Resolves to standard output. Throws WeftError TOOL_MISSING or LAB_COMMAND_FAILED with what the program said. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const settings = { maxBuffer: 1 << 26, timeout: TIMEOUT_MS, ...(options.signal && { signal: options.signal }) };
    const child = execFile(program, [...args], settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (options.signal?.aborted === true) reject(abortReason(options.signal));
      else if (error.code === 'ENOENT') reject(toolMissing(program));
      else reject(commandFailed([program, ...args].join(' '), stderr.trim() || error.message));
    });
    // A program that ends early says why on standard error; that its input went nowhere is no news.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

export function commandFailed(command: string, output: string): WeftError {
  return new WeftError('LAB_COMMAND_FAILED', `Cannot run "${command}": ${output.split('\n').join('; ')}`);
}

export function toolMissing(program: string): WeftError {
  const name = PACKAGES[program];
  return new WeftError('TOOL_MISSING', `Cannot run "${program}": it is not installed`, {
    ...(name !== undefined && { hint: `On Debian: apt-get install ${name}` }),
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}

/** Applies lines of ip(8) in one process, in the namespace given, else in ours. */
export async function ipBatch(
  netns: string | undefined,
  lines: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (lines.length === 0) return;
  const where = netns === undefined ? [] : ['-n', netns];
  await run('ip', [...where, '-batch', '-'], { input: `${lines.join('\n')}\n`, signal });
}

/** The same with bridge(8), in the namespace given. */
export async function bridgeBatch(netns: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await run('bridge', ['-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** Our choice: more at once only fight for the kernel's rtnl lock. */
const MAX_PARALLEL = 8;

/** Applies `task` to all items, some at once, and waits for all, also when one fails. Throws the first error. */
export async function forEachLimited<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await task(item);
  };
  const results = await Promise.allSettled(Array.from({ length: MAX_PARALLEL }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Throws WeftError NOT_ROOT. */
export function requireRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new WeftError('NOT_ROOT', 'Cannot work with a lab: only root may make network namespaces', {
    hint: 'Run it with sudo',
  });
}
