/** `weft wireshark`: what Wireshark needs to show this overlay, and to capture on it. */
import { Command } from 'commander';
import { askDaemon } from '../../control/client.ts';
import { printableLines } from '../../printable.ts';
import { readDissector } from '../../wireshark/dissector.ts';
import { formatLeases, type NetworkLeases } from '../../wireshark/leases.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';

export function wiresharkCommand(): Command {
  const wireshark = new Command('wireshark').description('Show and capture this overlay in Wireshark');
  wireshark
    .command('lua')
    .description('print the dissector, to be used on any machine')
    .action(() => {
      process.stdout.write(readDissector());
    });
  addQueryOptions(wireshark.command('leases'))
    .description('print who has which subnet, for the dissector to check senders against')
    .action(async (options: QueryOptions) => {
      process.stdout.write(printableLines(formatLeases(await askLeases(options))));
    });
  return wireshark;
}

/** Of all networks, or of the one that was named. */
async function askLeases({ controlSocket, network }: QueryOptions): Promise<NetworkLeases[]> {
  const { networks } = await askDaemon(controlSocket, '/v1/status', network);
  const wanted = network === undefined ? networks : networks.filter(({ name }) => name === network);
  return Promise.all(
    wanted.map(async (report) => {
      const named = report.name === '' ? undefined : report.name;
      const { peers } = await askDaemon(controlSocket, '/v1/peers', named);
      return { report, peers };
    }),
  );
}
