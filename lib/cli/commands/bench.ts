import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FAR_TESTS, type FarTest } from '../../bench/far/far-report.ts';
import { LONGEST_TRIAL } from '../../bench/far/requests.ts';
import { SCALES, type ScaleName, SETTINGS, type Setting, TESTS, type TestName } from '../../bench/matrix.ts';
import { PATHS, type PathName, setupOf } from '../../bench/paths.ts';
import { checkFlanneld, findProgram } from '../../bench/programs.ts';
import { type BenchOptions, runBench } from '../../bench/run.ts';
import { WeftError } from '../../error.ts';
import { requireRoot } from '../../lab/command.ts';
import { printableAll, printableLines } from '../../printable.ts';
import { seconds, wholeNumber } from '../numbers.ts';
import { controlSocketOption } from '../query.ts';
import { measureWithPeer, serveBench } from './bench-far.ts';
import { formatFarReport } from './bench-far-report.ts';
import { printReport, requireRoom, requireWritable, writeHtml, writeHtmlOf } from './bench-output.ts';
import { formatReport } from './bench-report.ts';

interface BenchCommandOptions {
  readonly rounds?: number;
  readonly seconds?: number;
  readonly udpSeconds?: number;
  readonly pings?: number;
  readonly settings?: readonly Setting[];
  readonly paths?: readonly PathName[];
  /** What --paths was called before. */
  readonly contenders?: readonly PathName[];
  readonly tests?: readonly (TestName | ScaleName)[];
  readonly quick?: boolean;
  readonly budget?: number;
  readonly serve?: string;
  readonly peer?: string;
  readonly tokenFile?: string;
  readonly controlSocket: string;
  readonly flanneld?: string;
  /** true: to standard output. */
  readonly json?: string | true;
  readonly html?: string;
  readonly read?: string;
}

interface Preset {
  readonly rounds: number;
  readonly seconds: number;
  readonly udpSeconds: number;
  readonly pings: number;
  /** Seconds for the whole run. */
  readonly budget?: number;
}

const FULL: Preset = { rounds: 5, seconds: 2, udpSeconds: 0.5, pings: 500 };
/** Enough to see that everything runs; not enough to believe a number. */
const QUICK: Preset = { rounds: 1, seconds: 1, udpSeconds: 0.2, pings: 100, budget: 60 };
const PING_INTERVAL_SECONDS = 0.002;

