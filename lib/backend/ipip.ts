/**
 * IP in IP (RFC 2003), flannel's `ipip` backend, in user space: nothing between the outer and the inner IPv4 header.
 *
 *   TUN flannel.ipip, <subnet base>/32 ── engine ── raw socket, IP protocol 4 ── peer's <PublicIP>
 *   per peer: route <peer subnet> via <PublicIP> dev flannel.ipip onlink
 */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatPrefix } from '../addr/prefix.ts';
import { WeftError } from '../error.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import type { NetworkConfig } from '../lease/network-config.ts';
import { openIpipSocket } from '../sys/ipip-socket.ts';
import type { Backend, BackendOptions, ExternalInterface } from './backend.ts';
import { watchKernelTunnels } from './kernel-tunnels.ts';
import { startTunnel } from './tunnel.ts';

const TYPE = 'ipip';
const DEVICE = 'flannel.ipip';
/** Outer IPv4. */
const OVERHEAD = 20;
/** Our choice: as for udp. */
const SOCKET_BUFFER = 8 << 20;

/** What our node writes into its lease (flannel pkg/backend/ipip). Throws WeftError CONFIG_INVALID. */
export function ipipLeaseAttrs({ publicIp }: ExternalInterface, config: NetworkConfig): LeaseAttrs {
  requireIpv4Only(config);
  return { publicIp, publicIpv6: undefined, backendType: TYPE, backendData: undefined, backendV6Data: undefined };
}

/** Throws WeftError CONFIG_INVALID. As in flannel: an IPv6 packet in IPv4 has a protocol number of its own, 41 (RFC 4213). */
function requireIpv4Only({ enableIpv6 }: NetworkConfig): void {
  if (!enableIpv6) return;
  throw new WeftError('CONFIG_INVALID', 'EnableIPv6 is true: backend ipip carries IPv4 only', {
    hint: 'set EnableIPv6 to false, or Backend.Type to vxlan or host-gw, in the network configuration',
  });
}

/** Codes: CONFIG_INVALID, and those of openIpipSocket and startTunnel. */
export async function startIpipBackend(options: BackendOptions): Promise<Backend> {
  const { config, external, faults } = options;
  requireIpv4Only(config);
  return startTunnel(options, {
    type: TYPE,
    leaseType: TYPE,
    deviceName: DEVICE,
    mtu: external.mtu - OVERHEAD,
    port: undefined,
    canRouteDirectly: true,
    // Every raw socket gets every packet: two networks would see each other's.
    resource: `IP protocol 4 on ${formatIpv4(external.ipv4)}`,
    encapsulation: TYPE,
    watch: () => watchKernelTunnels({ faults }),
    openSocket: () => openIpipSocket(external.ipv4, SOCKET_BUFFER),
    negotiate: (offloads) =>
      offloads.withoutUdp('a raw socket sends and receives one packet after the other, many a call'),
    routesTo: (peers, link) => {
      const routes = peers.flatMap(({ publicIp, prefixes }) => {
        const direct = link?.reaches(publicIp) === true;
        const device = direct ? external.name : DEVICE;
        return prefixes.map((destination) => ({ device, destination, gateway: publicIp, onlink: !direct }));
      });
      const shown = routes.map(({ device, destination, gateway }) => ({
        prefix: formatPrefix(destination),
        via: formatIpv4(gateway),
        device,
      }));
      return { kernel: routes, shown };
    },
  });
}
