/** weftd's process: command line, log, signals, exit code. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { messageOf, WeftError } from '../error.ts';
import { fitText } from '../fit-text.ts';
import type { Log } from '../log.ts';
import { printableLines } from '../printable.ts';
import type { ServiceState } from '../sys/notify.ts';
import { readVersion } from '../version.ts';
import { type OptionsResult, readOptions } from './cmdline/options.ts';

type RunOptions = Extract<OptionsResult, { readonly action: 'run' }>;

/** Our choice: a stop takes well under 100 ms; one that hangs must not keep the service manager waiting. */
const STOP_DEADLINE_MS = 900;

const STDERR = 2;
const HELP_COLUMNS = 80;
/** Our choice: how long a last sentence waits for its reader. */
const SAY_MS = 500;

/** Errors in what the user gave on the command line or in the environment. */
const USAGE_CODES: ReadonlySet<string> = new Set(['USAGE', 'UNSUPPORTED_OPTION', 'STORE_OPTIONS_INVALID']);

/**
 * Signals that mean nothing to weftd. By default Linux ends a process for each; Node opens a debugger, which runs anybody's
 * code, for SIGUSR1, until somebody listens for it.
 */
const IDLE_SIGNALS: readonly NodeJS.Signals[] = [
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGPIPE',
  'SIGIO',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGXCPU',
  'SIGXFSZ',
];

/** Runs the daemon and ends the process: 0 after SIGTERM or SIGINT, 1 on failure or a second signal, 2 for wrong usage. */
export async function main(argv: readonly string[]): Promise<void> {
  for (const name of IDLE_SIGNALS) process.on(name, () => undefined);
  try {
    const result = readOptions(argv, process.env);
    if (result.action !== 'run') process.stdout.on('error', endWithoutReader);
    if (result.action === 'help') {
      const { usageText } = await import('./cmdline/flags.ts');
      process.stdout.write(fitText(usageText(), HELP_COLUMNS));
    } else if (result.action === 'version') process.stdout.write(`weftd ${readVersion()}\n`);
    else {
      await runDaemon(result);
      process.exit(0);
    }
  } catch (error) {
    process.exit(await reportFatal(error));
  }
}

async function runDaemon({ options, given, unknownVariables, withoutEffect }: RunOptions): Promise<void> {
  const { checkLimits } = await import('./host/limits.ts');
  checkLimits();
  const { createLog } = await import('./log.ts');
  // Not process.stderr: node would make the pipe non-blocking, for all who share it.
  const terminal = isatty(STDERR);
  const { log, flush } = await createLog(
    options.logFormat,
    options.logLevel,
    terminal,
    terminal && !process.env.NO_COLOR,
  );
  const version = readVersion();
  log.info({ version, pid: process.pid, node: process.version, flags: given }, 'weftd starts');
  if (unknownVariables.length > 0) log.warn({ variables: unknownVariables }, 'Variables that name no flag are ignored');
  if (withoutEffect.length > 0) log.info({ flags: withoutEffect }, 'Accepted for flanneld and without effect');
  if (options.forwardRules) {
    const { FORWARD_RULES: hint } = await import('./cmdline/flags.ts');
    log.info({ hint }, 'No FORWARD rules are installed yet, whatever -iptables-forward-rules says');
  }
  process.on('exit', flush);
  const { exitNow } = await import('../sys/exit.ts');
  const signal = stopOnSignals(log, (code) => {
    flush();
    exitNow(code);
  });
  const [{ Daemon }, { openStore }] = await Promise.all([import('./daemon.ts'), import('./open-store.ts')]);
  const daemon = new Daemon({
    options,
    version,
    log,
    openStore: (etcdPrefix, networkLog) => openStore(options.etcd, etcdPrefix, networkLog),
    signal,
    now: Date.now,
    random: Math.random,
    sleep: async (ms, abort) => sleep(ms, undefined, { signal: abort }),
    notify: await notifier(log),
    pid: process.pid,
    rssBytes: () => process.memoryUsage.rss(),
  });
  await daemon.run();
  log.info({}, 'Stopped');
}

/** The first SIGTERM, SIGINT or SIGHUP aborts; a second one, or a stop that hangs, ends the process at once with code 1. */
function stopOnSignals(log: Log, exitNow: (code: number) => void): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      log.warn({ signal: name }, 'Second signal: ending at once');
      exitNow(1);
    }
    log.info({ signal: name }, 'Stopping; lease and subnet file stay for the next start');
    setTimeout(() => {
      log.error({ deadlineMs: STOP_DEADLINE_MS }, 'Stopping takes too long: ending at once');
      exitNow(1);
    }, STOP_DEADLINE_MS).unref();
    controller.abort();
  };
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, onSignal);
  // Node's own way to end waits for the data-plane thread, which is blocked in a system call.
  const onBug = (error: unknown): void => {
    log.error({ reason: messageOf(error), stack: error instanceof Error ? error.stack : undefined }, 'Internal error');
    exitNow(1);
  };
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  return controller.signal;
}

/** Without a service manager nothing is sent; one that cannot be reached is reported once and is no reason to stop. */
async function notifier(log: Log): Promise<(state: ServiceState) => void> {
  const socketName = process.env.NOTIFY_SOCKET;
  if (socketName === undefined || socketName === '') return () => undefined;
  const { notifyService } = await import('../sys/notify.ts');
  let reported = false;
  return (state) => {
    try {
      notifyService(socketName, state);
    } catch (error) {
      if (!reported) log.warn({ reason: messageOf(error) }, 'The service manager cannot be notified');
      reported = true;
    }
  };
}

/** One line and a hint for what a user can mend; the stack only for a mistake of ours. Returns the exit code. */
async function reportFatal(error: unknown): Promise<number> {
  if (!(error instanceof WeftError)) {
    await say(`internal error: ${error instanceof Error ? error.stack : messageOf(error)}`);
    return 1;
  }
  await say(error.hint === undefined ? error.message : `${error.message}\n${error.hint}`);
  return USAGE_CODES.has(error.code) ? 2 : 1;
}

/** Output cut by the reader, as in `weftd --help | head`, is no failure. */
function endWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  void say(`Cannot write the output: ${messageOf(error)}`).then(() => process.exit(1));
}

/** Not by process.stderr, which waits for a reader that hangs. */
async function say(text: string): Promise<void> {
  const { writeWithin } = await import('../sys/stderr.ts');
  try {
    writeWithin(STDERR, Buffer.from(`weftd: ${printableLines(text)}\n`), SAY_MS);
  } catch {
    // Nobody is there to read it.
  }
}
