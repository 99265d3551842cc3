import type { Prefix } from '../addr/prefix.ts';
import type { SubnetPair } from '../lease/lease.ts';
import { networkPrefixes } from '../lease/network-config.ts';
import type { RouterOptions } from '../router/router.ts';
import type { BackendOptions } from './backend.ts';

/** What a backend tells the Router of its network. */
export function routerOptions({ config, earlier, faults, log, netns, own }: BackendOptions): RouterOptions {
  return { netns, scope: networkPrefixes(config), own: prefixesOf(own), earlier: prefixesOf(earlier), faults, log };
}

function prefixesOf(subnets: SubnetPair | undefined): Prefix[] {
  return [subnets?.ipv4, subnets?.ipv6].filter((prefix) => prefix !== undefined);
}
