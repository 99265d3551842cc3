/** Every backend there is, by its name in the network configuration. */
import type { Backend, BackendOptions, ExternalInterface } from '../backend/backend.ts';
import { WeftError } from '../error.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';

export interface BackendKind {
  /** What this node writes into its lease. */
  leaseAttrs(external: ExternalInterface, config: NetworkConfig): LeaseAttrs;
  start(options: BackendOptions): Promise<Backend>;
}

const BACKENDS: Readonly<Record<string, BackendKind>> = {
  udp: {
    // flanneld writes no BackendType for udp (pkg/backend/udp/udp.go), and the IPv6 address in dual-stack networks only.
    leaseAttrs: (external, config) => ({
      publicIp: external.publicIp,
      publicIpv6: config.enableIpv6 ? external.publicIpv6 : undefined,
      backendType: '',
      backendData: undefined,
      backendV6Data: undefined,
    }),
    start: async (options) => (await import('../backend/udp.ts')).startUdpBackend(options),
  },
};

/** The backend of a network configuration. Throws WeftError UNSUPPORTED_BACKEND; `configKey` is for its hint. */
export function backendOf(config: NetworkConfig, configKey: string): BackendKind {
  const kind = Object.hasOwn(BACKENDS, config.backendType) ? BACKENDS[config.backendType] : undefined;
  if (kind !== undefined) return kind;
  const type = JSON.stringify(config.backendType.slice(0, 60));
  const supported = Object.keys(BACKENDS).join(', ');
  throw new WeftError(
    'UNSUPPORTED_BACKEND',
    `Backend type ${type} of ${configKey} is not supported; supported: ${supported}`,
    {
      hint: `set "Backend": {"Type": "udp"} in ${configKey} on all nodes, or stay with flanneld`,
    },
  );
}
