/** `weft lab`: a whole overlay of network namespaces on this machine, to try things in. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { messageOf, WeftError } from '../../error.ts';
import { BACKEND_NAMES, BACKENDS, type BackendName } from '../../lab/backends.ts';
import { requireRoot } from '../../lab/command.ts';
import { putConfig, startEtcd } from '../../lab/etcd.ts';
import { findLab } from '../../lab/lab.ts';
import {
  isNamespaceOf,
  MAX_HOSTS,
  MAX_TENANTS,
  MAX_UNDERLAY_MTU,
  MIN_UNDERLAY_MTU,
  namespacesOf,
} from '../../lab/layout.ts';
import type { Lab } from '../../lab/model.ts';
import { processesIn } from '../../lab/netns.ts';
import { defaultConfig, startOverlay } from '../../lab/overlay.ts';
import { expectedPod } from '../../lab/pod.ts';
import { destroyLab, isTakenLabId, listLabIds } from '../../lab/remove.ts';
import { startTenants, tenantConfig } from '../../lab/tenants.ts';
import { keepingLab } from '../../lab/with-lab.ts';
import { printableLines, toJson } from '../../printable.ts';
import { DEFAULT_ID, formatMap, formatVariables, place } from '../lab-map.ts';

const UP_HELP = `
Examples:
  weft lab up --backend vxlan --mtu 9000
  weft lab up --backend vxlan --dual-stack --hosts 3
  weft lab up --backend-config '{"Type":"vxlan","VNI":42,"Learning":true}'
  weft lab up --tenants 2`;

interface UpOptions {
  readonly hosts: string;
  readonly id: string;
  readonly backend?: BackendName;
  readonly backendConfig?: string;
  readonly dualStack?: boolean;
  readonly mtu: string;
  readonly tenants: string;
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
    .addOption(idOption('first part of the names of all namespaces'))
    .addOption(new Option('--backend <type>', 'how packets are carried').choices(BACKEND_NAMES).default('udp'))
    .addOption(
      new Option('--backend-config <json>', "flannel's Backend object, instead of --backend").conflicts('backend'),
    )
    .option('--dual-stack', 'an IPv6 network beside the IPv4 one')
    .option(
      '--mtu <bytes>',
      `of the underlay, ${MIN_UNDERLAY_MTU} to ${MAX_UNDERLAY_MTU}; 9000 for jumbo frames`,
      '1500',
    )
    .addOption(
      new Option('--tenants <count>', `vxlan networks with the same addresses, up to ${MAX_TENANTS}; VNI 1, 2, ...`)
        .default('0')
        .conflicts(['backend', 'backendConfig', 'dualStack', 'daemon']),
    )
    .option('--no-daemon', 'start etcd only: weftd is started by hand')
    .addHelpText('after', UP_HELP)
    .action(up);
  lab.command('down').description('End everything in a lab and remove it').addOption(idOption('the lab')).action(down);
  lab
    .command('exec')
    .description('Run a command in a host (h1), a pod (pod2) or the underlay (net)')
    .argument('<where>', 'h1, h2, ..., pod1, pod2, ..., net; of a tenant t1h1, t1pod1, ...')
    .argument('<command...>', 'the command and its arguments; put -- before it')
    .addOption(idOption('the lab'))
    .passThroughOptions()
    .action(exec);
  lab
    .command('show')
    .description('Print the addresses of a lab, and what to try in it, again')
    .addOption(idOption('the lab'))
    .option('--shell', 'print the addresses as variables of a shell: pod1=10.244.4.2')
    .action(show);
  lab.command('list').description('List the labs on this machine').option('--json', 'print JSON').action(list);
  return lab;
}

function idOption(description: string): Option {
  return new Option('--id <id>', description).env('WEFT_LAB').default(DEFAULT_ID);
}

async function up(options: UpOptions): Promise<void> {
  const log = (line: string): void => void process.stderr.write(`${printableLines(line)}\n`);
  const settings = {
    id: options.id,
    hosts: Number(options.hosts),
    underlayMtu: Number(options.mtu),
    tenants: Number(options.tenants),
    log,
  };
  const config = defaultConfig(chosenBackend(options), options.dualStack);
  await keepingLab(settings, async (lab) => {
    if (!options.daemon) {
      log('starting etcd');
      await startEtcd(lab, { detached: true });
      await putConfig(lab, JSON.stringify(config));
      process.stdout.write(formatMap(lab, []));
    } else if (lab.tenants.length > 0) {
      const { pods } = await startTenants(lab, { config: tenantConfig, detached: true, log });
      process.stdout.write(
        formatMap(
          lab,
          lab.tenants.flatMap(({ sites }, index) => place(sites, pods[index]!)),
        ),
      );
    } else {
      const { pods } = await startOverlay(lab, { config, detached: true, log });
      process.stdout.write(formatMap(lab, place(lab.hosts, pods)));
    }
  });
}

function chosenBackend({ backend = 'udp', backendConfig }: UpOptions): object {
  return backendConfig === undefined ? BACKENDS[backend] : parseBackend(backendConfig);
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

async function down({ id }: IdOption): Promise<void> {
  const existed = isTakenLabId(id);
  await destroyLab(id);
  process.stdout.write(existed ? `Lab "${id}" is removed\n` : `There is no lab "${id}"\n`);
}

async function show({ id, shell }: IdOption & { readonly shell?: boolean }): Promise<void> {
  requireRoot();
  const lab = await requireLab(id);
  const sites = lab.tenants.length > 0 ? lab.tenants.flatMap((tenant) => tenant.sites) : lab.hosts;
  const pods = await Promise.all(sites.map(async (site) => ({ site, pod: await expectedPod(site) })));
  const placed = pods.flatMap(({ site, pod }) => (pod === undefined ? [] : [{ site, pod }]));
  process.stdout.write(shell === true ? formatVariables(lab, placed) : formatMap(lab, placed));
}

/** Throws WeftError LAB_NOT_FOUND. */
async function requireLab(id: string): Promise<Lab> {
  const lab = await findLab(id);
  if (lab !== undefined) return lab;
  throw new WeftError('LAB_NOT_FOUND', `Cannot find lab "${id}"`, { hint: 'Build it with: weft lab up' });
}

