/**
 * The paths of all contenders, in one lab of two hosts joined by one veth: every path has devices, addresses and pods' links
 * of its own there, and one etcd serves all. What the kernel carries is simply there; daemons run only while their path is
 * measured, so that every path is measured on a machine on which nothing else runs.
 */
import { startEtcd } from '../lab/etcd.ts';
import { unlessInterrupted } from '../lab/interrupt.ts';
import { startKernelPeer } from '../lab/kernel-peer.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import { execInNetns, type LabProcess } from '../lab/netns.ts';
import { withLab } from '../lab/with-lab.ts';
import type { ContenderBed } from './contenders.ts';
import { type Contender, NETWORKS, type NetworkName, type Path, pathOf } from './contenders.ts';
import { Observations } from './observations.ts';
import { linkPod } from './pod-link.ts';
import { hostsOf, podBed, STANDING } from './standing-beds.ts';
import { Segment } from './storm.ts';
import { addressesOf, etcdPrefixOf, hostFor, WeftNetwork, waitForEcho } from './weft-network.ts';

export const UNDERLAY_MTU = 1500;

/** The kernel's lease in a network where weftd takes one at random. */
const KERNEL_PEER_SUBNET = `10.${NETWORKS['from-kernel'].number}.250.0/24`;

/** etcd's own defaults: with a lab's, which make it start at once, it wakes 500 times a second for ever. */
const QUIET_ETCD = ['--heartbeat-interval=100', '--election-timeout=1000'];

export interface BedSet {
  readonly contenders: readonly Contender[];
  readonly lab: Lab;
  /** What was started and goes on running. */
  readonly pids: readonly number[];
  /** What was noticed by the way. */
  readonly observations: Observations;
  /** Runs `body` while the contender's path carries packets. */
  within<T>(contender: Contender, body: (bed: ContenderBed) => Promise<T>): Promise<T>;
}

export interface BedOptions {
  readonly contenders: readonly Contender[];
  /** At most 8 characters [a-z0-9]; names the lab. */
  readonly id: string;
  /** No storm lasts longer. */
  readonly stormSeconds: number;
  readonly log: (line: string) => void;
}

/** Builds what the contenders need, runs `body`, and removes it all, however `body` ends, also by a signal. */
export function withBeds<T>(options: BedOptions, body: (beds: BedSet, signal: AbortSignal) => Promise<T>): Promise<T> {
  const { id, log } = options;
  const lab = { id, hosts: 2, direct: true, underlayMtu: UNDERLAY_MTU, log };
  return withLab(lab, (built, signal) =>
    unlessInterrupted(signal, async () => {
      const beds = new LabBeds(built, options);
      await beds.prepare();
      return body(beds, signal);
    }),
  );
}

class LabBeds implements BedSet {
  readonly lab: Lab;
  readonly contenders: readonly Contender[];
  readonly observations = new Observations();
  readonly #options: BedOptions;
  readonly #standing = new Map<Contender, ContenderBed>();
  readonly #networks = new Map<NetworkName, { readonly network: WeftNetwork; readonly addresses: readonly string[] }>();
  #segment: Segment | undefined;
  #etcd: LabProcess | undefined;

  constructor(lab: Lab, options: BedOptions) {
    this.lab = lab;
    this.contenders = options.contenders;
    this.#options = options;
  }

  get pids(): readonly number[] {
    return this.#etcd === undefined ? [] : [this.#etcd.pid];
  }

  async prepare(): Promise<void> {
    for (const contender of this.contenders) {
      this.#options.log(`preparing ${contender}`);
      const path = pathOf(contender);
      switch (path.kind) {
        case 'weft':
        case 'kernel-to-weft':
          await this.#prepareNetwork(path.network, path.kind);
          break;
        case 'segment':
          await this.#prepareSegment();
          break;
        default:
          this.#standing.set(contender, await STANDING[path.kind](this.lab));
      }
    }
  }

  async #startNetwork(name: NetworkName, hosts: readonly LabHost[]): Promise<WeftNetwork> {
    this.#etcd ??= await startEtcd(this.lab, { extraArgs: QUIET_ETCD });
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

  async #prepareSegment(): Promise<void> {
    if (this.#segment !== undefined) return;
    const hosts = hostsOf(this.lab);
    const network = await this.#startNetwork('segment', hosts);
    this.#segment = await Segment.prepare(this.lab, network, hosts, this.#options.stormSeconds);
  }

  async within<T>(contender: Contender, body: (bed: ContenderBed) => Promise<T>): Promise<T> {
    const measure = (bed: ContenderBed) => this.observations.countingFragments(bed, () => body(bed));
    const standing = this.#standing.get(contender);
    return standing === undefined ? this.#withDaemons(contender, pathOf(contender), measure) : measure(standing);
  }

  #withDaemons<T>(contender: Contender, path: Path, measure: (bed: ContenderBed) => Promise<T>): Promise<T> {
    if (path.kind === 'segment') {
      const onStorm = this.observations.addStorm.bind(this.observations);
      // `prepare` has made what the contenders need.
      return this.#segment!.within(path.storm, onStorm, (bed) => measure({ contender, ...bed }));
    }
    if (path.kind !== 'weft' && path.kind !== 'kernel-to-weft') throw new RangeError(`${contender} was not prepared`);
    const { network, addresses } = this.#networks.get(path.network)!;
    const whole = path.kind === 'kernel-to-weft' ? withoutChecksumOffload : withoutChange;
    return network.within(path.offload, (daemonPids) =>
      whole(hostsOf(this.lab)[0], async () => {
        const bed = podBed(contender, this.lab, addresses, daemonPids);
        await waitForEcho(bed.client.netns, bed.server.address);
        const result = await measure(bed);
        this.observations.addDaemons(contender, await network.record(daemonPids));
        return result;
      }),
    );
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

async function setChecksumOffload({ netns, underlayInterface }: LabHost, state: 'on' | 'off'): Promise<void> {
  await execInNetns(netns, ['ethtool', '-K', underlayInterface, 'tx', state]);
}

function withoutChange<T>(_host: LabHost, body: () => Promise<T>): Promise<T> {
  return body();
}

/** The queueing discipline of the underlay device, as tc(8) names it: "noqueue". */
export async function underlayQdisc(lab: Lab): Promise<string> {
  const { netns, underlayInterface } = hostsOf(lab)[0];
  const { stdout } = await execInNetns(netns, ['tc', 'qdisc', 'show', 'dev', underlayInterface, 'root']);
  return /^qdisc (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
