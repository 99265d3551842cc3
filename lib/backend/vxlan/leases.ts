/** What the leases of a vxlan network say about its VTEPs, with everything in it that could do harm refused. Pure. */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import { formatMac, isGroupMac, type Mac, parseMac } from '../../addr/mac.ts';
import { formatPrefix, type Prefix } from '../../addr/prefix.ts';
import { type BackendObject, findOption } from '../../lease/backend-option.ts';
import type { Lease } from '../../lease/lease.ts';
import type { RefusedLease } from '../backend.ts';
import { Holders } from '../holders.ts';
import { quotePlain } from '../option.ts';
import { type OwnPlace6, whyNot6 } from '../peer-leases.ts';
import { cutVni } from './options.ts';

/** A peer's tunnel end in one address family, and what is behind it. */
export interface Vtep {
  /** On the underlay: PublicIP or PublicIPv6. */
  readonly address: IpAddress;
  readonly mac: Mac;
  /** One for each lease of the host. The base address of each is an address of the VTEP's device. */
  readonly subnets: readonly Prefix[];
}

/** Our own end in one address family. */
export interface OwnVtep {
  readonly vni: number;
  readonly mac: Mac;
}

export interface SortedVteps {
  readonly vteps: readonly Vtep[];
  readonly refused: readonly RefusedLease[];
}

/** `leases` are those sortLeases found usable. */
export function sortVteps4(leases: readonly Lease[], own: OwnVtep): SortedVteps {
  return sortVteps(leases.map(end4), own);
}

/** As sortVteps4 for the IPv6 device. A lease without an IPv6 subnet is in neither list. */
export function sortVteps6(leases: readonly Lease[], own: OwnVtep, place: OwnPlace6): SortedVteps {
  return sortVteps(
    leases.map((lease) => end6(lease, place)).filter((end) => end !== undefined),
    own,
  );
}

/** One family of one lease. */
interface LeaseEnd {
  readonly subnet: Prefix;
  readonly address: IpAddress;
  /** BackendData or BackendV6Data: from outside, so anything. */
  readonly data: unknown;
  /** Known before looking at `data`. */
  readonly problem: string | undefined;
}

function end4({ subnets, attrs }: Lease): LeaseEnd {
  return { subnet: subnets.ipv4, address: attrs.publicIp, data: attrs.backendData, problem: undefined };
}

function end6(lease: Lease, place: OwnPlace6): LeaseEnd | undefined {
  const { subnets, attrs } = lease;
  if (subnets.ipv6 === undefined) return undefined;
  const address = attrs.publicIpv6 ?? attrs.publicIp;
  return { subnet: subnets.ipv6, address, data: attrs.backendV6Data, problem: whyNot6(lease, place) };
}

interface GrowingVtep extends Vtep {
  readonly subnets: Prefix[];
}

/**
 * The first lease with a VtepMAC, or with a subnet, keeps it: the leases come in the order in which their keys were made, so
 * that a new one cannot take what a peer in use has. Leases with the same MAC and address are one host that got a second subnet.
 */
function sortVteps(ends: readonly LeaseEnd[], own: OwnVtep): SortedVteps {
  const byMac = new Map<Mac, GrowingVtep>();
  const holders = new Holders();
  const refused: RefusedLease[] = [];
  const refuse = ({ subnet, address }: LeaseEnd, reason: string): void => {
    refused.push({ subnet: formatPrefix(subnet), publicIp: formatIp(address), reason });
  };
  for (const end of ends) {
    const { subnet, address } = end;
    const mac = end.problem ?? readVtepMac(end.data, own);
    if (typeof mac === 'string') {
      refuse(end, mac);
      continue;
    }
    const holder = byMac.get(mac);
    const problem =
      holder === undefined || holder.address === address ? holders.claim(subnet, address) : takenMac(holder);
    if (problem !== undefined) refuse(end, problem);
    else if (holder === undefined) byMac.set(mac, { address, mac, subnets: [subnet] });
    else holder.subnets.push(subnet);
  }
  return { vteps: [...byMac.values()], refused };
}

function takenMac({ mac, subnets, address }: Vtep): string {
  const holder = `${formatPrefix(subnets[0]!)} of ${formatIp(address)}`;
  return `its VtepMAC ${formatMac(mac)} is that of lease ${holder}; delete that lease if its node is gone`;
}

/** The VtepMAC, or why it cannot be used. A missing VNI is ours: old leases have none (flannel issue 325). */
function readVtepMac(data: unknown, own: OwnVtep): Mac | string {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'it has no VXLAN data (BackendData)';
  const fields = data as BackendObject;
  const vni = findOption(fields, 'VNI');
  if (vni !== undefined && vni !== own.vni && vni !== cutVni(own.vni))
    return `its VNI is ${quotePlain(vni)}, ours is ${own.vni}`;
  const text = findOption(fields, 'VtepMAC');
  if (text === undefined) return 'it has no VtepMAC';
  const mac = typeof text === 'string' ? parseMac(text) : undefined;
  if (mac === undefined) return `its VtepMAC is ${quotePlain(text)}, which is no MAC address`;
  if (mac === 0) return 'its VtepMAC is all zeros';
  if (isGroupMac(mac)) return `its VtepMAC ${formatMac(mac)} is a multicast address`;
  if (mac === own.mac) return `its VtepMAC ${formatMac(mac)} is ours`;
  return mac;
}
