/** The daemon's log: one event a line on standard error, JSON for machines or readable text on a terminal. */
import { destination, pino, stdTimeFunctions } from 'pino';
import type { Log } from '../log.ts';
import type { LogFormat, LogLevel } from './cmdline/options.ts';

const STDERR = 2;

/** Anything under such a key is a secret, however it got into a log call. */
const SECRETS = ['password', '*.password', '["etcd-password"]', '*["etcd-password"]'];

/**
 * Lines are written before the call returns, so that the last ones before a crash are there. Strings from outside (etcd,
 * interface names) belong into `fields`, where they are quoted; in a message only after `printable`.
 */
export async function createLog(format: LogFormat, level: LogLevel, terminal: boolean, colour: boolean): Promise<Log> {
  return format === 'text' || (format === 'auto' && terminal) ? textLog(level, colour) : jsonLog(level);
}

function jsonLog(level: LogLevel): Log {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ ...commonOptions(level), formatters }, destination({ fd: STDERR, sync: true }));
}

/** Not in a worker thread, as pino's transports are: a daemon that ends at once still shows why. */
async function textLog(level: LogLevel, colour: boolean): Promise<Log> {
  const { default: pretty } = await import('pino-pretty');
  const layout = { singleLine: true, colorize: colour, translateTime: 'SYS:HH:MM:ss.l' };
  // pino's type has an index signature, which an async function's return would take for a promise's `then`.
  const log: Log = pino(commonOptions(level), pretty({ ...layout, destination: STDERR, sync: true }));
  return log;
}

function commonOptions(level: LogLevel) {
  return {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: SECRETS, censor: '(hidden)' },
  };
}

/** Text for a message: what could break the line or command the terminal becomes a question mark. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
