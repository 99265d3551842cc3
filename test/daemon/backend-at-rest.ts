import type { Backend, RefusedLease } from '../../lib/backend/backend.ts';
import { noStats } from '../../lib/dataplane/add-stats.ts';
import type { PeerStats } from '../../lib/dataplane/stats.ts';

/** A backend that carries nothing, as a value: for replies that are made from one. */
export function backendAtRest(refused: readonly RefusedLease[], peers: readonly PeerStats[]): Backend {
  return {
    type: 'vxlan',
    deviceName: 'flannel.1',
    overlayMtu: 1450,
    port: undefined,
    setLeases: () => undefined,
    refusedLeases: () => refused,
    offloads: () => [],
    stats: () => ({ ...noStats(), peers }),
    routes: () => [],
    ways: () => [],
    onPathHint: undefined,
    fdb: () => [],
    neighbors: async () => [],
    stop: async () => undefined,
  };
}
