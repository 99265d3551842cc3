/** Our own lease in an ipip network. flannel pkg/backend/ipip. Pure. */
import { WeftError } from '../error.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import type { ExternalInterface } from './backend.ts';

/** What our node writes into its lease. Throws WeftError CONFIG_INVALID. */
export function ipipLeaseAttrs({ publicIp }: ExternalInterface, config: NetworkConfig): LeaseAttrs {
  requireIpv4Only(config);
  return { publicIp, publicIpv6: undefined, backendType: 'ipip', backendData: undefined, backendV6Data: undefined };
}

/** Throws WeftError CONFIG_INVALID. As in flannel: an IPv6 packet in IPv4 has a protocol number of its own, 41 (RFC 4213). */
export function requireIpv4Only({ enableIpv6 }: NetworkConfig): void {
  if (!enableIpv6) return;
  throw new WeftError('CONFIG_INVALID', 'EnableIPv6 is true: backend ipip carries IPv4 only', {
    hint: 'set EnableIPv6 to false, or Backend.Type to vxlan or host-gw, in the network configuration',
  });
}
