/** Reads what ping(8) of iputils prints. Below 1 ms it prints whole microseconds: that is the resolution of our RTTs. */
import { WeftError } from '../error.ts';

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  /** Of each reply, in the order of arrival, milliseconds. */
  readonly rttMs: readonly number[];
}

export const PING_RESOLUTION_MS = 0.001;

export function pingArguments(address: string, count: number, intervalSeconds: number): string[] {
  return ['-n', '-c', String(count), '-i', String(intervalSeconds), '-W', '1', address];
}

/** Code: PING_OUTPUT if there is no summary line. ping ends with 1 when a reply is missing; its output is whole then too. */
export function readPingOutput(text: string): PingResult {
  const summary = /^(\d+) packets transmitted, (\d+) received/m.exec(text);
  if (summary === null) {
    throw new WeftError('PING_OUTPUT', `ping printed no summary: "${text.trim().slice(0, 200)}"`, {
      hint: 'ping of iputils is needed (Debian: iputils-ping)',
    });
  }
  const rttMs = [...text.matchAll(/^\d+ bytes from .* time=([\d.]+) ms(?! \(DUP!\))/gm)].map((match) =>
    Number(match[1]),
  );
  return { sent: Number(summary[1]), received: Number(summary[2]), rttMs };
}
