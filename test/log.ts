import type { Log } from '../lib/log.ts';

type Level = keyof Log;

/** A log that hands every line to `line`. */
export function logTo(line: (fields: object, message: string, level: Level) => unknown): Log {
  const at = (level: Level) => (fields: object, message: string) => {
    line(fields, message, level);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
