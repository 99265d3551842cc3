import { setPriority } from 'node:os';
import { Command, Option } from 'commander';
import { askDaemon } from '../../control/client.ts';
import { MAX_TAP_SNAP, tapSocketBeside } from '../../control/tap-protocol.ts';
import { WeftError } from '../../error.ts';
import { fitText } from '../../fit-text.ts';
import { isStream } from '../../observe/capture-files.ts';
import { netnsOfDaemon } from '../../observe/daemon-netns.ts';
import { type Edge, edgesOf } from '../../observe/edges.ts';
import { FileOutput, LineOutput, type PcapngOptions, PcapngStream } from '../../observe/outputs.ts';
import { checkOuterFilter, chooseEdges, InnerFilter, notOfSession, ownSession } from '../../observe/packet-choice.ts';
import { PacketNotes } from '../../observe/packet-notes.ts';
import { choosePeer, type NetworkPeers, namedPeers } from '../../observe/peer-choice.ts';
import { type PacketOutput, runCapture } from '../../observe/run-capture.ts';
import { StreamSink } from '../../observe/stream-sink.ts';
import { runTap } from '../../observe/tap-capture.ts';
import { printable } from '../../printable.ts';
import { formatCount } from '../../units.ts';
import { readVersion } from '../../version.ts';
import { DROP_REASON_NAMES, explainDrop } from '../drop-words.ts';
import { seconds, wholeNumber } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { endLines, startLine } from './capture-report.ts';

interface CaptureOptions extends QueryOptions {
  readonly write?: string;
  readonly inner?: string;
  readonly peer?: string;
  readonly edge?: string;
  readonly snapLength: number;
  readonly count?: number;
  readonly duration?: number;
  readonly fileSize?: number;
  readonly rotateSeconds?: number;
  readonly files?: number;
  readonly ringMib: number;
  readonly raw?: boolean;
  readonly wide?: boolean;
  readonly ownSession?: boolean;
  readonly dropped?: boolean;
  readonly reason?: string;
  readonly tapSocket?: string;
}

const WHOLE = 262_144;
/** 24 days: timers and poll(2) count milliseconds in 31 bits. */
const MOST_SECONDS = 2_147_483;
const USUAL_COLUMNS = 80;
/** Our choice: below it there is no room for anything but time and device. */
const LEAST_COLUMNS = 60;

