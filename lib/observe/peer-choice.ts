/** Peers by what a person calls them, and as what filters and comments know them by. */
import { parseIpv4 } from '../addr/ipv4.ts';
import { parsePrefix, prefixContains } from '../addr/prefix.ts';
import type { Peer } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import type { Edge } from './edges.ts';
import type { NamedPeer } from './packet-notes.ts';

/** The peers of one network; its name is '' for the only one of a daemon without --network. */
export interface NetworkPeers {
  readonly network: string;
  readonly peers: readonly Peer[];
}

export interface ChosenPeer {
  /** Its underlay addresses: of several networks' peers that were meant, all. */
  readonly publicIps: ReadonlySet<string>;
  /** pcap-filter(7) for its packets on an edge; undefined: none of them passes there. */
  readonly filterOn: (edge: Pick<Edge, 'kind' | 'networks'>) => string | undefined;
}

/**
 * `wanted`: a public IP, a subnet or an address in it. Networks may have the same addresses: in each of them the peer is meant
 * that has it there. Throws USAGE, UNKNOWN_PEER.
 */
export function choosePeer(networks: readonly NetworkPeers[], wanted: string): ChosenPeer {
  const chosen = new Map<string, Peer>();
  for (const { network, peers } of networks) {
    const peer = peerIn(peers, wanted);
    if (peer !== undefined) chosen.set(network, peer);
  }
  if (chosen.size === 0)
    throw new WeftError('UNKNOWN_PEER', `No peer has the public IP, subnet or pod address ${wanted}`, {
      hint: 'weft peers lists them',
    });
  const filterOn: ChosenPeer['filterOn'] = ({ kind, networks: carried }) => {
    const filters = carried.flatMap(({ name, wire }) => {
      const peer = chosen.get(name);
      if (peer === undefined) return [];
      // What host-gw sends has the pods' addresses, on the underlay too.
      return kind === 'underlay' && wire.encapsulation !== 'none'
        ? filtersOf('host', [peer.publicIp, peer.publicIpv6])
        : filtersOf('net', [peer.subnet, peer.ipv6Subnet]);
    });
    return filters.length === 0 ? undefined : [...new Set(filters)].join(' or ');
  };
  return { publicIps: new Set([...chosen.values()].map(({ publicIp }) => publicIp)), filterOn };
}

function peerIn(peers: readonly Peer[], wanted: string): Peer | undefined {
  const address = wanted.includes('/') ? wanted : `${wanted}/${wanted.includes(':') ? 128 : 32}`;
  const prefix = parsePrefix(address);
  if (prefix === undefined) throw new WeftError('USAGE', `"${wanted}" is no address and no subnet`);
  return (
    peers.find(({ publicIp, publicIpv6 }) => publicIp === wanted || publicIpv6 === wanted) ??
    peers.find(({ subnet, ipv6Subnet }) =>
      [subnet, ipv6Subnet].some((each) => {
        const own = each === null ? undefined : parsePrefix(each);
        return own !== undefined && own.family === prefix.family && prefixContains(own, prefix);
      }),
    )
  );
}

/** What the daemon says goes into a filter only as an address. */
function filtersOf(word: 'host' | 'net', values: readonly (string | null)[]): string[] {
  return values
    .filter((value) => value !== null && /^[\da-f.:/]+$/i.test(value) && value !== '')
    .map((value) => `${word} ${value}`);
}

/** For comments: peers with an IPv4 underlay and an IPv4 subnet. */
export function namedPeers(networks: readonly NetworkPeers[]): NamedPeer[] {
  return networks.flatMap(({ network, peers }) => peers.flatMap((peer) => namedPeer(network, peer)));
}

function namedPeer(network: string, { publicIp, subnet }: Peer): NamedPeer[] {
  const underlay = parseIpv4(publicIp);
  const prefix = parsePrefix(subnet);
  if (underlay === undefined || prefix === undefined || prefix.family !== 4) return [];
  const subnetMask = prefix.length === 0 ? 0 : (0xffff_ffff << (32 - prefix.length)) >>> 0;
  return [{ network, name: publicIp, underlay, subnet: (prefix.address & subnetMask) >>> 0, subnetMask }];
}
