import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { INNER_MTU } from '../../bench/pod-link.ts';
import { tsharkDecoding } from '../../capture/checks.ts';
import { SHOWCASES } from '../../demo/backends.ts';
import type { Claim } from '../../demo/claims.ts';
import type { Overhead } from '../../demo/overhead.ts';
import { type DemoReport, runDemo } from '../../demo/run.ts';
import { BACKEND_NAMES, type BackendName } from '../../lab/backends.ts';
import { requireRoot } from '../../lab/command.ts';
import { CONGESTION_CONTROL } from '../../measure/iperf3.ts';
import { printableLines, toJson } from '../../printable.ts';
import { type Column, formatTable } from '../table.ts';

interface DemoCommandOptions {
  readonly backend: BackendName;
  readonly json?: boolean;
  readonly keepCapture: string;
}

/** `weft demo`. Exit code 1 when anything it claims did not hold. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Build two hosts with a pod each on this machine, send traffic between the pods, and check everything')
    .addOption(
      new Option('--backend <type>', 'how packets are carried')
        .choices(BACKEND_NAMES)
        .default('udp' satisfies BackendName),
    )
    .option('--json', 'print JSON with stable keys; progress goes to standard error')
    .option('--keep-capture <file>', 'where the capture file goes', join(tmpdir(), 'weft-demo.pcapng'))
    .addHelpText(
      'after',
      `
Needs root, etcd, iperf3, ping and ethtool, and the npm package cap; tshark if it is there. Everything happens in
network namespaces of its own, which are removed at the end, also on Ctrl-C. The capture file stays. Wireshark knows
VXLAN's port and IP in IP by itself; for udp: Decode As, UDP port 8285, IPv4.

Exit code: 0 when every claim held, 1 otherwise.`,
    )
    .action(async (options: DemoCommandOptions) => {
      requireRoot();
      const output = options.json === true ? process.stderr : process.stdout;
      const report = await runDemo({
        backend: options.backend,
        captureFile: resolve(options.keepCapture),
        pid: process.pid,
        log: (line) => output.write(`${printableLines(line)}\n`),
      });
      process.stdout.write(options.json === true ? `${toJson(report, 2)}\n` : formatDemo(report));
      if (!report.ok) process.exitCode = 1;
    });
}

/** What follows the claims, which have been printed as they were made. */
function formatDemo(report: DemoReport): string {
  const count = (state: Claim['state']) => report.claims.filter((claim) => claim.state === state).length;
  const skipped = count('skipped') === 0 ? '' : `, ${count('skipped')} skipped`;
  return [
    `\nWhat the overlay costs (one short run each: weft bench compares carefully)\n${formatOverhead(report.overhead)}`,
    `TCP: 1 stream, ${CONGESTION_CONTROL}, 1 s; inner MTU ${INNER_MTU} for all; veth with its offloads on\n`,
    `\nCapture file: ${report.captureFile}\n`,
    'Its packets have no timestamps: cap does not pass on those of the kernel.\n',
    `${['tshark', '-r', report.captureFile, ...tsharkDecoding(SHOWCASES[report.backend].wire)].join(' ')}\n`,
    `\n${count('ok')} claims held, ${count('FAILED')} failed${skipped}, ${report.durationSeconds} s\n`,
  ].join('');
}

function formatOverhead(overhead: readonly Overhead[]): string {
  const kernel = overhead.find(({ path }) => path === 'kernel-vxlan');
  const columns: Column[] = [
    { title: 'Path' },
    { title: 'RTT p50 ms', align: 'right' },
    { title: 'p99 ms', align: 'right' },
    { title: 'TCP Gb/s', align: 'right' },
    { title: 'of kernel-vxlan', align: 'right' },
    { title: 'CPU s/GB', align: 'right' },
  ];
  const rows = overhead.map((row) => [
    row.path,
    row.rttP50Ms.toFixed(3),
    row.rttP99Ms.toFixed(3),
    row.gigabitsPerSecond.toFixed(2),
    kernel === undefined ? '-' : (row.gigabitsPerSecond / kernel.gigabitsPerSecond).toFixed(2),
    row.machineCpuSecondsPerGB.toFixed(2),
  ]);
  return formatTable(columns, rows);
}