/** `weft bench`. Exit code 1 when a measurement failed; a missed threshold is a result, not a failure. */
export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'Measure every backend, kernel VXLAN, plain routing and the direct path against each other, in a lab of their own',
    )
    .addOption(count('--rounds <n>', 'interleaved rounds', FULL.rounds))
    .addOption(count('--seconds <s>', 'of each TCP run', FULL.seconds))
    .addOption(duration('--udp-seconds <s>', 'of each trial in the search for the loss-free rate', FULL.udpSeconds))
    .addOption(count('--pings <n>', 'echoes for each round-trip time', FULL.pings))
    .addOption(list('--settings <list>', 'conditions', SETTINGS))
    .addOption(list('--paths <list>', 'paths', PATHS))
    .addOption(list('--contenders <list>', 'paths', PATHS).hideHelp())
    .addOption(list('--tests <list>', 'what to measure', [...TESTS, ...SCALES]))
    .option('--quick', `a first look: ${describe(QUICK)}`)
    .addOption(
      new Option(
        '--budget <s>',
        `end within so many seconds, with less measured if need be (with --quick: ${QUICK.budget})`,
      ).argParser(seconds(10, 1_000_000)),
    )
    .option('--peer <host[:port]>', 'measure between this machine and the one where weft bench --serve runs')
    .option('--serve <address[:port]>', 'be the far side: wait at this address of this machine, print a token')
    .option(
      '--token-file <file>',
      'the token that the far side has printed; else WEFT_BENCH_TOKEN, else it is asked for',
    )
    .addOption(controlSocketOption('of the weftd whose overlay --peer measures, and --serve shows'))
    .option('--flanneld <file>', 'measure this flanneld too (default: that on PATH, if there is one)')
    .option('--json [file]', 'print JSON with stable keys, or write it to a file beside the table')
    .option('--html <file>', 'write the report with pictures too: one file that needs nothing else')
    .option('--read <file>', 'measure nothing: make the --html of a report that --json wrote')
    .addHelpText(
      'after',
      `
Needs root, etcd, iperf3, ping, tc and ethtool. It makes network namespaces of its own and removes them, also on Ctrl-C.
Progress goes to standard error. Leave the machine alone meanwhile: everything else that runs is measured too.

Without --settings, --paths and --tests it measures what the thresholds need and a little more: every path by one
TCP stream, the main ones by everything, and once what grows with the network (scale-*). With any of the three, all
combinations of what they select. udp1450 has the largest packets that every path carries whole; packets of 64 KiB are
TCP's (tcp1): segmentation offload makes them. rtt-half and rtt-full are beside one TCP stream, at half of the speed of
tcp1 and at full speed.

Examples:
  weft bench --quick                                        is everything there?
  weft bench --settings one-core --tests tcp1 --rounds 9    one comparison, closely
  weft bench --paths weft-udp,weft-vxlan                    two backends by everything
  weft bench --serve 192.0.2.2                              on one machine, and then
  weft bench --peer 192.0.2.2                               on another: what is between them
  weft bench --tests scale-peers,scale-leases               a network of 1,000 nodes
  weft bench --json result.json --html result.html          about half an hour
  weft bench --read result.json --html result.html          of an earlier run

Ctrl-C ends the measurements, prints the report of what was measured and removes the lab.
Exit code: 0 when the run was as planned or its --budget was used up, 1 when a measurement failed, 130 after Ctrl-C
(143 after SIGTERM). Missed thresholds are in the report.`,
    )
    .action(async (options: BenchCommandOptions) => {
      if (options.read !== undefined) {
        readEarlier(options.read, options);
        return;
      }
      if (options.serve !== undefined || options.peer !== undefined) {
        await runFar(options);
        return;
      }
      requireRoot();
      requireWritable(options.json);
      requireRoom(options.html);
      let failed = false;
      await runBench(toRunOptions(options), {
        now: () => new Date(),
        clock: () => performance.now() / 1000,
        random: Math.random,
        pid: process.pid,
        searchPath: process.env.PATH ?? '',
        log: (line) => process.stderr.write(`${printableLines(line)}\n`),
        report: (report) => {
          printReport(report, options.json, () => formatReport(report));
          if (options.html !== undefined) writeHtml(options.html, report, options.json);
          failed = report.failures.length > 0;
        },
      });
      if (failed) process.exitCode = 1;
    });
}

/** Code: USAGE without --html, or with anything that is of a run. */
function readEarlier(file: string, options: BenchCommandOptions): void {
  const { html } = options;
  // The socket has a default.
  const others = Object.keys(options).filter((name) => !['read', 'html', 'controlSocket'].includes(name));
  if (others.length > 0)
    throw new WeftError('USAGE', '--read measures nothing: of the other options it has --html alone');
  if (html === undefined) throw new WeftError('USAGE', '--read needs --html: the file that it writes');
  writeHtmlOf(file, html);
}

