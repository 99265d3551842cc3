/**
 * Pods of several hosts in one subnet, joined by a VXLAN segment that learns: no routing, ARP and neighbour discovery go
 * all the way.
 *
 *   [ pod n ] eth2 ── veth ── pod2 ── br0 [ host n ] ── flannel.<VNI>
 *
 * The device becomes a port of the bridge: what comes through it arrives on the bridge, and with reverse path filtering on
 * the host's pods behind cni0 do not reach other hosts any more.
 */
import { ipBatch, run } from './command.ts';
import type { PodSite } from './model.ts';

export interface L2PodOptions {
  /** "10.99.0.1/24" */
  readonly address: string;
  /** "fd00:99::1/64" */
  readonly address6?: string;
  /** The VXLAN device. Default "flannel.1". */
  readonly device?: string;
}

export interface L2Pod {
  /** Of eth2 in the pod. */
  readonly mac: string;
  /** That of the VXLAN device, bytes. */
  readonly mtu: number;
}

/** Once a site. The pod answers broadcast pings. Throws WeftError LAB_COMMAND_FAILED, for example when there is no such device. */
export async function connectL2Pod(site: PodSite, options: L2PodOptions): Promise<L2Pod> {
  const { address, address6, device = 'flannel.1' } = options;
  const { mtu } = await readLink(site.netns, device);
  await ipBatch(site.netns, [
    // Snooping would drop multicast that nobody joined, and waits for a querier that is not there.
    `link add br0 mtu ${mtu} type bridge mcast_snooping 0`,
    'link set br0 up',
    `link set ${device} master br0`,
    `link add pod2 mtu ${mtu} type veth peer name eth2 netns ${site.podNetns} mtu ${mtu}`,
    'link set pod2 master br0 up',
  ]);
  await ipBatch(site.podNetns, [
    `addr add ${address} dev eth2`,
    ...(address6 === undefined ? [] : [`addr add ${address6} dev eth2 nodad`]),
    'link set eth2 up',
  ]);
  const sysctl = '/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts';
  await run('ip', ['netns', 'exec', site.podNetns, 'tee', sysctl], { input: '0\n' });
  const { address: mac } = await readLink(site.podNetns, 'eth2');
  return { mac, mtu };
}

async function readLink(netns: string, device: string): Promise<{ readonly mtu: number; readonly address: string }> {
  const [link] = JSON.parse(await run('ip', ['-n', netns, '-j', 'link', 'show', 'dev', device]));
  return link;
}
