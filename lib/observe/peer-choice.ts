/** Peers by what a person calls them, and as what filters and comments know them by. */
import { parseIpv4 } from '../addr/ipv4.ts';
import { parsePrefix, prefixContains } from '../addr/prefix.ts';
import type { Peer } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import type { NamedPeer } from './packet-notes.ts';

export interface ChosenPeer {
  readonly peer: Peer;
  /** pcap-filter(7) for its packets on one kind of edge. */
  readonly filterOn: (kind: 'overlay' | 'underlay') => string;
}

/** `wanted`: a public IP, a subnet or an address in it. Throws USAGE, UNKNOWN_PEER. */
export function choosePeer(peers: readonly Peer[], wanted: string): ChosenPeer {
  const address = wanted.includes('/') ? wanted : `${wanted}/${wanted.includes(':') ? 128 : 32}`;
  const prefix = parsePrefix(address);
  if (prefix === undefined) throw new WeftError('USAGE', `"${wanted}" is no address and no subnet`);
  const peer =
    peers.find(({ publicIp, publicIpv6 }) => publicIp === wanted || publicIpv6 === wanted) ??
    peers.find(({ subnet, ipv6Subnet }) =>
      [subnet, ipv6Subnet].some((each) => {
        const own = each === null ? undefined : parsePrefix(each);
        return own !== undefined && own.family === prefix.family && prefixContains(own, prefix);
      }),
    );
  if (peer === undefined)
    throw new WeftError('UNKNOWN_PEER', `No peer has the public IP, subnet or pod address ${wanted}`, {
      hint: 'weft peers lists them',
    });
  const filterOn = (kind: 'overlay' | 'underlay'): string =>
    kind === 'underlay'
      ? either('host', [peer.publicIp, peer.publicIpv6])
      : either('net', [peer.subnet, peer.ipv6Subnet]);
  return { peer, filterOn };
}

/** What the daemon says goes into a filter only as an address. */
function either(word: string, values: readonly (string | null)[]): string {
  return values
    .filter((value) => value !== null && /^[\da-f.:/]+$/i.test(value) && value !== '')
    .map((value) => `${word} ${value}`)
    .join(' or ');
}

/** For comments: peers with an IPv4 underlay and an IPv4 subnet. */
export function namedPeers(peers: readonly Peer[]): NamedPeer[] {
  return peers.flatMap(({ publicIp, subnet }) => {
    const underlay = parseIpv4(publicIp);
    const prefix = parsePrefix(subnet);
    if (underlay === undefined || prefix === undefined || prefix.family !== 4) return [];
    const subnetMask = prefix.length === 0 ? 0 : (0xffff_ffff << (32 - prefix.length)) >>> 0;
    return [{ name: publicIp, underlay, subnet: (prefix.address & subnetMask) >>> 0, subnetMask }];
  });
}
