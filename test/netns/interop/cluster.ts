/** Labs whose hosts are different: weftd on some, the kernel's VXLAN on others. */
import { askDaemon } from '../../../lib/control/client.ts';
import { startDaemon } from '../../../lib/lab/daemon.ts';
import { putConfig, startEtcd } from '../../../lib/lab/etcd.ts';
import { type KernelPeer, startKernelPeer } from '../../../lib/lab/kernel-peer.ts';
import type { Lab, LabHost } from '../../../lib/lab/model.ts';
import type { LabProcess } from '../../../lib/lab/netns.ts';
import { defaultConfig } from '../../../lib/lab/overlay.ts';
import { type ConnectedPod, connectPod } from '../../../lib/lab/pod.ts';
import { until } from '../../../lib/lab/until.ts';
import { withLab } from '../../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../../patience.ts';

export interface ClusterOptions {
  readonly id: string;
  /** What runs on each host. */
  readonly ends: readonly ('weft' | 'kernel')[];
  readonly backend: { readonly Type: string; readonly [option: string]: unknown };
  readonly dualStack?: boolean;
  readonly underlayMtu?: number;
  /** Of every weftd, and more for single ones, in the order of the ends. */
  readonly daemonArgs?: readonly string[];
  readonly hostArgs?: readonly (readonly string[])[];
}

export interface End {
  readonly host: LabHost;
  readonly pod: ConnectedPod;
  readonly daemon: LabProcess | undefined;
  readonly kernel: KernelPeer | undefined;
}

export interface Cluster {
  readonly lab: Lab;
  /** In the order asked for. */
  readonly ends: readonly End[];
}

/** Builds the lab, waits until all ends know one another, runs `body` and takes it all down. */
export async function withCluster(options: ClusterOptions, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const { id, ends, underlayMtu = 1500 } = options;
  await withLab({ id, hosts: ends.length, underlayMtu }, async (lab) => {
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig(options.backend, options.dualStack)));
    const started = await startEnds(lab, options);
    await Promise.all(started.map((end) => meetOthers(end, ends.length - 1)));
    await body({ lab, ends: started });
  });
}

async function startEnds(
  lab: Lab,
  { ends, dualStack, daemonArgs = [], hostArgs = [] }: ClusterOptions,
): Promise<End[]> {
  const isKernel = (host: LabHost): boolean => ends[host.number - 1] === 'kernel';
  // Their subnets are fixed: they are taken before a weftd may choose one.
  const kernels = await Promise.all(lab.hosts.filter(isKernel).map((host) => startKernel(lab, host, dualStack)));
  const wefts = lab.hosts
    .filter((host) => !isKernel(host))
    .map((host) => startWeft(lab, host, [...UNWATCHED, ...daemonArgs, ...(hostArgs[host.number - 1] ?? [])]));
  return [...kernels, ...(await Promise.all(wefts))].toSorted((a, b) => a.host.number - b.host.number);
}

async function startKernel(lab: Lab, host: LabHost, dualStack = false): Promise<End> {
  const ipv6 = dualStack ? { subnet6: `fd00:244:0:${240 + host.number}::/64` } : {};
  const kernel = await startKernelPeer(lab, host, { subnet: `10.244.${240 + host.number}.0/24`, ...ipv6 });
  return { host, pod: kernel.pod, daemon: undefined, kernel };
}

/** What is counted and compared here is what the tests send: no echoes of the peer monitor. */
const UNWATCHED = ['--peer-probe-interval=off'];

async function startWeft(lab: Lab, host: LabHost, daemonArgs: readonly string[]): Promise<End> {
  const daemon = await startDaemon(lab, host, daemonArgs);
  return { host, pod: await connectPod(host), daemon, kernel: undefined };
}

async function meetOthers({ host, kernel }: End, count: number): Promise<void> {
  if (kernel === undefined) await knowsPeers(host, count);
  else await kernel.update();
}

/** Until the weftd on a host carries packets for that many others, in one of its networks; subnet.env is there before that. */
export async function knowsPeers(host: LabHost, count: number, network?: string): Promise<void> {
  const status = async () => askDaemon(host.controlSocket, '/v1/status', network);
  const ready = async (): Promise<boolean> => {
    const { state, peers } = await status();
    return state === 'ready' && peers === count;
  };
  if (await until(ready, PATIENCE_MS)) return;
  const { state, peers } = await status();
  throw new Error(`weftd on ${host.netns} is ${state} and knows ${peers} of ${count} peers`);
}