/** `weft capture`. Exit code 1 when it ended by an error. */
export function captureCommand(): Command {
  return addQueryOptions(new Command('capture'), {
    network: 'one of several networks; default: all of them',
    json: 'print a JSON object with stable keys for each packet, one a line',
  })
    .description(
      'Show or write the packets of a node, on the overlay and on the underlay at once, as they are on the wire',
    )
    .argument('[filter...]', 'of outer packets, on the underlay: pcap-filter(7), as for tcpdump')
    .option('-w, --write <file>', 'write pcapng instead of lines; - for standard output')
    .option('--inner <filter>', 'of inner packets, on both edges: pcap-filter(7)')
    .option('--peer <peer>', "packets to and from a peer: its public IP, its subnet, or a pod's address")
    .option('--dropped', 'packets that weftd dropped, with the reason: by its tap, not on the edges')
    .option('--reason <reason>', 'only those dropped for one reason, such as no-route; implies --dropped')
    .addOption(
      new Option('--tap-socket <path>', "the daemon's tap; default: beside its control socket").env('WEFT_TAP_SOCKET'),
    )
    .option('--edge <edge>', 'overlay, underlay or a device; default: all')
    .option('-s, --snap-length <bytes>', 'keep at most so much of each packet', wholeNumber(64, WHOLE), WHOLE)
    .option('-c, --count <n>', 'end after so many packets', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--duration <seconds>', 'end after this time', seconds(0.1, MOST_SECONDS))
    .option('-C, --file-size <MB>', 'begin another file after so many million bytes', wholeNumber(1, 1_000_000))
    .option(
      '-G, --rotate-seconds <s>',
      'begin another file after so many seconds; its name may hold %Y%m%d%H%M%S',
      wholeNumber(1, MOST_SECONDS),
    )
    .option(
      '-W, --files <n>',
      'with -C a ring of so many files, with -G alone end after so many',
      wholeNumber(1, 100_000),
    )
    .option('--ring-mib <MiB>', 'memory of the kernel for packets that wait, for each edge', wholeNumber(2, 1024), 32)
    .option('--raw', 'leave super-packets and trains as the kernel has them: they never are on a wire')
    .option('--wide', 'lines as long as they are, not as wide as the terminal, else of 80 columns')
    .option('--own-session', 'also the packets of the ssh session this runs in')
    .addHelpText('after', HELP)
    .action(async (filter: string[], options: CaptureOptions) => {
      await capture(filter.join(' '), options);
    });
}

const HELP = `
Needs root, or CAP_NET_RAW and the right to use the daemon's socket. Files are for their owner alone (0600), follow no
symbolic link and replace nothing but captures.

Examples:
  weft capture                                     every packet, on both edges
  weft capture --inner 'icmp and host 10.244.2.2'  pings of one pod
  weft capture --peer 192.0.2.2 -c 10              ten packets to or from a peer
  weft capture --reason no-route                   what weftd drops for want of a route
  weft capture -w node.pcapng -s 128 --duration 60 headers for a minute
  weft capture -w ring.pcapng -C 100 -W 10         the last 1000 MB
  weft capture -w - | wireshark -k -i -            alive in Wireshark
  ssh root@node weft capture -w - | wireshark -k -i -

Exit code: 0 when it ended as asked or by Ctrl-C, 1 by an error.`;

async function capture(outerFilter: string, options: CaptureOptions): Promise<void> {
  checkUsage(outerFilter, options);
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  const status = await askDaemon(options.controlSocket, '/v1/status');
  const chosen = chooseEdges(edgesOf(status, netnsOfDaemon(status.pid).path), options.network, options.edge);
  const peers = await peersOf(chosen, options.controlSocket);
  const peer = options.peer === undefined ? undefined : choosePeer(peers, options.peer);
  const edges = chosen.filter((edge) => peer === undefined || peer.filterOn(edge) !== undefined);
  const inner = options.inner === undefined ? undefined : new InnerFilter(options.inner);
  const isOfOthers = notOfSession(options.ownSession === true ? undefined : ownSession(process.env, process.pid));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, onSignal);
  hurry();
  const output = await openOutput(options, new PacketNotes(namedPeers(peers)), abort.signal).catch(endedBy);
  if (output === undefined) return;
  if (options.dropped === true || options.reason !== undefined) {
    const result = await runTap({
      socketPath: options.tapSocket ?? tapSocketBeside(options.controlSocket),
      network: options.network,
      networks: edges.flatMap(({ networks }) => networks),
      snapLength: Math.min(options.snapLength, MAX_TAP_SNAP),
      reason: options.reason,
      peers: peer?.publicIps,
      output,
      matches: (packet) => inner?.matches(packet) ?? true,
      count: options.count,
      seconds: options.duration,
      signal: abort.signal,
      onStart: () => say('showing what weftd drops; Ctrl-C ends it'),
    });
    say(
      `${formatCount(result.shown)} dropped ${result.shown === 1 ? 'packet' : 'packets'} of ${formatCount(result.seen)} seen; ${formatCount(result.lost)} not read in time`,
    );
    for (const [reason, count] of [...result.reasons].sort(([, a], [, b]) => b - a))
      for (const line of fitText(`${formatCount(count)} ${explainDrop(reason)}`, 74).split('\n')) say(line);
    endedBy(result.error);
    return;
  }
  const result = await runCapture({
    edges,
    options: {
      snapLength: options.snapLength,
      ringBytes: options.ringMib * 1024 * 1024,
      ...(options.raw === true && { raw: true }),
      filter: (edge) => {
        const parts = [peer?.filterOn(edge), edge.kind === 'underlay' ? outerFilter : undefined];
        return parts
          .filter((part) => part !== undefined && part !== '')
          .map((part) => `(${part})`)
          .join(' and ');
      },
    },
    output,
    matches: (packet) => (inner?.matches(packet) ?? true) && isOfOthers(packet),
    count: options.count,
    seconds: options.duration,
    signal: abort.signal,
    onStart: (started) => say(startLine(started, options.write)),
    onGone: (edge) => say(`${edge.kind} device "${edge.device}" is gone: its packets are not seen any more`),
  });
  for (const line of endLines(result, options, output)) say(line);
  endedBy(result.error);
  if (result.goneEdges.length === edges.length)
    throw new WeftError('DEVICE_GONE', 'No device is left to capture on', { hint: 'see weft status' });
}

