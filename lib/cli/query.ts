/** What the commands that ask the daemon have in common: their options, and printing a reply. */
import { type Command, Option } from 'commander';
import { askDaemon } from '../control/client.ts';
import { type ControlPath, type ControlReplies, DEFAULT_CONTROL_SOCKET } from '../control/protocol.ts';
import { printableAll, toJson } from '../printable.ts';

export interface QueryOptions {
  readonly json?: boolean;
  readonly controlSocket: string;
  readonly network?: string;
}

/** What a command means by its options, where that is not what most mean. */
export interface QueryWords {
  readonly network?: string;
  readonly json?: string;
}

export function addQueryOptions(command: Command, words: QueryWords = {}): Command {
  const { json = 'print JSON with stable keys instead of a table' } = words;
  return addDaemonOptions(command, words).option('--json', json);
}

/** Of a command that prints the same for people and for programs. */
export function addDaemonOptions(
  command: Command,
  { network = 'one of several networks; default: the first' }: QueryWords = {},
): Command {
  return command.option('--network <name>', network).addOption(controlSocketOption("the daemon's unix socket"));
}

export function controlSocketOption(description: string): Option {
  return new Option('--control-socket <path>', description).env('WEFT_CONTROL_SOCKET').default(DEFAULT_CONTROL_SOCKET);
}

/** Asks the daemon once and prints its reply on standard output, as JSON or by `format`. Returns the reply. */
export async function printReply<Path extends ControlPath>(
  path: Path,
  options: QueryOptions,
  format: (reply: ControlReplies[Path]) => string,
): Promise<ControlReplies[Path]> {
  const reply = await askDaemon(options.controlSocket, path, options.network);
  process.stdout.write(options.json === true ? `${toJson(reply, 2)}\n` : format(printableAll(reply)));
  return reply;
}
