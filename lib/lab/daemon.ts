import { lstatSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../error.ts';
import type { Lab, LabHost, LabTenant } from './model.ts';
import { type LabProcess, spawnInNetns, whyNotReady } from './netns.ts';

export interface StartDaemonOptions {
  /** The networks of these tenants in place of the one at flannel's etcd prefix. */
  readonly tenants?: readonly LabTenant[];
  /** weftd outlives this process. Default false. */
  readonly detached?: boolean;
  /** Put before the command, for example `['taskset', '-c', '0']`. */
  readonly wrapper?: readonly string[];
  /** Until every subnet.env is written and the control socket answers. Default 60,000. */
  readonly timeoutMs?: number;
}

/** Where the daemon of a host logs. */
export function daemonLogFile(host: LabHost): string {
  return join(dirname(host.subnetFile), 'weftd.log');
}

/** Where the daemon of a host keeps what outlives it. */
function daemonStateDirectory(host: LabHost): string {
  return join(dirname(host.subnetFile), 'state');
}

/**
 * Starts weftd of this checkout on a host, with `extraArgs` after the lab's own flags, and waits until it is ready.
 * Throws WeftError DAEMON_FAILED with the last lines it logged.
 */
export async function startDaemon(
  lab: Lab,
  host: LabHost,
  extraArgs: readonly string[] = [],
  options: StartDaemonOptions = {},
): Promise<LabProcess> {
  const networks = options.tenants?.map((tenant) => networkOf(tenant, host));
  const subnetFiles = networks?.map(({ subnetFile }) => subnetFile) ?? [host.subnetFile];
  const before = subnetFiles.map(identityOf);
  const daemon = spawnInNetns(
    host.netns,
    [
      ...(options.wrapper ?? []),
      process.execPath,
      weftdPath(),
      ...daemonFlags(lab, host),
      ...(networks?.map(({ flag }) => flag) ?? [`--subnet-file=${host.subnetFile}`]),
      ...extraArgs,
    ],
    { logFile: daemonLogFile(host), detached: options.detached === true },
  );
  // The files of an earlier run may still be there: the daemon replaces each in one step when it is ready.
  const isReady = (): boolean | Promise<boolean> =>
    subnetFiles.every((path, index) => identityOf(path) !== before[index]) && accepts(host.controlSocket);
  const why = await whyNotReady(daemon, isReady, options.timeoutMs ?? 60_000);
  if (why === undefined) return daemon;
  const lines = daemon.stdout().trimEnd().split('\n');
  throw new WeftError('DAEMON_FAILED', `Cannot start weftd on ${host.netns}: ${why}:\n${lines.slice(-5).join('\n')}`);
}

function daemonFlags(lab: Lab, host: LabHost): string[] {
  return [
    `--iface=${host.underlayInterface}`,
    `--etcd-endpoints=${lab.etcdEndpoint}`,
    `--state-dir=${daemonStateDirectory(host)}`,
    `--control-socket=${host.controlSocket}`,
  ];
}

/** The tenant's network in weftd's words, and where it writes the subnet. */
function networkOf(tenant: LabTenant, host: LabHost): { readonly flag: string; readonly subnetFile: string } {
  const site = tenant.sites[host.number - 1];
  if (site === undefined)
    throw new WeftError('USAGE', `Cannot start tenant ${tenant.name} on ${host.netns}: it is in another lab`);
  const { netns, subnetFile } = site;
  const values = `name=${tenant.name},etcd-prefix=${tenant.etcdPrefix},subnet-file=${subnetFile},netns=${netns}`;
  return { flag: `--network=${values}`, subnetFile };
}

/** bin/weftd beside dist/, in which this file is. */
export function weftdPath(): string {
  return fileURLToPath(new URL('../../../bin/weftd', import.meta.url));
}

/** Changes whenever the file is replaced; '' when there is none. */
function identityOf(path: string): string {
  const stats = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? '' : `${stats.ino} ${stats.mtimeNs}`;
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
