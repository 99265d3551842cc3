/** Two real nodes among many that do not exist: these have leases in etcd and addresses that nobody answers at. */
import { fileURLToPath } from 'node:url';
import { WeftError } from '../error.ts';
import { ipBatch, run } from '../lab/command.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import { until } from '../lab/until.ts';
import type { Path } from '../measure/path.ts';
import { hostsOf } from './kernel-paths.ts';
import type { LeaseWrites } from './lease-writes.ts';
import { linkPod } from './pod-link.ts';
import { addressesOf, etcdPrefixOf, type WeftNetwork, waitForEcho } from './weft-network.ts';

/** RFC 2544's own: addresses of benchmarks. */
const NOBODY = '198.18';
const KNOWN_WITHIN_MS = 120_000;

export class ScaleLab {
  readonly #lab: Lab;
  readonly #network: WeftNetwork;
  readonly #hosts: readonly [LabHost, LabHost];
  readonly #addresses: readonly string[];
  /** Leases in etcd, from the first on. */
  #written = 0;

  private constructor(lab: Lab, network: WeftNetwork, addresses: readonly string[]) {
    this.#lab = lab;
    this.#network = network;
    this.#hosts = hostsOf(lab);
    this.#addresses = addresses;
  }

  /** Connects a pod on each host. The daemons of `network` have been started once. */
  static async prepare(lab: Lab, network: WeftNetwork): Promise<ScaleLab> {
    const addresses: string[] = [];
    for (const [index, host] of hostsOf(lab).entries()) {
      const link = { name: 'scale', subnet: network.subnets[index]!, network: addressesOf('scale') };
      addresses.push(await linkPod(host, link));
      // Without ARP its far end takes what is sent to nobody for somebody else's, and says nothing: as a host that is down.
      await ipBatch(host.netns, [
        'link add nobody type veth peer name nobody-end',
        'link set nobody-end up',
        'link set nobody arp off up',
        `route add ${NOBODY}.0.0/16 dev nobody`,
      ]);
    }
    return new ScaleLab(lab, network, addresses);
  }

  /** The real nodes' daemons run during `body`, and packets pass between their pods. */
  within<T>(body: (path: Path, daemons: readonly number[]) => Promise<T>): Promise<T> {
    return this.#network.within('auto', async (daemonPids) => {
      const [client, server] = this.#hosts;
      const path: Path = {
        client: { netns: client.podNetns, address: this.#addresses[0]! },
        server: { netns: server.podNetns, address: this.#addresses[1]! },
        daemonPids,
        namespaces: this.#hosts.flatMap(({ netns, podNetns }) => [netns, podNetns]),
      };
      await waitForEcho(path.client.netns, path.server.address);
      return body(path, daemonPids);
    });
  }

  /** Makes so many leases of nodes that do not exist, in all. `perSecond` null: at once. */
  async writeLeases(count: number, perSecond: number | null): Promise<void> {
    const writes = [];
    for (let i = this.#written; i < count; i++) writes.push({ key: this.#keyOf(i), value: leaseOf(i) });
    for (let i = count; i < this.#written; i++) writes.push({ key: this.#keyOf(i), value: null });
    this.#written = count;
    const wanted: LeaseWrites = { endpoint: this.#lab.etcdEndpoint, writes, perSecond };
    const script = fileURLToPath(new URL('./lease-writes.js', import.meta.url));
    const inEtcdNetns = ['netns', 'exec', this.#lab.etcdNetns];
    await run('ip', [...inEtcdNetns, process.execPath, script], { input: JSON.stringify(wanted) });
  }

  /** Until the first host's daemon has so many peers, the other real one among them. Resolves to seconds. Code: TIMEOUT. */
  async whenKnown(peers: number): Promise<number> {
    const start = performance.now();
    let known = 0;
    const all = await until(async () => {
      // A daemon that is busy with new leases may answer late: it does not know them yet.
      known = await this.#network.peersOf(0).catch(() => known);
      return known >= peers;
    }, KNOWN_WITHIN_MS);
    if (!all)
      throw new WeftError('TIMEOUT', `weftd knows ${known} of ${peers} peers after ${KNOWN_WITHIN_MS / 1000} s`);
    return (performance.now() - start) / 1000;
  }

  #keyOf(index: number): string {
    const taken = new Set(this.#network.subnets);
    // Two real nodes move at most two others out of their way.
    const free = [index, index + 16_000, index + 16_100].find((number) => !taken.has(subnetOf(number)));
    return `${etcdPrefixOf('scale')}/subnets/${subnetOf(free ?? index)}.0-24`;
  }
}

/** First three bytes of the subnet of a node, 0..16383: "10.7.33". */
function subnetOf(index: number): string {
  return `10.${index >> 8}.${index & 255}`;
}

/** What flannel's udp writes. */
function leaseOf(index: number): string {
  const number = index + 1;
  return JSON.stringify({ PublicIP: `${NOBODY}.${number >> 8}.${number & 255}`, PublicIPv6: null });
}
