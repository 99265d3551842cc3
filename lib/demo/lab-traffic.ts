/**
 * Traffic in a lab that has something of everything for whoever looks at host 1: round trips to all peers, a steady flow of UDP,
 * now and then a burst of TCP, and packets that are dropped. Bounded, some 800 packets a second without the bursts; it ends
 * with the lab.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { askDaemon } from '../control/client.ts';
import { WeftError } from '../error.ts';
import type { Lab } from '../lab/model.ts';
import { type LabProcess, spawnInNetns } from '../lab/netns.ts';
import type { ConnectedPod } from '../lab/pod.ts';
import { until } from '../lab/until.ts';

/** Our choice: further pods get no traffic from pod 1. */
const MOST_TARGETS = 20;
/** Our choice: bytes of UDP payload, and how many bits a second of it: 300 packets a second. */
const UDP_BYTES = 600;
const UDP_BITS = 300 * UDP_BYTES * 8;
const UDP_PORT = 5201;
const TCP_PORT = 5202;
/** Our choice: a burst is 2 MB, every 5 s, and its turn the other way. */
const BURST = '2M';
const BURST_MS = 5000;
/** Our choice: a server of iperf3 listens within milliseconds. */
const RETRY_MS = 200;
const MOVING_WITHIN_MS = 60_000;

/** Begins it. `pods` in the order of the lab's hosts, two at least. */
export function startTraffic(lab: Lab, pods: readonly ConnectedPod[], signal: AbortSignal): void {
  const [first] = lab.hosts;
  const start = (netns: string, ...argv: readonly string[]) => spawnInNetns(netns, argv, { logFile: '/dev/null' });
  for (const [index, pod] of pods.slice(1, MOST_TARGETS + 1).entries())
    start(first!.podNetns, 'ping', '-n', '-q', '-i', `${(0.1 * (index + 2)).toFixed(1)}`, pod.address);
  // The TTL ends at weftd, where it lowers it: udp.
  start(first!.podNetns, 'ping', '-n', '-q', '-i', '3', '-t', '2', pods[1]!.address);
  start(first!.podNetns, 'ping', '-n', '-q', '-i', '2', emptySubnet(pods));
  const far = lab.hosts[1]!.podNetns;
  for (const port of [UDP_PORT, TCP_PORT]) start(far, 'iperf3', '-s', '-p', `${port}`);
  const udp = ['-u', '-b', `${UDP_BITS}`, '-l', `${UDP_BYTES}`, '-t', '0', '--bidir'];
  const client = ['iperf3', '-i', '0', '-c', pods[1]!.address];
  void again(signal, RETRY_MS, () => start(first!.podNetns, ...client, '-p', `${UDP_PORT}`, ...udp));
  let turn = 0;
  void again(signal, BURST_MS, () =>
    start(first!.podNetns, ...client, '-p', `${TCP_PORT}`, '-n', BURST, ...(turn++ % 2 === 0 ? [] : ['-R'])),
  );
}

/** Of the host's own, to where no pod's packet would go: with vxlan and ipip only subnets that are leased have a route. */
export async function startDrops(lab: Lab, pods: readonly ConnectedPod[]): Promise<void> {
  const { controlSocket, netns } = lab.hosts[0]!;
  const { backend } = await askDaemon(controlSocket, '/v1/status');
  if (backend === null || backend.type === 'host-gw' || backend.type === 'udp') return;
  const argv = ['ping', '-n', '-q', '-i', '2', '-I', backend.device, emptySubnet(pods)];
  spawnInNetns(netns, argv, { logFile: '/dev/null' });
}

/** Waits until packets pass host 1 both ways, or by the kernel alone. Throws WeftError TIMEOUT. */
export async function whenPacketsMove(lab: Lab, signal: AbortSignal): Promise<void> {
  const { controlSocket, netns } = lab.hosts[0]!;
  const isMoving = async () => {
    const [status, stats] = await Promise.all([
      askDaemon(controlSocket, '/v1/status'),
      askDaemon(controlSocket, '/v1/stats'),
    ]);
    if (signal.aborted || (status.state === 'ready' && status.backend?.type === 'host-gw')) return true;
    return stats.outbound.forwarded > 0 && stats.inbound.forwarded > 0;
  };
  if (!(await until(isMoving, MOVING_WITHIN_MS)))
    throw new WeftError('TIMEOUT', `No packet has passed ${netns} within ${MOVING_WITHIN_MS / 1000} s`);
}

/** Starts a program again whenever it has ended, with a pause before. */
async function again(signal: AbortSignal, pauseMs: number, start: () => LabProcess): Promise<void> {
  while (!signal.aborted) {
    await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await start().exited;
  }
}

/** An address of the network whose subnet no pod of the lab is in. */
function emptySubnet(pods: readonly ConnectedPod[]): string {
  const taken = new Set(pods.map(({ address }) => address.split('.')[2]));
  const third = [251, 252, 253, 250].find((number) => !taken.has(`${number}`)) ?? 249;
  return pods[0]!.address.replace(/\d+\.\d+$/, `${third}.9`);
}
