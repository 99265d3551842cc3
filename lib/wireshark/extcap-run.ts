/** Runs a capture for Wireshark: packets go into its pipe; when it fails, what it said goes into Wireshark's own dialogue. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { messageOf, WeftError } from '../error.ts';
import { compileFilter } from '../sys/libpcap.ts';

/** Our choice: more than a dialogue can show. */
const MOST_SAID = 8192;

export interface CaptureRun {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Descriptor of Wireshark's pipe, by openFifo. */
  readonly fifo: number;
  /** For messages; undefined: here. */
  readonly host: string | undefined;
  readonly sudo: boolean;
}

/**
 * Until the capture ends, by itself or by SIGTERM from Wireshark. Throws WeftError CAPTURE_FAILED with the
 * capture's words.
 */
export async function runExtcapCapture(run: CaptureRun): Promise<void> {
  const [program, ...argv] = run.command;
  const child = spawn(program!, argv, { stdio: ['ignore', run.fifo, 'pipe'] });
  let stopped = false;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => {
      stopped = true;
      child.kill('SIGTERM');
    });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_SAID);
  });
  let code: number | null;
  let signal: NodeJS.Signals | null;
  try {
    [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  } catch (cause) {
    throw new WeftError('CAPTURE_FAILED', `Cannot start ${program}: ${messageOf(cause)}`, { cause });
  }
  if (code !== 0 && !stopped && signal !== 'SIGPIPE' && !hasLostReader(said)) throw failure(run, code, said);
}

/**
 * Opens Wireshark's pipe; first of all, since Wireshark waits for that also where nothing can be captured. It stays open until
 * this process ends: at its end Wireshark looks no longer for what we have to say. It makes no file where there is no pipe.
 * Throws WeftError FIFO_NOT_OPENED.
 */
export function openFifo(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY);
  } catch (cause) {
    throw new WeftError('FIFO_NOT_OPENED', `Cannot open Wireshark's pipe: ${messageOf(cause)}`, { cause });
  }
}

/** Wireshark has what it wanted: a count, a time, a click on its button. */
function hasLostReader(said: string): boolean {
  return /^(?:weft: Nobody reads standard output|client_loop: send disconnect: Broken pipe)/m.test(said);
}

const SSH_FAILED = 255;
const NOT_FOUND = 127;

/** The sentence of the dialogue, and beneath it what to do. */
export function failure(
  { command, host, sudo }: Omit<CaptureRun, 'fifo'>,
  code: number | null,
  said: string,
): WeftError {
  const lines = said
    .split('\n')
    .map((line) => line.replace(/^weft: /, '').trim())
    .filter(
      (line) =>
        line !== '' && !/^capturing on |^showing what |^[\d,]+ (?:dropped )?packets? (?:written )?of /.test(line),
    );
  const words = lines.join('\n') || `${command[0]} ended with ${code === null ? 'a signal' : `exit code ${code}`}`;
  const hint = hintFor(words, code, host, sudo);
  return new WeftError(
    'CAPTURE_FAILED',
    host === undefined ? words : `On ${host}: ${words}`,
    hint === undefined ? {} : { hint },
  );
}

function hintFor(words: string, code: number | null, host: string | undefined, sudo: boolean): string | undefined {
  if (host !== undefined && code === SSH_FAILED)
    return `ssh may not ask for anything here: \`ssh ${host} true\` in a terminal has to work without a question`;
  if (host !== undefined && code === NOT_FOUND)
    return 'Give its path in the field "weft on the remote host", or put weft into the PATH that ssh has there';
  if (host !== undefined && words.includes("unknown command 'capture'")) return 'The weft there is older than this one';
  if (sudo && /password|sudo:/.test(words))
    return 'sudo may not ask here: allow `weft capture` without a password (docs/wireshark.md), or leave "With sudo" off';
  if (!sudo && /permi|CAP_NET_RAW/i.test(words))
    return 'Tick "With sudo" in the options of this interface, or start Wireshark as root';
  return undefined;
}

const ETHERNET = 1;

/** Wireshark takes what is printed about a filter as the reason why it is none; '' for a good one, or where nobody can tell. */
export function checkFilter(text: string): string {
  try {
    if (text !== '') compileFilter(text, ETHERNET);
    return '';
  } catch (error) {
    return error instanceof WeftError && error.code === 'BAD_FILTER' ? `${error.message}\n` : '';
  }
}
