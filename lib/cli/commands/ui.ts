/** `weft ui`: a page that shows a running node, served on this machine. */
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import { askDaemon } from '../../control/client.ts';
import { WeftError } from '../../error.ts';
import { BACKEND_NAMES, type BackendName } from '../../lab/backends.ts';
import { printable, printableLines } from '../../printable.ts';
import { authorityOf, DEFAULT_PORT, type ListenAddress, parseListen } from '../../ui/listen-address.ts';
import { startUi, type Ui } from '../../ui/server.ts';
import { readVersion } from '../../version.ts';
import { dropReasonWords } from '../drop-words.ts';
import { wholeNumber } from '../numbers.ts';
import { addDaemonOptions } from '../query.ts';
import { runLab } from './ui-lab.ts';

interface UiCommandOptions {
  readonly listen: string;
  readonly allowRemote?: boolean;
  readonly controlSocket: string;
  readonly tapSocket?: string;
  readonly network?: string;
  readonly lab?: true;
  readonly hosts: number;
  readonly backend: BackendName;
}

/** Our choice: more have no room on one machine, and none in a picture. */
const MOST_LAB_HOSTS = 20;

export function uiCommand(): Command {
  return addDaemonOptions(new Command('ui'))
    .description('Show this node in a browser: peers, traffic, drops, packets and their headers')
    .option('--listen <address>', 'address and port; port 0: any that is free', `127.0.0.1:${DEFAULT_PORT}`)
    .option('--allow-remote', 'let --listen be an address that other machines reach: nothing is encrypted')
    .option('--tap-socket <path>', "the daemon's tap; default: where the daemon says it is")
    .option('--lab', 'start a lab with traffic first, and look at its host 1; it ends with the command (needs root)')
    .option('--hosts <n>', 'with --lab', wholeNumber(2, MOST_LAB_HOSTS), 2)
    .addOption(new Option('--backend <type>', 'with --lab').choices(BACKEND_NAMES).default('udp'))
    .addHelpText(
      'after',
      `
Prints an address with a token that is good once, for one browser. Nothing on the page changes the daemon. It needs no root
for members of the groups of weftd's -control-group and -tap-group; without the second there is no list of packets.

Examples:
  weft ui
  weft ui --lab                   try it: two hosts on this machine, with traffic
  weft ui --listen 127.0.0.1:0    on any free port
  ssh -L 8286:localhost:8286 NODE weft ui    from another machine, encrypted`,
    )
    .action(run);
}

async function run(options: UiCommandOptions): Promise<void> {
  const listen = chosenAddress(options);
  const serve = (controlSocket: string, rest: Pick<UiCommandOptions, 'tapSocket' | 'network'>): Promise<Ui> =>
    startUi({
      listen,
      controlSocket,
      tapSocket: rest.tapSocket,
      network: rest.network ?? '',
      version: readVersion(),
      host: options.lab === true ? 'host 1' : hostname(),
      dropReasons: dropReasonWords(),
    });
  if (options.lab === true) {
    const { hosts, backend } = options;
    await runLab({
      hosts,
      backend,
      serve: (controlSocket) => serve(controlSocket, {}),
      onReady: (ui) => announce(ui, listen),
      pid: process.pid,
    });
    return;
  }
  const ui = await serve(options.controlSocket, options);
  announce(ui, listen);
  await sayWithoutDaemon(options);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await ui.close();
}

/** The page says it too, and waits; who has given a wrong path sees it here before a browser is open. */
async function sayWithoutDaemon({ controlSocket, network }: UiCommandOptions): Promise<void> {
  try {
    await askDaemon(controlSocket, '/v1/status', network);
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    const hint = error.hint === undefined ? '' : `${error.hint}\n`;
    process.stderr.write(printableLines(`weft: ${error.message}\n${hint}The page waits for it\n`));
  }
}

function announce({ url }: Ui, { isLoopback }: ListenAddress): void {
  if (!isLoopback)
    process.stderr.write(
      "weft: Nothing is encrypted: whoever sees this address, or the traffic to it, can read packets' headers\n",
    );
  process.stdout.write(`${url}\n`);
  process.stderr.write('Open it in a browser; Ctrl-C ends it\n');
}

function chosenAddress({ listen, allowRemote }: UiCommandOptions): ListenAddress {
  const address = parseListen(listen);
  if (address === undefined)
    throw new WeftError('USAGE', `Cannot listen on "${printable(listen)}": it is no address with a port`, {
      hint: 'for example --listen 127.0.0.1:8286 or --listen [::1]:8286',
    });
  if (!address.isLoopback && allowRemote !== true)
    throw new WeftError(
      'USAGE',
      `Cannot listen on ${printableLines(authorityOf(address))}: other machines reach it, and nothing is encrypted`,
      { hint: 'through ssh it is: ssh -L 8286:localhost:8286 THIS_NODE; else give --allow-remote' },
    );
  return address;
}
