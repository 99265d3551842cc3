/** How one network is, in words of the local API. Pure. */
import { formatPrefix } from '../addr/prefix.ts';
import type { Backend, ExternalInterface } from '../backend/backend.ts';
import type { DaemonState, NetworkReport } from '../control/protocol.ts';
import type { Lease } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { OwnLease, StoreHealth } from '../store/store.ts';
import type { NetworkOptions } from './cmdline/network-flag.ts';
import {
  countUsed,
  toBackendStatus,
  toExternalStatus,
  toLeaseStatus,
  toNetworkStatus,
  toOffloads,
  toStoreStatus,
  toWaitReason,
} from './replies.ts';
import type { Obstacle } from './wait.ts';

/** What a network has so far. */
export interface NetworkParts {
  readonly state: DaemonState;
  /** What is waited for, or why the last attempt failed. */
  readonly wait: Obstacle | undefined;
  readonly config: NetworkConfig | undefined;
  readonly external: ExternalInterface | undefined;
  readonly own: OwnLease | undefined;
  readonly backend: Backend | undefined;
  /** All leases but the own one. */
  readonly others: readonly Lease[];
  /** What its parts say is wrong. */
  readonly alarms: readonly string[];
}

export function toNetworkReport(
  { name, etcdPrefix, netns, subnetFile }: NetworkOptions,
  parts: NetworkParts,
  health: StoreHealth,
  sourceCheck: boolean,
): NetworkReport {
  const { state, wait, config, external, own, backend, others } = parts;
  const store = toStoreStatus(health, etcdPrefix);
  const { kind: _kind, ...etcd } = store;
  return {
    name,
    etcdPrefix,
    netns: netns ?? null,
    state,
    waitingFor: wait === undefined ? null : toWaitReason(wait),
    alarms: alarmsOf(name, parts),
    network: config === undefined ? null : toNetworkStatus(config),
    lease: own === undefined ? null : toLeaseStatus(own, health),
    external: external === undefined ? null : toExternalStatus(external),
    backend: backend === undefined ? null : toBackendStatus(backend, sourceCheck),
    store,
    etcd,
    offloads: backend === undefined ? [] : toOffloads(backend),
    peers: countUsed(others, backend?.refusedLeases() ?? []),
    subnetFile,
  };
}

/** One line: "10.244.3.0/24 on flannel0, 2 peers", or what is waited for. */
export function summarize({ state, wait, own, backend, others, alarms }: NetworkParts): string {
  if (wait !== undefined) return `${state === 'failed' ? 'Failed' : 'Waiting'}: ${wait.error.message}`;
  if (state === 'degraded') return `Degraded: ${alarms[0]}`;
  if (state !== 'ready' || own === undefined || backend === undefined) return state;
  const peers = countUsed(others, backend.refusedLeases());
  return `${formatPrefix(own.lease.subnets.ipv4)} on ${backend.deviceName}, ${peers} peers`;
}

/** Our choice: a cluster on its way from one backend to another must not hide what else is wrong. */
const MAX_LEASE_ALARMS = 5;

function alarmsOf(name: string, { state, wait, backend, alarms }: NetworkParts): string[] {
  const refused = backend?.refusedLeases() ?? [];
  const more = refused.length - MAX_LEASE_ALARMS;
  const which = name === '' ? 'The network' : `Network "${name}"`;
  return [
    ...(state === 'failed' && wait !== undefined ? [`${which} has failed: ${wait.error.message}`] : []),
    ...alarms,
    ...refused
      .slice(0, MAX_LEASE_ALARMS)
      .map(({ subnet, publicIp, reason }) => `Lease ${subnet} of ${publicIp} is not used: ${reason}`),
    ...(more > 0 ? [`${more} more leases are not used: weft peers says which, and why`] : []),
  ];
}
