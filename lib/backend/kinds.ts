/** Every backend there is, by its name in the network configuration. */
import type { Mac } from '../addr/mac.ts';
import { WeftError } from '../error.ts';
import type { Lease, LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { Backend, BackendOptions, ExternalInterface } from './backend.ts';

export interface BackendKind {
  /** Makes a TUN or TAP, so that /dev/net/tun has to be there. */
  readonly edgeDevice: boolean;
  /** Its devices are VTEPs: their MAC addresses are saved, and stand in the lease. */
  readonly vtep: boolean;
  /**
   * What EnableIPv6 asks of the external interface. none: IPv6 packets travel in IPv4 too; on-link: any address, as a
   * gateway of the same link may be link-local; routed: one that is good beyond the link.
   */
  readonly ipv6Underlay: 'none' | 'on-link' | 'routed';
  /**
   * What this node writes into its lease. `vtepMac`: see BackendOptions; `leases`: all there are, read if `vtep`. Rejects with
   * what the backend's own function throws.
   */
  leaseAttrs(
    external: ExternalInterface,
    config: NetworkConfig,
    vtepMac: (device: string) => Mac,
    leases: readonly Lease[],
  ): Promise<LeaseAttrs>;
  start(options: BackendOptions): Promise<Backend>;
}

/** Each backend is loaded when a network asks for it: a host-gw node needs no data plane. */
const BACKENDS: Readonly<Record<string, BackendKind>> = {
  udp: {
    edgeDevice: true,
    vtep: false,
    ipv6Underlay: 'none',
    leaseAttrs: async (external, config) => (await import('./udp.ts')).udpLeaseAttrs(external, config),
    start: async (options) => (await import('./udp.ts')).startUdpBackend(options),
  },
  vxlan: {
    edgeDevice: true,
    vtep: true,
    ipv6Underlay: 'routed',
    leaseAttrs: async (...own) => (await import('./vxlan/options.ts')).vxlanLeaseAttrs(...own),
    start: async (options) => (await import('./vxlan/vxlan.ts')).startVxlanBackend(options),
  },
  ipip: {
    edgeDevice: true,
    vtep: false,
    ipv6Underlay: 'none',
    leaseAttrs: async (external, config) => (await import('./ipip.ts')).ipipLeaseAttrs(external, config),
    start: async (options) => (await import('./ipip.ts')).startIpipBackend(options),
  },
  'host-gw': {
    edgeDevice: false,
    vtep: false,
    ipv6Underlay: 'on-link',
    leaseAttrs: async (external, config) => (await import('./host-gw.ts')).hostGwLeaseAttrs(external, config),
    start: async (options) => (await import('./host-gw.ts')).startHostGwBackend(options),
  },
  alloc: {
    edgeDevice: false,
    vtep: false,
    ipv6Underlay: 'none',
    leaseAttrs: async (external) => (await import('./alloc.ts')).allocLeaseAttrs(external),
    start: async (options) => (await import('./alloc.ts')).startAllocBackend(options),
  },
};

/** The backend of a network configuration. Throws WeftError UNSUPPORTED_BACKEND; `configKey` is for its words. */
export function backendOf(config: NetworkConfig, configKey: string): BackendKind {
  const kind = Object.hasOwn(BACKENDS, config.backendType) ? BACKENDS[config.backendType] : undefined;
  if (kind !== undefined) return kind;
  const type = JSON.stringify(config.backendType.slice(0, 60));
  const supported = Object.keys(BACKENDS).join(', ');
  throw new WeftError(
    'UNSUPPORTED_BACKEND',
    `Backend type ${type} of ${configKey} is not supported; supported: ${supported}`,
    {
      hint: `name one of these as Backend.Type in ${configKey}, which holds for all nodes, or stay with flanneld`,
    },
  );
}
