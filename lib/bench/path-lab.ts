/**
 * All paths, in one lab of two hosts joined by one veth: every path has devices, addresses and pods' links
 * of its own there, and one etcd serves all. What the kernel carries is simply there; daemons run only while their path is
 * measured, so that every path is measured on a machine on which nothing else runs.
 */
import { startEtcd } from '../lab/etcd.ts';
import { setFeatures } from '../lab/ethtool.ts';
import { unlessInterrupted } from '../lab/interrupt.ts';
import { startKernelPeer } from '../lab/kernel-peer.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import { execInNetns, type LabProcess } from '../lab/netns.ts';
import { withLab } from '../lab/with-lab.ts';
import { FlannelNetwork } from './flannel-network.ts';
import { hostsOf, KERNEL_PATHS, podPath } from './kernel-paths.ts';
import { Observations } from './observations.ts';
import { type NamedPath, NETWORKS, type NetworkName, type PathName, type PathSetup, setupOf } from './paths.ts';
import { linkPod } from './pod-link.ts';
import { ScaleLab } from './scale-lab.ts';
import { StormLab } from './storm.ts';
import { addressesOf, etcdPrefixOf, hostFor, WeftNetwork, waitForEcho } from './weft-network.ts';

export const UNDERLAY_MTU = 1500;

/** The kernel's lease in a network where weftd takes one at random. */
const KERNEL_PEER_SUBNET = `10.${NETWORKS['from-kernel'].number}.250.0/24`;

/** Names of devices have 15 characters at most. */
const SHORT_NAMES: Partial<Readonly<Record<NetworkName, string>>> = {
  'flannel-udp': 'fl-udp',
  'flannel-vxlan': 'fl-vxlan',
};

/** etcd's own defaults: with a lab's, which make it start at once, it wakes 500 times a second for ever. */
const QUIET_ETCD = ['--heartbeat-interval=100', '--election-timeout=1000'];

export interface PathLabOptions {
  readonly paths: readonly PathName[];
  /** At most 8 characters [a-z0-9]; names the lab. */
  readonly id: string;
  /** The file of flanneld, for its paths. */
  readonly flanneld?: string | undefined;
  /** No storm lasts longer. */
  readonly stormSeconds: number;
  readonly log: (line: string) => void;
  /** After a signal, for `body` to end by itself: see LabOptions. */
  readonly lastWordsMs?: number;
}

