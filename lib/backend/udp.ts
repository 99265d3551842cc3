/**
 * IP-in-UDP, flannel's `udp` backend: the UDP payload is the inner IP packet and nothing else (flannel pkg/backend/udp).
 *
 *   TUN flannel0, <subnet base>/32, route <Network> ── engine ── UDP <external address>:<Port> ── peer's <PublicIP>:<Port>
 *
 * What happens to packets: lib/dataplane/worker/outbound.ts, inbound.ts.
 */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatPrefix, hostPrefix, type Prefix, prefixContains } from '../addr/prefix.ts';
import { canBeLeased, leasablePrefixes } from '../lease/leasable.ts';
import type { LeaseAttrs } from '../lease/lease.ts';
import { type NetworkConfig, networkPrefixes } from '../lease/network-config.ts';
import { openUdpSocket } from '../sys/udp-socket.ts';
import type { Backend, BackendOptions, ExternalInterface } from './backend.ts';
import { integerOption } from './option.ts';
import type { PeerPrefixes } from './peer-leases.ts';
import { startTunnel } from './tunnel.ts';

/** BackendType of udp leases: none, as flanneld's udp writes. */
const LEASE_TYPE = '';
const DEVICE = 'flannel0';
const DEFAULT_PORT = 8285;
const PORTS = { min: 1, max: 65535 };
/** Outer IPv4 20 + outer UDP 8. */
const OVERHEAD = 20 + 8;
/** Our choice: 8 MiB hold what a 10 Gb/s underlay brings in 6 ms. */
const SOCKET_BUFFER = 8 << 20;

/** What our node writes into its lease: flanneld's udp writes no type, and the IPv6 address in dual-stack networks only. */
export function udpLeaseAttrs({ publicIp, publicIpv6 }: ExternalInterface, { enableIpv6 }: NetworkConfig): LeaseAttrs {
  return {
    publicIp,
    publicIpv6: enableIpv6 ? publicIpv6 : undefined,
    backendType: LEASE_TYPE,
    backendData: undefined,
    backendV6Data: undefined,
  };
}

/** Codes: CONFIG_INVALID, and those of openUdpSocket and startTunnel. */
export async function startUdpBackend(options: BackendOptions): Promise<Backend> {
  const { config, external } = options;
  const port = integerOption(config.backend, 'Port', PORTS) ?? DEFAULT_PORT;
  return startTunnel(options, {
    type: 'udp',
    leaseType: LEASE_TYPE,
    deviceName: DEVICE,
    mtu: external.mtu - OVERHEAD,
    port,
    canRouteDirectly: false,
    resource: `UDP port ${port} on ${formatIpv4(external.ipv4)}`,
    encapsulation: 'ip-in-udp',
    // One socket both ways, so our source port is the port peers send to, as flannel's is.
    openSocket: () => openUdpSocket(external.ipv4, port, SOCKET_BUFFER),
    // To receive and to send.
    negotiate: (offloads, socket) => offloads.negotiateSockets([socket], [socket]),
    routesTo: (peers) => ({
      kernel: networkRoutes(options, peers).map((destination) => ({
        device: DEVICE,
        destination,
        gateway: undefined,
        onlink: false,
      })),
      shown: peers.flatMap(({ publicIp, prefixes }) =>
        prefixes.map((prefix) => ({ prefix: formatPrefix(prefix), via: formatIpv4(publicIp), device: DEVICE })),
      ),
    }),
  });
}

/**
 * What leads to the device. The whole network, as with flanneld: what no peer has is answered with "net unreachable" by the
 * fast path. But where hosts have addresses of the network themselves, only what nodes lease: a host behind a gateway would
 * not be reached otherwise, and our own datagrams to it would come back through the device.
 */
function networkRoutes({ config, external }: BackendOptions, peers: readonly PeerPrefixes[]): Prefix[] {
  const { ipv4, ipv6, publicIp, publicIpv6 } = external;
  const hosts = [ipv4, publicIp, ipv6, publicIpv6, ...peers.map((peer) => peer.publicIp)];
  return networkPrefixes(config).flatMap((network) => {
    if (!hosts.some((host) => host !== undefined && prefixContains(network, hostPrefix(host)))) return [network];
    const leasable = leasablePrefixes(config, network.family);
    const beside = peers
      .flatMap(({ prefixes }) => prefixes)
      .filter(({ family, address }) => family === network.family && !canBeLeased(address, config));
    return [...leasable, ...beside];
  });
}
