/**
 * Who has a prefix that several leases name: one rule for the tables of all backends, so that a packet and its answer go to,
 * and are taken from, the same peer. The longer prefix counts, as in every table; of two leases for one prefix the first,
 * which is the older (LeaseEvent.leases). Pure.
 */
import { formatIp, type IpAddress } from '../addr/ip.ts';
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import type { Lease } from '../lease/lease.ts';
import { type PrefixKey, prefixKey } from '../router/diff.ts';
import type { RefusedLease } from './backend.ts';
import type { SortedLeases } from './peer-leases.ts';

export class Holders {
  /** PublicIP or PublicIPv6 of each. */
  readonly #holders = new Map<PrefixKey, IpAddress>();

  /** Why `prefix` is not for the peer at `address`; undefined: it has it, from now on. */
  claim(prefix: Prefix, address: IpAddress): string | undefined {
    const key = prefixKey(prefix);
    const holder = this.#holders.get(key);
    if (holder === undefined) this.#holders.set(key, address);
    if (holder === undefined || holder === address) return undefined;
    return `its subnet is leased to ${formatIp(holder)} too, by an older key: delete the wrong one`;
  }
}

/** Refuses leases whose subnet an earlier one has; an IPv6 subnet alone is taken out of its lease. */
export function settleContests(leases: readonly Lease[]): SortedLeases {
  const holders = new Holders();
  const usable: Lease[] = [];
  const refused: RefusedLease[] = [];
  for (const lease of leases) {
    const { subnets, attrs } = lease;
    const { ipv4, ipv6 } = subnets;
    const refuse = (prefix: Prefix, reason: string): void => {
      refused.push({ subnet: formatPrefix(prefix), publicIp: formatIpv4(attrs.publicIp), reason });
    };
    const reason = holders.claim(ipv4, attrs.publicIp);
    if (reason !== undefined) {
      refuse(ipv4, reason);
      continue;
    }
    const reason6 = ipv6 && holders.claim(ipv6, attrs.publicIp);
    if (reason6 !== undefined) refuse(ipv6!, reason6);
    usable.push(reason6 === undefined ? lease : { ...lease, subnets: { ipv4, ipv6: undefined } });
  }
  return { usable, refused };
}
