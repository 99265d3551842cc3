/** Every backend there is, by its name in the network configuration. */
import type { Mac } from '../addr/mac.ts';
import { WeftError } from '../error.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { Backend, BackendOptions, ExternalInterface } from './backend.ts';
import { checkPublicAddresses } from './host-gw.ts';
import { ipipLeaseAttrs } from './ipip-lease.ts';
import { vxlanLeaseAttrs } from './vxlan/options.ts';

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
  /** What this node writes into its lease. `vtepMac`: see BackendOptions. */
  leaseAttrs(external: ExternalInterface, config: NetworkConfig, vtepMac: (device: string) => Mac): LeaseAttrs;
  start(options: BackendOptions): Promise<Backend>;
}

const BACKENDS: Readonly<Record<string, BackendKind>> = {
  udp: {
    edgeDevice: true,
    vtep: false,
    ipv6Underlay: 'none',
    // flanneld writes no BackendType for udp (pkg/backend/udp/udp.go), and the IPv6 address in dual-stack networks only.
    leaseAttrs: (external, config) => ({
      publicIp: external.publicIp,
      publicIpv6: config.enableIpv6 ? external.publicIpv6 : undefined,
      backendType: '',
      backendData: undefined,
      backendV6Data: undefined,
    }),
    start: async (options) => (await import('./udp.ts')).startUdpBackend(options),
  },
  vxlan: {
    edgeDevice: true,
    vtep: true,
    ipv6Underlay: 'routed',
    leaseAttrs: vxlanLeaseAttrs,
    start: async (options) => (await import('./vxlan/vxlan.ts')).startVxlanBackend(options),
  },
  ipip: {
    edgeDevice: true,
    vtep: false,
    ipv6Underlay: 'none',
    leaseAttrs: ipipLeaseAttrs,
    start: async (options) => (await import('./ipip.ts')).startIpipBackend(options),
  },
  'host-gw': {
    edgeDevice: false,
    vtep: false,
    ipv6Underlay: 'on-link',
    // flannel pkg/backend/hostgw/hostgw.go
    leaseAttrs: (external, config) => {
      // Not only at the start: no lease may carry an address that is another host's.
      checkPublicAddresses(external, config);
      return {
        publicIp: external.publicIp,
        publicIpv6: config.enableIpv6 ? external.publicIpv6 : undefined,
        backendType: 'host-gw',
        backendData: undefined,
        backendV6Data: undefined,
      };
    },
    start: async (options) => (await import('./host-gw.ts')).startHostGwBackend(options),
  },
  alloc: {
    edgeDevice: false,
    vtep: false,
    ipv6Underlay: 'none',
    // flanneld's alloc writes neither a type nor an IPv6 address, whatever the network (pkg/backend/alloc/alloc.go).
    leaseAttrs: (external) => ({
      publicIp: external.publicIp,
      publicIpv6: undefined,
      backendType: '',
      backendData: undefined,
      backendV6Data: undefined,
    }),
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
