import { BACKENDS } from './backends.ts';
import { startDaemon } from './daemon.ts';
import { putConfig, startEtcd } from './etcd.ts';
import type { Lab } from './model.ts';
import type { LabProcess } from './netns.ts';
import { type ConnectedPod, connectPod } from './pod.ts';

export interface OverlayOptions {
  /** flannel's network configuration as it goes into etcd. Default: {@link defaultConfig} with backend udp. */
  readonly config?: object;
  /** More flags for each weftd. */
  readonly daemonArgs?: readonly string[];
  /** Put before each weftd, for example `['taskset', '-c', '0']`. */
  readonly wrapper?: readonly string[];
  /** etcd and the daemons outlive this process. Default false. */
  readonly detached?: boolean;
  readonly log?: (line: string) => void;
}

/** In the order of the lab's hosts. */
export interface Overlay {
  readonly etcd: LabProcess;
  readonly daemons: readonly LabProcess[];
  readonly pods: readonly ConnectedPod[];
}

/** flannel's network configuration with the network all labs use, and the IPv6 one beside it. */
export function defaultConfig(backend: object = BACKENDS.udp, dualStack = false): object {
  const ipv6 = dualStack ? { EnableIPv6: true, IPv6Network: 'fd00:244::/48' } : {};
  return { Network: '10.244.0.0/16', ...ipv6, Backend: backend };
}

/** Starts etcd, writes the configuration, starts a weftd on every host and connects every pod. */
export async function startOverlay(lab: Lab, options: OverlayOptions = {}): Promise<Overlay> {
  const { detached = false, wrapper = [], daemonArgs = [] } = options;
  options.log?.('starting etcd');
  const etcd = await startEtcd(lab, { detached });
  await putConfig(lab, JSON.stringify(options.config ?? defaultConfig()));
  options.log?.(`starting ${lab.hosts.length} weftd`);
  const daemons = await Promise.all(lab.hosts.map((host) => startDaemon(lab, host, daemonArgs, { detached, wrapper })));
  options.log?.('connecting the pods');
  const pods = await Promise.all(lab.hosts.map((host) => connectPod(host)));
  return { etcd, daemons, pods };
}
