/** The daemon's log: one event a line on standard error, JSON for machines or readable text on a terminal. */
import { type LogFn, type Logger, pino, stdTimeFunctions } from 'pino';
import type { Log } from '../log.ts';
import { escapeJson, printable } from '../printable.ts';
import { writeWithin } from '../sys/stderr.ts';
import type { LogFormat, LogLevel } from './cmdline/options.ts';
import { LogWriter } from './log-writer.ts';

const STDERR = 2;

/** Anything under such a key is a secret, however it got into a log call. */
const SECRETS = ['password', '*.password', '["etcd-password"]', '*["etcd-password"]'];

/** Our choice: the length of a message, and of a text in a field. A stack is longer than any other. */
const MOST_CHARACTERS = 2000;

/** The log of a process, and its end. */
export interface DaemonLog {
  readonly log: Log;
  /** Gives a slow reader a moment to take what waits; nothing may be logged afterwards. */
  readonly flush: () => void;
}

/** Our choice: a reader who is there needs less; one that hangs must not keep the service manager waiting. */
const FLUSH_MS = 200;

/**
 * A line is written before the call returns, unless its reader hangs: nobody waits for that one, and lines that it did not take
 * are counted in one that it takes later. Text from outside (etcd, interface names) may stand in fields and in messages.
 */
export async function createLog(
  format: LogFormat,
  level: LogLevel,
  terminal: boolean,
  colour: boolean,
): Promise<DaemonLog> {
  const isText = format === 'text' || (format === 'auto' && terminal);
  const layOut = isText ? await textLayout(colour) : escapeJson;
  const writer = new LogWriter({
    write: (bytes, waitMs) => writeWithin(STDERR, bytes, waitMs),
    onLost: (lines) => log.warn({ lines }, 'Lines of the log were lost: nobody read it, or it could not be written'),
  });
  const logger = pino(isText ? commonOptions(level) : jsonOptions(level), {
    write: (line: string) => writer.write(layOut(line)),
  });
  // pino's type has an index signature, which an async function's return would take for a promise's `then`.
  const log: Log = logger;
  return { log, flush: () => writer.flush(FLUSH_MS) };
}

/** Not in a worker thread, as pino's transports are: a daemon that ends at once still shows why. */
async function textLayout(colour: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ singleLine: true, colorize: colour, translateTime: 'SYS:HH:MM:ss.l' });
  return (line) => escapeJson(pretty(line));
}

function jsonOptions(level: LogLevel) {
  const { formatters, ...common } = commonOptions(level);
  return { ...common, formatters: { ...formatters, level: (label: string) => ({ level: label }) } };
}

function commonOptions(level: LogLevel) {
  return {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: SECRETS, censor: '(hidden)' },
    formatters: { log: (fields: Record<string, unknown>) => cutAll(fields) },
    hooks: {
      logMethod(
        this: Logger,
        [fields, message = '']: [obj: unknown, msg?: string | undefined, ...more: unknown[]],
        write: LogFn,
      ) {
        write.apply(this, [fields, printable(message, MOST_CHARACTERS)]);
      },
    },
  };
}

/** Long texts in the fields are cut; the rest is for JSON to quote. */
function cutAll(fields: Record<string, unknown>): Record<string, unknown> {
  const cut = (value: unknown): unknown => {
    if (typeof value === 'string' && value.length > MOST_CHARACTERS)
      return `${value.slice(0, MOST_CHARACTERS)}... (${value.length} characters)`;
    return Array.isArray(value) ? value.map(cut) : value;
  };
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cut(value)]));
}
