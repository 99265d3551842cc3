import { Command } from 'commander';
import { WeftError } from '../../error.ts';
import { servePoints } from '../../observe/trace/far-side.ts';
import { leastSize } from '../../observe/trace/probe.ts';
import { trace } from '../../observe/trace/trace.ts';
import { printableAll, toJson } from '../../printable.ts';
import { seconds, wholeNumber } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { terminalStyle } from '../style.ts';
import { formatTrace } from '../trace-text.ts';

interface TraceCommandOptions extends QueryOptions {
  readonly from?: string;
  readonly port?: number;
  readonly tcp?: boolean;
  readonly udp?: boolean;
  readonly size?: number;
  readonly far?: string;
  readonly timeout: number;
}

/** `weft trace`. Exit code 1 when the probe does not arrive. */
export function traceCommand(): Command {
  return addQueryOptions(new Command('trace'), {
    network: 'one of several networks; default: the first that has the address',
  })
    .description('Why can this pod not reach that pod: what the tables say, then one packet followed on its way')
    .argument('<destination>', "a pod's IPv4 address, or a peer's public IP, which means its device")
    .option('--from <address>', 'send from the pod of this host that has this address; default: from the host')
    .option('--port <n>', 'send to this port instead of an echo', wholeNumber(1, 65_535))
    .option('--tcp', 'with --port: a SYN (default)')
    .option('--udp', 'with --port: a datagram')
    .option(
      '--size <bytes>',
      'of the IP packet; default: 84, then as large as the device takes',
      wholeNumber(28, 65_535),
    )
    .option('--timeout <seconds>', 'how long an answer may take', seconds(0.05, 60), 1)
    .option('--far <host>', 'look on the other host too, by "weft" there over ssh; netns:NAME is a namespace here')
    .addHelpText(
      'after',
      `
Sends one packet, or two, and looks for it at each point: pod, bridge, overlay device, underlay. Needs root.

Examples:
  weft trace 10.244.32.2 --from 10.244.78.2          from one pod to another
  weft trace 192.0.2.2                               from this host to a peer
  weft trace 10.244.32.2 --port 80 --far 192.0.2.2   TCP, and looked at on both hosts

Exit code: 0 when it arrives, 1 when it does not; the last line says where and why.`,
    )
    .action(async (destination: string, options: TraceCommandOptions) => {
      const transport = transportOf(options);
      requireSize(options.size, transport);
      const report = await trace({
        destination,
        from: options.from,
        network: options.network,
        controlSocket: options.controlSocket,
        transport,
        port: options.port ?? 0,
        size: options.size,
        timeoutMs: options.timeout * 1000,
        far: options.far,
      });
      process.stdout.write(
        options.json === true
          ? `${toJson(report, 2)}\n`
          : formatTrace(printableAll(report), terminalStyle(process.stdout, process.env)),
      );
      if (!report.answer.arrived) process.exitCode = 1;
    });
}

function transportOf({ port, tcp, udp }: TraceCommandOptions): 'icmp' | 'tcp' | 'udp' {
  if (tcp === true && udp === true) throw new WeftError('USAGE', '--tcp and --udp exclude each other');
  if (port !== undefined) return udp === true ? 'udp' : 'tcp';
  if (tcp === true || udp === true) throw new WeftError('USAGE', '--tcp and --udp need a --port');
  return 'icmp';
}

function requireSize(size: number | undefined, transport: 'icmp' | 'tcp' | 'udp'): void {
  const least = leastSize(transport);
  if (size !== undefined && size < least)
    throw new WeftError('USAGE', `--size ${size} is less than its headers, ${least} bytes`);
}

/** The other end of `weft trace --far`: reads requests on standard input. */
export function tracePointsCommand(): Command {
  return new Command('trace-points')
    .description('The far end of weft trace --far: answers its questions on standard input and output')
    .action(async () => {
      await servePoints(process.stdin, (line) => process.stdout.write(line));
    });
}
