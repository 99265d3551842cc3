import { Command, Option } from 'commander';
import { CaptureReader } from '../../capture/capture-reader.ts';
import { isKnownLinkType } from '../../capture/link-layer.ts';
import { WeftError } from '../../error.ts';
import { readLeases } from '../../observe/verify/leases-file.ts';
import { verifyLive } from '../../observe/verify/live.ts';
import { USUAL_MTU, usualNetworks, type VerifiedNetwork } from '../../observe/verify/networks.ts';
import { type VerifyReport, verifyReport } from '../../observe/verify/report.ts';
import { VerifyTally } from '../../observe/verify/tally.ts';
import { printable, toJson } from '../../printable.ts';
import { seconds, wholeNumber } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { terminalStyle } from '../style.ts';
import { formatVerify } from './verify-report.ts';

interface VerifyOptions extends QueryOptions {
  readonly read?: string;
  readonly leases?: string;
  readonly seconds: number;
  readonly mtu?: number;
}

const MIN_MTU = 68;
const MAX_MTU = 65_535;

/** `weft verify`. Exit code 1 when a check failed, or when there was nothing to check. */
export function verifyCommand(): Command {
  return addQueryOptions(new Command('verify'), { network: 'one of several networks; default: all of them' })
    .description('Check every encapsulated packet: headers, checksums, VNI, whose addresses, MTU')
    .option('--read <file>', 'check a capture file (pcap, pcapng; - is standard input), not what passes now')
    .option('--leases <file>', 'with --read: whose addresses are whose; what "etcdctl get --prefix" printed')
    .addOption(
      new Option('--seconds <number>', 'how long to look, 0: until Ctrl-C').argParser(seconds(0, 86_400)).default(10),
    )
    .option('--mtu <bytes>', "with --read: the underlay's MTU (default 1500)", wholeNumber(MIN_MTU, MAX_MTU))
    .addHelpText(
      'after',
      `
Without --read it looks at the underlay of the running daemon's networks (root, or CAP_NET_RAW), and knows the leases.
Offloads are no faults: in a file, checksums that a NIC would have finished and packets that it would have cut are
counted; on a live interface they are finished and cut first, as on the wire. The probes of peer monitors are left out.

Exit code: 0 when all that was checked is right, 1 when a check failed or there was nothing to check, 2 wrong usage.`,
    )
    .action(async (options: VerifyOptions) => {
      const report = options.read === undefined ? await live(options) : verifyFile(options.read, options);
      const text =
        options.json === true
          ? `${toJson(report, 2)}\n`
          : formatVerify(report, terminalStyle(process.stdout, process.env));
      process.stdout.write(text);
      if (!report.ok) process.exitCode = 1;
    });
}

async function live(options: VerifyOptions): Promise<VerifyReport> {
  for (const [name, value] of [
    ['--leases', options.leases],
    ['--mtu', options.mtu],
  ] as const) {
    if (value !== undefined) throw new WeftError('USAGE', `${name} is for --read: the daemon knows its own`);
  }
  const { controlSocket, network, seconds: duration } = options;
  return verifyLive({
    controlSocket,
    network,
    seconds: duration,
    onLooking: (source, stop) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
      const time = duration === 0 ? '' : ` for ${duration} s`;
      process.stderr.write(`Looking at ${printable(source)}${time}; Ctrl-C ends it and reports\n`);
    },
  });
}

function verifyFile(path: string, { leases, mtu = USUAL_MTU }: VerifyOptions): VerifyReport {
  const networks: readonly VerifiedNetwork[] = leases === undefined ? usualNetworks(mtu) : [readLeases(leases, mtu)];
  const tally = new VerifyTally(networks, false);
  const reader = CaptureReader.open(path);
  const strange = new Map<number, number>();
  for (const packet of reader.packets()) {
    if (!isKnownLinkType(packet.linkType)) strange.set(packet.linkType, (strange.get(packet.linkType) ?? 0) + 1);
    else tally.add({ ...packet, where: () => `frame ${packet.number}` });
  }
  const notChecked = [
    ...(leases === undefined ? ['whose address is whose: no --leases were given'] : []),
    ...strangeLines(strange),
    ...(reader.problem === undefined ? [] : [`the rest of the file: ${reader.problem}`]),
  ];
  return verifyReport(tally, { source: path, seconds: null, lost: 0, notChecked });
}

/** Our choice: a file may name any number of them. */
const MOST_LINK_TYPES = 5;

function strangeLines(strange: ReadonlyMap<number, number>): string[] {
  const lines = [...strange].map(([type, count]) => `${count} frames of link type ${type}, which is not known here`);
  const more = lines.length - MOST_LINK_TYPES;
  return more <= 0 ? lines : [...lines.slice(0, MOST_LINK_TYPES), `frames of ${more} more link types`];
}
