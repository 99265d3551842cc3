/** flannel's `alloc` backend: a subnet for this host, and nothing else. Something else has to carry the packets. */
import { noStats } from '../dataplane/add-stats.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import { removeLeftovers } from '../router/router.ts';
import type { Backend, BackendOptions, ExternalInterface } from './backend.ts';
import { routerOptions } from './router-options.ts';

/** What our node writes into its lease: neither a type nor an IPv6 address, whatever the network (flannel pkg/backend/alloc). */
export function allocLeaseAttrs({ publicIp }: ExternalInterface): LeaseAttrs {
  return { publicIp, publicIpv6: undefined, backendType: '', backendData: undefined, backendV6Data: undefined };
}

/** Removes the routes that an earlier run with another backend left; makes nothing. */
export async function startAllocBackend(options: BackendOptions): Promise<Backend> {
  const { external } = options;
  await removeLeftovers(routerOptions(options));
  return {
    type: 'alloc',
    deviceName: external.name,
    overlayMtu: external.mtu,
    port: undefined,
    setLeases: () => undefined,
    refusedLeases: () => [],
    offloads: () => [],
    stats: noStats,
    routes: () => [],
    ways: () => [],
    onPathHint: undefined,
    fdb: () => [],
    neighbors: () => Promise.resolve([]),
    stop: () => Promise.resolve(),
  };
}
