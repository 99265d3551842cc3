/**
 * The address that stands for a VTEP in the kernel's neighbour table, as the gateway of a subnet of it. Pure.
 *
 * It is the base of the subnet, as flannel has it. But a subnet inside another one may have the same base, and one address
 * has one neighbour: then the longer prefix has it, and the wider one takes its last free address. Nothing but the
 * neighbour table ever sees that.
 */
import type { IpAddress } from '../../addr/ip.ts';
import type { Prefix } from '../../addr/prefix.ts';
import type { Vtep } from './leases.ts';

/** Of each subnet of each VTEP, all of one family. */
export function gatewaysOf(vteps: readonly Vtep[]): ReadonlyMap<Prefix, IpAddress> {
  const subnets = vteps.flatMap(({ mac, subnets: prefixes }) => prefixes.map((prefix) => ({ mac, prefix })));
  const holders = new Map<IpAddress, number>();
  const gateways = new Map<Prefix, IpAddress>();
  for (const { mac, prefix } of subnets.toSorted((a, b) => b.prefix.length - a.prefix.length)) {
    const isFree = (address: IpAddress): boolean => (holders.get(address) ?? mac) === mac;
    let gateway: IpAddress = prefix.address;
    // Each step back is over the gateway of a longer prefix in this one.
    for (let back = 1; !isFree(gateway); back++) gateway = fromTheEnd(prefix, back);
    holders.set(gateway, mac);
    gateways.set(prefix, gateway);
  }
  return gateways;
}

/** The last address of a prefix for 1, the one before it for 2, ... */
function fromTheEnd(prefix: Prefix, back: number): IpAddress {
  if (prefix.family === 4) return prefix.address + 2 ** (32 - prefix.length) - back;
  return prefix.address + (1n << BigInt(128 - prefix.length)) - BigInt(back);
}
