/** `weft lab`: a whole overlay of network namespaces on this machine, to try things in. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Command } from 'commander';
import { messageOf, WeftError } from '../../error.ts';
import { requireRoot } from '../../lab/command.ts';
import { putConfig, startEtcd } from '../../lab/etcd.ts';
import { destroyLab, findLab, type Lab } from '../../lab/lab.ts';
import { isNamespaceOf, MAX_HOSTS, namespacesOf } from '../../lab/layout.ts';
import { processesIn } from '../../lab/netns.ts';
import { defaultConfig, startOverlay } from '../../lab/overlay.ts';
import type { ConnectedPod } from '../../lab/pod.ts';
import { isTakenLabId, listLabIds } from '../../lab/remove.ts';
import { keepingLab } from '../../lab/with-lab.ts';

/** Fixed, so that `down` and `exec` find what `up` made. */
const DEFAULT_ID = 'weft';

interface UpOptions {
  readonly hosts: string;
  readonly id: string;
  readonly backendConfig: string;
  readonly daemon: boolean;
}

interface IdOption {
  readonly id: string;
}

export function labCommand(): Command {
  const lab = new Command('lab')
    .description('Build hosts, pods, underlay and etcd from network namespaces on this machine')
    .enablePositionalOptions();
  lab
    .command('up')
    .description('Build a lab and start etcd and a weftd on each host')
    .option('--hosts <count>', `number of hosts, 1 to ${MAX_HOSTS}`, '2')
    .option('--id <id>', 'first part of the names of all namespaces', DEFAULT_ID)
    .option('--backend-config <json>', "flannel's Backend object", '{"Type":"udp"}')
    .option('--no-daemon', 'start etcd only: weftd is started by hand')
    .action(up);
  lab
    .command('down')
    .description('End everything in a lab and remove it')
    .option('--id <id>', 'the lab', DEFAULT_ID)
    .action(down);
  lab
    .command('exec')
    .description('Run a command in a host (h1), a pod (pod2) or the underlay (net)')
    .argument('<where>', 'h1, h2, ..., pod1, pod2, ..., net')
    .argument('<command...>', 'the command and its arguments; put -- before it')
    .option('--id <id>', 'the lab', DEFAULT_ID)
    .passThroughOptions()
    .action(exec);
  lab.command('list').description('List the labs on this machine').option('--json', 'print JSON').action(list);
  return lab;
}

async function up(options: UpOptions): Promise<void> {
  const backend = parseBackend(options.backendConfig);
  const hosts = Number(options.hosts);
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  await keepingLab({ id: options.id, hosts, log }, async (lab) => {
    const config = defaultConfig(backend);
    if (options.daemon) {
      const { pods } = await startOverlay(lab, { config, detached: true, log });
      process.stdout.write(formatMap(lab, pods));
    } else {
      log('starting etcd');
      await startEtcd(lab, { detached: true });
      await putConfig(lab, JSON.stringify(config));
      process.stdout.write(formatMap(lab, undefined));
    }
  });
}

function parseBackend(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new WeftError('USAGE', `Cannot use --backend-config ${text}: ${messageOf(error)}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new WeftError('USAGE', `Cannot use --backend-config ${text}: it is no JSON object`);
}

/** What was built and what to try; `pods` is undefined when no daemon gave them addresses. */
export function formatMap(lab: Lab, pods: readonly ConnectedPod[] | undefined): string {
  const name = (text: string): string => (lab.id === DEFAULT_ID ? text : `${text} --id ${lab.id}`);
  const lines = [`Lab "${lab.id}" is up; its files are in ${lab.directory}`, ''];
  for (const host of lab.hosts) {
    const pod = pods?.[host.number - 1];
    const left = pod === undefined ? '' : `pod${host.number} ${pod.address.padEnd(15)} ── `;
    lines.push(`  ${left}h${host.number} ${host.underlayAddress}`);
  }
  lines.push(`  etcd ${lab.etcdEndpoint}`, '', 'Try:');
  const [first, last] = [lab.hosts[0], lab.hosts.at(-1)];
  const target = pods?.at(-1)?.address ?? last?.underlayAddress ?? '';
  lines.push(`  ${name('weft lab exec')} ${pods === undefined ? 'h1' : 'pod1'} -- ping -c 3 ${target}`);
  if (pods !== undefined) lines.push(`  weft peers --control-socket ${first?.controlSocket ?? ''}`);
  lines.push(`  ${name('weft lab exec')} h1 -- tcpdump -ni u0 udp`, `  ${name('weft lab down')}`, '');
  return lines.join('\n');
}

async function down({ id }: IdOption): Promise<void> {
  const existed = isTakenLabId(id);
  await destroyLab(id);
  process.stdout.write(existed ? `Lab "${id}" is removed\n` : `There is no lab "${id}"\n`);
}

async function exec(where: string, argv: readonly string[], { id }: IdOption): Promise<void> {
  requireRoot();
  const lab = await findLab(id);
  if (lab === undefined)
    throw new WeftError('LAB_NOT_FOUND', `Cannot find lab "${id}"`, { hint: 'Build it with: weft lab up' });
  const netns = `${id}-${where}`;
  if (!isNamespaceOf(id, netns) || !namespacesOf(lab).includes(netns))
    throw new WeftError(
      'USAGE',
      `Cannot find "${where}" in lab "${id}": it has h1 to h${lab.hosts.length}, pod1 to pod${lab.hosts.length} and net`,
    );
  // commander leaves the "--" in when options are passed through.
  const command = argv[0] === '--' ? argv.slice(1) : argv;
  process.exitCode = await runAttached(['netns', 'exec', netns, ...command]);
}

/** Runs ip(8) on our terminal; resolves to its exit code, as a shell would give it. */
function runAttached(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', args, { stdio: 'inherit' });
    // Ctrl-C reaches the command itself; we stay to report how it ended.
    const ignore = (): void => {};
    const forward = (): void => void child.kill('SIGTERM');
    process.on('SIGINT', ignore);
    process.on('SIGTERM', forward);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', forward);
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}

async function list(options: { readonly json?: boolean }): Promise<void> {
  requireRoot();
  const labs = await Promise.all(
    listLabIds().map(async (id) => {
      const lab = await findLab(id);
      return lab === undefined
        ? { id, complete: false, hosts: 0, processes: 0 }
        : { id, complete: true, hosts: lab.hosts.length, processes: processesIn(namespacesOf(lab)).length };
    }),
  );
  if (options.json === true) process.stdout.write(`${JSON.stringify(labs, null, 2)}\n`);
  else if (labs.length === 0) process.stdout.write('There are no labs\n');
  for (const lab of options.json === true ? [] : labs) {
    const what = lab.complete
      ? `${lab.hosts} hosts, ${lab.processes} processes`
      : 'remains; weft lab down removes them';
    process.stdout.write(`${lab.id}: ${what}\n`);
  }
}
