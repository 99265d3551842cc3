import { join } from 'node:path';
import { WeftError } from '../error.ts';
import { toolMissing } from './command.ts';
import type { Lab } from './model.ts';
import {
  cannotExec,
  type ExecResult,
  execInNetns,
  type LabProcess,
  type SpawnOptions,
  spawnInNetns,
  whyNotReady,
} from './netns.ts';

/** flannel's default: its keys are below this one. */
export const DEFAULT_ETCD_PREFIX = '/coreos.com/network';

/** etcd 3.3 to 3.6 write this when clients can connect. Asking with etcdctl instead costs a second: gRPC's first back-off. */
const READY_TEXT = 'ready to serve client requests';
const START_TIMEOUT_MS = 60_000;

export interface StartEtcdOptions {
  /** etcd outlives this process. Default false. */
  readonly detached?: boolean;
  /** More flags of etcd. */
  readonly extraArgs?: readonly string[];
}

/**
 * Starts etcd and waits until it serves. Started again after `stop()`, it has the data it had.
 * Throws WeftError TOOL_MISSING or ETCD_FAILED.
 */
export async function startEtcd(lab: Lab, options: StartEtcdOptions = {}): Promise<LabProcess> {
  const flags = [...etcdFlags(lab), ...(options.extraArgs ?? [])];
  const logFile = join(lab.directory, 'etcd.log');
  return runEtcd(lab.etcdNetns, flags, { name: 'etcd', logFile, detached: options.detached === true });
}

/** The same with flags of one's own, in a namespace, undefined: ours. `name`: which etcd it is, for the error. */
export async function runEtcd(
  netns: string | undefined,
  flags: readonly string[],
  { name, ...options }: SpawnOptions & { readonly name: string },
): Promise<LabProcess> {
  const etcd = spawnInNetns(netns, ['etcd', ...flags], options);
  const why = await whyNotReady(etcd, () => etcd.stdout().includes(READY_TEXT), START_TIMEOUT_MS);
  if (why === undefined) return etcd;
  const output = etcd.stdout().trimEnd();
  // Where ip(8) starts it, that says so; else Node does.
  if (cannotExec(output) || cannotExec(etcd.stderr())) throw toolMissing('etcd');
  throw new WeftError('ETCD_FAILED', `Cannot start ${name}: ${why}: ${output.split('\n').at(-1) ?? ''}`);
}

function etcdFlags(lab: Lab): string[] {
  const peer = 'http://127.0.0.1:2380';
  return [
    `--data-dir=${join(lab.directory, 'etcd')}`,
    `--listen-client-urls=${lab.etcdEndpoint},http://127.0.0.1:2379`,
    `--advertise-client-urls=${lab.etcdEndpoint}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // A cluster of one elects itself after the election timeout: the default second is most of the start.
    '--heartbeat-interval=10',
    '--election-timeout=100',
  ];
}

/** Runs etcdctl (API 3) against the lab's etcd. Throws WeftError LAB_COMMAND_FAILED or TOOL_MISSING. */
export function etcdctl(lab: Lab, args: readonly string[], allowFailure = false): Promise<ExecResult> {
  const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', `--endpoints=${lab.etcdEndpoint}`, ...args];
  return execInNetns(lab.etcdNetns, argv, { allowFailure });
}

/** Writes flannel's network configuration, JSON text as in `{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}`. */
export async function putConfig(lab: Lab, json: string, prefix: string = DEFAULT_ETCD_PREFIX): Promise<void> {
  await etcdctl(lab, ['put', '--', `${prefix}/config`, json]);
}