/** Builds what the paths need, runs `body`, and removes it all, however `body` ends, also by a signal. */
export function withPathLab<T>(
  options: PathLabOptions,
  body: (pathLab: PathLab, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { id, log, lastWordsMs = 0 } = options;
  const lab = { id, hosts: 2, direct: true, underlayMtu: UNDERLAY_MTU, log, lastWordsMs };
  return withLab(lab, (built, signal) =>
    unlessInterrupted(signal, async () => body(await PathLab.prepare(built, options), signal)),
  );
}

/** The lab, with all paths ready to be used. */
export class PathLab {
  readonly lab: Lab;
  readonly paths: readonly PathName[];
  /** What was noticed by the way. */
  readonly observations = new Observations();
  readonly #options: PathLabOptions;
  readonly #kernelPaths = new Map<PathName, NamedPath>();
  readonly #networks = new Map<NetworkName, { readonly network: WeftNetwork; readonly addresses: readonly string[] }>();
  readonly #flannel = new Map<PathName, { readonly network: FlannelNetwork; readonly addresses: readonly string[] }>();
  #segment: StormLab | undefined;
  #scale: Promise<ScaleLab> | undefined;
  #etcd: LabProcess | undefined;

  private constructor(lab: Lab, options: PathLabOptions) {
    this.lab = lab;
    this.paths = options.paths;
    this.#options = options;
  }

  /** What was started and goes on running. */
  get pids(): readonly number[] {
    return this.#etcd === undefined ? [] : [this.#etcd.pid];
  }

  /** Builds what the paths need; the lab has two hosts. */
  static async prepare(lab: Lab, options: PathLabOptions): Promise<PathLab> {
    const pathLab = new PathLab(lab, options);
    for (const path of options.paths) {
      options.log(`preparing ${path}`);
      await pathLab.#prepare(path);
    }
    return pathLab;
  }

  async #prepare(path: PathName): Promise<void> {
    const setup = setupOf(path);
    switch (setup.kind) {
      case 'weft':
      case 'kernel-to-weft':
        return this.#prepareNetwork(setup.network, setup.kind);
      case 'flannel':
        return this.#prepareFlannel(path, setup.network);
      case 'segment':
        return this.#prepareSegment();
      default:
        this.#kernelPaths.set(path, await KERNEL_PATHS[setup.kind](this.lab));
    }
  }

  async #startEtcd(): Promise<void> {
    this.#etcd ??= await startEtcd(this.lab, { extraArgs: QUIET_ETCD });
  }

  async #startNetwork(name: NetworkName, hosts: readonly LabHost[]): Promise<WeftNetwork> {
    await this.#startEtcd();
    const network = await WeftNetwork.prepare(this.lab, name, hosts);
    this.observations.addStarts(network.readySeconds);
    return network;
  }

  async #prepareNetwork(name: NetworkName, kind: 'weft' | 'kernel-to-weft'): Promise<void> {
    if (this.#networks.has(name)) return;
    const hosts = hostsOf(this.lab);
    const [client] = hosts;
    const fromKernel = kind === 'kernel-to-weft';
    const weftHosts = fromKernel ? [hosts[1]] : hosts;
    const network = await this.#startNetwork(name, weftHosts);
    const addresses = fromKernel ? [await this.#connectKernelPeer(client, name)] : [];
    for (const [index, host] of weftHosts.entries()) {
      const link = { name, subnet: network.subnets[index]!, network: addressesOf(name) };
      addresses.push(await linkPod(host, link));
    }
    this.#networks.set(name, { network, addresses });
  }

  /** Returns the address of the pod behind the kernel's VXLAN. */
  async #connectKernelPeer(host: LabHost, name: NetworkName): Promise<string> {
    const options = { subnet: KERNEL_PEER_SUBNET, etcdPrefix: etcdPrefixOf(name) };
    const { pod } = await startKernelPeer(this.lab, await hostFor(host, name), options);
    // It has switched the offload off for good, but all paths share the underlay.
    await setChecksumOffload(host, 'on');
    return pod.address;
  }

  async #prepareFlannel(path: PathName, name: NetworkName): Promise<void> {
    const { flanneld } = this.#options;
    if (flanneld === undefined) throw new RangeError(`${path} needs flanneld`);
    await this.#startEtcd();
    const hosts = hostsOf(this.lab);
    const network = await FlannelNetwork.prepare(this.lab, name, hosts, flanneld);
    const addresses: string[] = [];
    for (const [index, host] of hosts.entries())
      addresses.push(
        await linkPod(host, {
          name: SHORT_NAMES[name] ?? name,
          subnet: network.subnets[index]!,
          network: addressesOf(name),
        }),
      );
    this.#flannel.set(path, { network, addresses });
  }

  async #prepareSegment(): Promise<void> {
    if (this.#segment !== undefined) return;
    const hosts = hostsOf(this.lab);
    const network = await this.#startNetwork('segment', hosts);
    this.#segment = await StormLab.prepare(this.lab, network, hosts, this.#options.stormSeconds);
  }

  /** The two nodes of a large network; made when it is first asked for. */
  scaleLab(): Promise<ScaleLab> {
    this.#scale ??= this.#startNetwork('scale', hostsOf(this.lab)).then((network) =>
      ScaleLab.prepare(this.lab, network),
    );
    return this.#scale;
  }

  /** Runs `body` while the path carries packets. */
  async within<T>(name: PathName, body: (path: NamedPath) => Promise<T>): Promise<T> {
    const measure = (path: NamedPath) => this.observations.countingFragments(path, () => body(path));
    const kernelPath = this.#kernelPaths.get(name);
    return kernelPath === undefined ? this.#withDaemons(name, setupOf(name), measure) : measure(kernelPath);
  }

  #withDaemons<T>(name: PathName, setup: PathSetup, measure: (path: NamedPath) => Promise<T>): Promise<T> {
    if (setup.kind === 'segment') {
      const onStorm = this.observations.addStorm.bind(this.observations);
      // `prepare` has made what the paths need.
      return this.#segment!.within(setup.storm, onStorm, (path) => measure({ name, ...path }));
    }
    if (setup.kind === 'flannel') return this.#withFlannel(name, measure);
    if (setup.kind !== 'weft' && setup.kind !== 'kernel-to-weft') throw new RangeError(`${name} was not prepared`);
    const { network, addresses } = this.#networks.get(setup.network)!;
    return network.within(setup.offload, (daemonPids) => {
      const measureAndRecord = async (): Promise<T> => {
        const path = podPath(name, this.lab, addresses, daemonPids);
        await waitForEcho(path.client.netns, path.server.address);
        const result = await measure({ ...path, readStages: () => network.readStages() });
        this.observations.addDaemons(name, await network.record(daemonPids));
        return result;
      };
      return setup.kind === 'weft'
        ? measureAndRecord()
        : withoutChecksumOffload(hostsOf(this.lab)[0], measureAndRecord);
    });
  }

  #withFlannel<T>(name: PathName, measure: (path: NamedPath) => Promise<T>): Promise<T> {
    const { network, addresses } = this.#flannel.get(name)!;
    return network.within(async (pids) => {
      const path = podPath(name, this.lab, addresses, pids);
      await waitForEcho(path.client.netns, path.server.address);
      const result = await measure(path);
      this.observations.addResident(name, pids);
      return result;
    });
  }
}

/**
 * A veth takes over the inner checksums of the kernel's VXLAN and never finishes them. Another kernel device does not mind,
 * a socket would get packets whose checksum is wrong, which no wire brings. Without the offload the sending kernel finishes
 * them, and cuts what it sends: its packets arrive one by one, as over a wire.
 */
async function withoutChecksumOffload<T>(host: LabHost, body: () => Promise<T>): Promise<T> {
  await setChecksumOffload(host, 'off');
  try {
    return await body();
  } finally {
    await setChecksumOffload(host, 'on');
  }
}

function setChecksumOffload({ netns, underlayInterface }: LabHost, state: 'on' | 'off'): Promise<void> {
  return setFeatures(netns, underlayInterface, ['tx'], state);
}

/** The queueing discipline of the underlay device, as tc(8) names it: "noqueue". */
export async function underlayQdisc(lab: Lab): Promise<string> {
  const { netns, underlayInterface } = hostsOf(lab)[0];
  const { stdout } = await execInNetns(netns, ['tc', 'qdisc', 'show', 'dev', underlayInterface, 'root']);
  return /^qdisc (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