/** Of the networks that pass there. One that is not ready has none. */
function peersOf(edges: readonly Edge[], controlSocket: string): Promise<NetworkPeers[]> {
  const names = new Set(edges.flatMap(({ networks }) => networks.map(({ name }) => name)));
  return Promise.all(
    [...names].map(async (network) => {
      const reply = askDaemon(controlSocket, '/v1/peers', network === '' ? undefined : network);
      const { peers } = await reply.catch(() => ({ peers: [] }));
      return { network, peers };
    }),
  );
}

/** Output cut by the reader, as in `| head` or by closing Wireshark, is an end as good as Ctrl-C. */
function endedBy(error: unknown): undefined {
  if (error === undefined) return;
  if (!(error instanceof WeftError) || error.code !== 'READER_GONE') throw error;
  say(error.message);
}

function checkReason(reason: string | undefined): void {
  if (reason === undefined || DROP_REASON_NAMES.includes(reason)) return;
  throw new WeftError('USAGE', `"${reason}" is no drop reason`, { hint: `There are ${DROP_REASON_NAMES.join(', ')}` });
}

/** What needs neither a daemon nor rights. Throws USAGE, BAD_FILTER. */
function checkUsage(outerFilter: string, options: CaptureOptions): void {
  checkReason(options.reason);
  const usage = (message: string): never => {
    throw new WeftError('USAGE', message);
  };
  const rotates = options.fileSize !== undefined || options.rotateSeconds !== undefined || options.files !== undefined;
  if (rotates && (options.write === undefined || options.write === '-'))
    usage('-C, -G and -W are about files: give -w a name');
  if (options.files !== undefined && options.fileSize === undefined && options.rotateSeconds === undefined)
    usage('-W is about several files: give -C or -G with it');
  if (options.write === '-' && process.stdout.isTTY)
    usage('-w - writes bytes that a terminal cannot show: give it a reader, as in | wireshark -k -i -');
  if (options.write !== undefined && options.json === true)
    usage('-w writes pcapng, and --json lines: give one of them');
  if (outerFilter === '') return;
  if (options.dropped === true || options.reason !== undefined)
    usage('What weftd drops has no outer packet to filter: give the filter of inner packets with --inner');
  checkOuterFilter(outerFilter);
}

async function openOutput(options: CaptureOptions, notes: PacketNotes, signal: AbortSignal): Promise<PacketOutput> {
  const { write } = options;
  const pcapng: PcapngOptions = { application: `weft ${readVersion()}`, snapLength: options.snapLength, notes };
  if (write === '-') return new PcapngStream(StreamSink.ofStandardOutput(), pcapng);
  if (write !== undefined && isStream(write)) return new PcapngStream(await StreamSink.ofPipe(write, signal), pcapng);
  if (write === undefined)
    return new LineOutput(
      StreamSink.ofStandardOutput(),
      options.json === true ? 'json' : options.wide === true ? 0 : columnsOf(process.stdout),
    );
  const rotation = {
    bytes: options.fileSize === undefined ? undefined : options.fileSize * 1e6,
    seconds: options.rotateSeconds,
    files: options.files,
  };
  return new FileOutput(write, rotation, pcapng);
}

/** Of a wide terminal all of them; of anything else what fits one. */
function columnsOf({ isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number }): number {
  return isTTY === true && columns !== undefined ? Math.max(columns, LEAST_COLUMNS) : USUAL_COLUMNS;
}

/** Our choice: before ordinary processes and behind weftd's threads (-19). Who is not called in time loses packets. */
const PRIORITY = -10;

function hurry(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // Without CAP_SYS_NICE it goes as it goes: what is lost is counted.
  }
}

/** Standard output is the packets'. */
function say(line: string): void {
  process.stderr.write(`weft: ${printable(line, 2000)}\n`);
}
