import { Command } from 'commander';
import { measureOverhead } from '../../observe/overhead/overhead.ts';
import { printable, printableAll, toJson } from '../../printable.ts';
import { seconds } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { formatOverhead } from './overhead-report.ts';

interface OverheadCommandOptions extends QueryOptions {
  readonly seconds: number;
}

/** `weft overhead`. */
export function overheadCommand(): Command {
  return addQueryOptions(new Command('overhead'))
    .description('What user space costs now: time of each packet in weftd, where it goes, CPU for it')
    .option('--seconds <number>', 'how long to look, 0: until Ctrl-C', seconds(0, 86_400), 10)
    .addHelpText(
      'after',
      `
Each inner packet is looked for on the overlay's device and on the underlay, by the kernel's clock; the probes of peer
monitors are left out. It needs traffic, and root (or CAP_NET_RAW). "in the queue" is what the stages leave of the p50:
the packet waits in the device's or the socket's queue until weftd runs.

Examples:
  weft overhead                  ten seconds
  weft overhead --seconds 60 --json`,
    )
    .action(async (options: OverheadCommandOptions) => {
      const { controlSocket, network, seconds: duration } = options;
      const report = await measureOverhead({
        controlSocket,
        network,
        seconds: duration,
        onLooking: (source, stop) => {
          for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
          const time = duration === 0 ? '' : ` for ${duration} s`;
          process.stderr.write(`Looking at ${printable(source)}${time}; Ctrl-C ends it and reports\n`);
        },
      });
      process.stdout.write(options.json === true ? `${toJson(report, 2)}\n` : formatOverhead(printableAll(report)));
    });
}
