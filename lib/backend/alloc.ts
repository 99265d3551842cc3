/** flannel's `alloc` backend: a subnet for this host, and nothing else. Something else has to carry the packets. */
import { noStats } from '../dataplane/main/add-stats.ts';
import { removeLeftovers } from '../router/router.ts';
import type { Backend, BackendOptions } from './backend.ts';

/** Removes the routes that an earlier run with another backend left; makes nothing. */
export async function startAllocBackend({ config, external, log, netns }: BackendOptions): Promise<Backend> {
  const scope = config.ipv6 === undefined ? [config.network] : [config.network, config.ipv6.network];
  await removeLeftovers({ netns, scope, log });
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
    fdb: () => [],
    neighbors: () => Promise.resolve([]),
    stop: () => Promise.resolve(),
  };
}
