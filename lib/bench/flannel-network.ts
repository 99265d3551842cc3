/**
 * A network of the real flanneld in the benchmark's lab, started as a user starts it, by its own flags. It has no control socket:
 * what it does is read from the subnet file it writes when it is ready.
 */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WeftError } from '../error.ts';
import { putConfig } from '../lab/etcd.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import { type LabProcess, spawnInNetns, whyNotReady } from '../lab/netns.ts';
import { NETWORKS, type NetworkName } from './paths.ts';
import { addressesOf, etcdPrefixOf, hostFor } from './weft-network.ts';

const READY_WITHIN_MS = 60_000;

export class FlannelNetwork {
  readonly #lab: Lab;
  readonly #flanneld: string;
  readonly #prefix: string;
  readonly #hosts: readonly LabHost[];
  /** First three bytes of each host's pods: "10.108.7". */
  readonly subnets: readonly string[];

  private constructor(
    lab: Lab,
    flanneld: string,
    prefix: string,
    hosts: readonly LabHost[],
    subnets: readonly string[],
  ) {
    this.#lab = lab;
    this.#flanneld = flanneld;
    this.#prefix = prefix;
    this.#hosts = hosts;
    this.subnets = subnets;
  }

  /** Writes the configuration and starts each daemon once: their leases stay. Code: DAEMON_FAILED. */
  static async prepare(
    lab: Lab,
    name: NetworkName,
    labHosts: readonly LabHost[],
    flanneld: string,
  ): Promise<FlannelNetwork> {
    const prefix = etcdPrefixOf(name);
    await putConfig(lab, JSON.stringify({ Network: addressesOf(name), Backend: NETWORKS[name].backend }), prefix);
    const hosts = await Promise.all(labHosts.map((host) => hostFor(host, name)));
    const subnets: string[] = [];
    for (const host of hosts) {
      const daemon = await startFlanneld(lab, host, flanneld, prefix);
      subnets.push(subnetOf(host));
      await daemon.stop();
    }
    return new FlannelNetwork(lab, flanneld, prefix, hosts, subnets);
  }

  /** Runs `body` while the daemons do. Packets may still have to find their way. Codes: DAEMON_FAILED, LEASE_MOVED. */
  async within<T>(body: (pids: readonly number[]) => Promise<T>): Promise<T> {
    const daemons: LabProcess[] = [];
    try {
      for (const [index, host] of this.#hosts.entries()) {
        daemons.push(await startFlanneld(this.#lab, host, this.#flanneld, this.#prefix));
        const subnet = subnetOf(host);
        if (subnet !== this.subnets[index])
          throw new WeftError('LEASE_MOVED', `${host.netns} got ${subnet}, not ${this.subnets[index]}`);
      }
      return await body(daemons.map(({ pid }) => pid));
    } finally {
      await Promise.all(daemons.map((daemon) => daemon.stop()));
    }
  }
}

async function startFlanneld(lab: Lab, host: LabHost, flanneld: string, prefix: string): Promise<LabProcess> {
  rmSync(host.subnetFile, { force: true });
  const flags = [
    `--iface=${host.underlayInterface}`,
    `--etcd-endpoints=${lab.etcdEndpoint}`,
    `--etcd-prefix=${prefix}`,
    `--subnet-file=${host.subnetFile}`,
    // The lab has no other firewall, and iptables may not be there.
    '--iptables-forward-rules=false',
  ];
  const logFile = join(dirname(host.subnetFile), 'flanneld.log');
  const daemon = spawnInNetns(host.netns, [flanneld, ...flags], { logFile });
  const isReady = () => statSync(host.subnetFile, { throwIfNoEntry: false }) !== undefined;
  const why = await whyNotReady(daemon, isReady, READY_WITHIN_MS);
  if (why === undefined) return daemon;
  const lastLine = daemon.stdout().trimEnd().split('\n').at(-1) ?? '';
  throw new WeftError('DAEMON_FAILED', `Cannot start ${flanneld} on ${host.netns}: ${why}: ${lastLine}`);
}

/** From FLANNEL_SUBNET=10.108.7.1/24. */
function subnetOf(host: LabHost): string {
  const bytes = /^FLANNEL_SUBNET=(\d+\.\d+\.\d+)\.1\/24$/m.exec(readFileSync(host.subnetFile, 'utf8'))?.[1];
  if (bytes === undefined) throw new WeftError('LEASE_MOVED', `${host.subnetFile} has no /24`);
  return bytes;
}
