/** What the overlay costs, at a glance: the careful comparison is `weft bench`. */
import { hostsOf, podPath } from '../bench/kernel-paths.ts';
import type { NamedPath, PathName } from '../bench/paths.ts';
import { INNER_MTU } from '../bench/pod-link.ts';
import { ipBatch } from '../lab/command.ts';
import type { Lab } from '../lab/model.ts';
import type { LabProcess } from '../lab/netns.ts';
import type { ConnectedPod } from '../lab/pod.ts';
import { measureRtt } from '../measure/rtt.ts';
import { measureTcp } from '../measure/tcp.ts';

const PINGS = 200;
const PING_INTERVAL_SECONDS = 0.002;
const TCP_SECONDS = 1;

export interface Overhead {
  readonly path: PathName;
  readonly rttP50Ms: number;
  readonly rttP99Ms: number;
  readonly gigabitsPerSecond: number;
  readonly machineCpuSecondsPerGB: number;
}

export async function measureOverhead(path: NamedPath): Promise<Overhead> {
  const rtt = await measureRtt(path, PINGS, PING_INTERVAL_SECONDS);
  const tcp = await measureTcp(path, 1, TCP_SECONDS);
  return {
    path: path.name,
    rttP50Ms: rtt.p50Ms,
    rttP99Ms: rtt.p99Ms,
    gigabitsPerSecond: tcp.gigabitsPerSecond,
    machineCpuSecondsPerGB: tcp.machineCpuSecondsPerGB,
  };
}

/** Pod to pod through running daemons, with the MTU of pods and bridges lowered to INNER_MTU. */
export async function makeWeftPath(
  name: PathName,
  lab: Lab,
  daemons: readonly LabProcess[],
  pods: readonly ConnectedPod[],
): Promise<NamedPath> {
  for (const { netns, podNetns } of hostsOf(lab)) {
    await ipBatch(netns, [`link set pod0 mtu ${INNER_MTU}`, `link set cni0 mtu ${INNER_MTU}`]);
    await ipBatch(podNetns, [`link set eth0 mtu ${INNER_MTU}`]);
  }
  const addresses = pods.map(({ address }) => address);
  const pids = daemons.map(({ pid }) => pid);
  return podPath(name, lab, addresses, pids);
}