/** Between two machines. Code: USAGE for options of the lab alone. */
async function runFar(options: BenchCommandOptions): Promise<void> {
  const { serve, peer, tokenFile, controlSocket, json, html } = options;
  if (html !== undefined) throw new WeftError('USAGE', '--html is of the lab: --peer and --serve do not have it');
  if (serve !== undefined && peer !== undefined)
    throw new WeftError('USAGE', '--serve and --peer are for two different machines');
  const { settings, paths, contenders, budget, flanneld } = options;
  if ([settings, paths, contenders, budget, flanneld].some((choice) => choice !== undefined))
    throw new WeftError(
      'USAGE',
      '--settings, --paths, --budget and --flanneld are of the lab: --peer and --serve do not have them',
    );
  if (serve !== undefined) {
    await serveBench(serve, controlSocket);
    return;
  }
  const { rounds, tcpSeconds, udpTrialSeconds, pings, pingIntervalSeconds } = toRunOptions(options);
  if (udpTrialSeconds > LONGEST_TRIAL)
    throw new WeftError('USAGE', `--udp-seconds is at most ${LONGEST_TRIAL} with --peer`);
  requireWritable(json);
  const run = { rounds, tests: farTestsOf(options), tcpSeconds, udpTrialSeconds, pings, pingIntervalSeconds };
  await measureWithPeer({ ...run, peer: peer ?? '', tokenFile, controlSocket }, (report) => {
    printReport(report, json, () => formatFarReport(printableAll(report)));
  });
}

/** Code: USAGE for a test that only the lab has. */
function farTestsOf({ tests, quick }: BenchCommandOptions): FarTest[] {
  const ofLab = tests?.filter((test) => !FAR_TESTS.some((known) => known === test)) ?? [];
  if (ofLab.length > 0)
    throw new WeftError('USAGE', `--peer does not measure ${ofLab.join(', ')}, but ${FAR_TESTS.join(', ')}`);
  // Four streams take as long as one and say little more.
  const standard = (test: FarTest): boolean => quick !== true || test !== 'tcp4';
  return FAR_TESTS.filter((test) => tests?.includes(test) ?? standard(test));
}

function toRunOptions(options: BenchCommandOptions): BenchOptions {
  const preset = options.quick === true ? QUICK : FULL;
  const flanneld = flanneldOf(options);
  return {
    rounds: options.rounds ?? preset.rounds,
    tcpSeconds: options.seconds ?? preset.seconds,
    udpTrialSeconds: options.udpSeconds ?? preset.udpSeconds,
    pings: options.pings ?? preset.pings,
    pingIntervalSeconds: PING_INTERVAL_SECONDS,
    flanneld,
    selection: {
      flanneld: flanneld !== undefined,
      settings: options.settings,
      paths: options.paths ?? options.contenders,
      tests: options.tests,
      quick: options.quick === true,
    },
    budgetSeconds: options.budget ?? preset.budget,
  };
}

/** Throws WeftError FLANNELD_MISSING for a path that cannot be run, and where flanneld's paths are asked for and there is none. */
function flanneldOf({ flanneld, paths }: BenchCommandOptions): string | undefined {
  if (flanneld !== undefined) checkFlanneld(flanneld);
  const found = flanneld ?? findProgram('flanneld', process.env.PATH ?? '');
  const needed = paths?.find((path) => setupOf(path).kind === 'flannel');
  if (found === undefined && needed !== undefined)
    throw new WeftError('FLANNELD_MISSING', `Cannot measure ${needed}: there is no flanneld on PATH`, {
      hint: 'Give the path of one with --flanneld',
    });
  return found === undefined ? undefined : resolve(found);
}

function describe(preset: Preset): string {
  return `the main paths, within ${preset.budget} s: ${preset.rounds} round, ${preset.seconds} s of TCP, ${preset.pings} echoes`;
}

function count(flags: string, description: string, standard: number): Option {
  return new Option(flags, `${description} (default: ${standard})`).argParser(wholeNumber(1, 100_000));
}

function duration(flags: string, description: string, standard: number): Option {
  return new Option(flags, `${description} (default: ${standard})`).argParser(seconds(0.1, 3600));
}

/** A comma-separated choice out of `all`, in the order of `all`. */
function list<T extends string>(flags: string, description: string, all: readonly T[]): Option {
  return new Option(flags, `${description}, out of ${all.join(',')}`).argParser((text) => {
    const wanted = text.split(',');
    const unknown = wanted.find((name) => !all.some((known) => known === name));
    if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is not one of ${all.join(', ')}.`);
    return all.filter((known) => wanted.includes(known));
  });
}
