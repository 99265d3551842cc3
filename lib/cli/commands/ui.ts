/** `weft ui`: a page that shows a running node, served on this machine. */
import { Command } from 'commander';
import { WeftError } from '../../error.ts';
import { printable, printableLines } from '../../printable.ts';
import { authorityOf, DEFAULT_PORT, type ListenAddress, parseListen } from '../../ui/listen-address.ts';
import { startUi } from '../../ui/server.ts';
import { readVersion } from '../../version.ts';
import { dropReasonWords } from '../drop-words.ts';
import { addDaemonOptions } from '../query.ts';

interface UiCommandOptions {
  readonly listen: string;
  readonly allowRemote?: boolean;
  readonly controlSocket: string;
  readonly tapSocket?: string;
  readonly network?: string;
}

export function uiCommand(): Command {
  return addDaemonOptions(new Command('ui'))
    .description('Show this node in a browser: peers, traffic, drops, packets and their headers')
    .option('--listen <address>', 'address and port; port 0: any that is free', `127.0.0.1:${DEFAULT_PORT}`)
    .option('--allow-remote', 'let --listen be an address that other machines reach: nothing is encrypted')
    .option('--tap-socket <path>', "the daemon's tap; default: where the daemon says it is")
    .addHelpText(
      'after',
      `
Prints an address with a token that is good once, for one browser. Nothing on the page changes the daemon. It needs no root
for members of the groups of weftd's -control-group and -tap-group; without the second there is no list of packets.

Examples:
  weft ui
  weft ui --listen 127.0.0.1:0    on any free port
  ssh -L 8286:localhost:8286 NODE weft ui    from another machine, encrypted`,
    )
    .action(run);
}

async function run(options: UiCommandOptions): Promise<void> {
  const listen = chosenAddress(options);
  const ui = await startUi({
    listen,
    controlSocket: options.controlSocket,
    tapSocket: options.tapSocket,
    network: options.network ?? '',
    version: readVersion(),
    dropReasons: dropReasonWords(),
  });
  if (!listen.isLoopback)
    process.stderr.write(
      "weft: Nothing is encrypted: whoever sees this address, or the traffic to it, can read packets' headers\n",
    );
  process.stdout.write(`${ui.url}\n`);
  process.stderr.write('Open it in a browser; Ctrl-C ends it\n');
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await ui.close();
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