/** Where `weft` is found and which daemon it asks: that of the host, or of the pod's. */
function environmentIn(lab: Lab, where: string): NodeJS.ProcessEnv {
  const host = lab.hosts.find(({ number }) => number === Number(/(?:h|pod)(\d+)$/.exec(where)?.[1]));
  const bin = fileURLToPath(new URL('../../../../bin', import.meta.url));
  const path = [process.env.PATH ?? '', bin, dirname(process.execPath)].filter((part) => part !== '').join(':');
  return { ...process.env, PATH: path, ...(host !== undefined && { WEFT_CONTROL_SOCKET: host.controlSocket }) };
}

async function exec(where: string, argv: readonly string[], { id }: IdOption): Promise<void> {
  requireRoot();
  const lab = await requireLab(id);
  const netns = `${id}-${where}`;
  if (!isNamespaceOf(id, netns) || !namespacesOf(lab).includes(netns))
    throw new WeftError(
      'USAGE',
      `Cannot find "${where}" in lab "${id}": it has h1 to h${lab.hosts.length}, pod1 to pod${lab.hosts.length} and net${ofTenants(lab)}`,
    );
  // commander leaves the "--" in when options are passed through.
  const command = argv[0] === '--' ? argv.slice(1) : argv;
  process.exitCode = await runAttached(['netns', 'exec', netns, ...command], environmentIn(lab, where));
}

function ofTenants({ tenants }: Lab): string {
  return tenants.length === 0 ? '' : `, and the same of t1 to t${tenants.length}: t1h1, t1pod1`;
}

/** Runs ip(8) on our terminal; resolves to its exit code, as a shell would give it. */
function runAttached(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', args, { stdio: 'inherit', env });
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
  if (options.json === true) process.stdout.write(`${toJson(labs, 2)}\n`);
  else if (labs.length === 0) process.stdout.write('There are no labs\n');
  for (const lab of options.json === true ? [] : labs) {
    const what = lab.complete
      ? `${lab.hosts} hosts, ${lab.processes} processes`
      : 'remains; weft lab down removes them';
    process.stdout.write(`${lab.id}: ${what}\n`);
  }
}
