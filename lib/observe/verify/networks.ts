/** Whose packets are verified: the networks of a running daemon, of a file of leases, or whatever carries packets at all. */
import type { IpAddress } from '../../addr/ip.ts';
import { parseIpv4 } from '../../addr/ipv4.ts';
import { parseIpv6 } from '../../addr/ipv6.ts';
import { type Mac, parseMac } from '../../addr/mac.ts';
import { type Prefix, parsePrefix } from '../../addr/prefix.ts';
import type { AnyWire } from '../../capture/checks.ts';
import type { InspectedNode } from '../../capture/expectation.ts';
import type { ControlReplies, NetworkReport, Peer } from '../../control/protocol.ts';
import { isIgnored } from '../../control/protocol.ts';
import { wireOf } from '../../headers/wire-of.ts';

export interface VerifiedNetwork {
  /** '' where there is one without a name. */
  readonly name: string;
  readonly wire: AnyWire;
  /** Undefined: no leases are known, and whose address is whose is not checked. */
  readonly nodes: readonly InspectedNode[] | undefined;
  readonly learning: boolean;
  /** Longest packet of the underlay. */
  readonly mtu: number;
}

/** RFC 894: what a link carries of which nothing else is known. */
export const USUAL_MTU = 1500;

/** Of any capture file: flannel's port of udp, both ports of vxlan, IP in IP. */
export function usualNetworks(mtu: number): VerifiedNetwork[] {
  const wires: AnyWire[] = [
    { encapsulation: 'ip-in-udp', port: 8285 },
    { encapsulation: 'vxlan', port: 8472, vni: undefined },
    { encapsulation: 'vxlan', port: 4789, vni: undefined },
    { encapsulation: 'ipip' },
  ];
  return wires.map((wire) => ({ name: '', wire, nodes: undefined, learning: false, mtu }));
}

/** One of the daemon's networks; undefined while it carries nothing, or nothing that can be told from other traffic. */
export function networkOfDaemon(
  { name, backend, external, lease }: NetworkReport,
  { peers }: ControlReplies['/v1/peers'],
): VerifiedNetwork | undefined {
  if (backend === null || external === null || lease === null) return undefined;
  const wire = wireOf(backend);
  if (wire === undefined) return undefined;
  const own = nodeOf({
    addresses: [external.publicIp, external.publicIpv6],
    subnets: [lease.ipv4, lease.ipv6],
    macs: [backend.vtepMac, backend.vtepMacV6],
  });
  const others = peers.filter((peer) => !isIgnored(peer)).map(nodeOfPeer);
  return { name, wire, nodes: [own, ...others], learning: backend.learning === true, mtu: external.mtu };
}

function nodeOfPeer({ publicIp, publicIpv6, subnet, ipv6Subnet, vtepMac, vtepMacV6 }: Peer): InspectedNode {
  return nodeOf({ addresses: [publicIp, publicIpv6], subnets: [subnet, ipv6Subnet], macs: [vtepMac, vtepMacV6] });
}

interface NodeTexts {
  readonly addresses: readonly (string | null)[];
  readonly subnets: readonly (string | null)[];
  readonly macs: readonly (string | null)[];
}

function nodeOf({ addresses, subnets, macs }: NodeTexts): InspectedNode {
  return {
    addresses: addresses.flatMap((text): IpAddress[] => {
      const address = text === null ? undefined : (parseIpv4(text) ?? parseIpv6(text));
      return address === undefined ? [] : [address];
    }),
    mac: undefined,
    inner: subnets.flatMap((text): Prefix[] => (text === null ? [] : [parsePrefix(text) ?? []].flat())),
    vtepMacs: macs.flatMap((text): Mac[] => (text === null ? [] : [parseMac(text) ?? []].flat())),
  };
}
