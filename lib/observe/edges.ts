/** The edges of a running node, where packets can be seen: the overlay's devices and the underlay's interfaces. */
import { captureFilter, type Wire } from '../capture/checks.ts';
import type { NetworkReport, StatusReply } from '../control/protocol.ts';
import { wireOf } from '../headers/wire-of.ts';

export interface EdgeNetwork {
  /** '' for the only network of a daemon without --network. */
  readonly name: string;
  /** The prefixes of all pods; the second for dual stack. */
  readonly prefixes: readonly string[];
  readonly wire: Wire;
  /** pcap-filter(7), for what is this network's on the underlay; of VXLAN over IPv4 also by its VNI. */
  readonly filter: string;
}

export interface Edge {
  readonly kind: 'overlay' | 'underlay';
  readonly device: string;
  /** File of the network namespace; undefined: the one this process is in. */
  readonly netns: string | undefined;
  /** What passes here; of an overlay device one, of an underlay interface all that use it. */
  readonly networks: readonly EdgeNetwork[];
  /** pcap-filter(7), for what belongs to the networks and nothing else; '' on an overlay device, where all does. */
  readonly filter: string;
}

/**
 * Of all networks that have a device now, the overlay's edges first. `daemonNetns`: the daemon's own namespace, if that is
 * not this process's.
 */
export function edgesOf(status: Pick<StatusReply, 'networks'>, daemonNetns?: string): Edge[] {
  const overlays: Edge[] = [];
  const underlays = new Map<string, EdgeNetwork[]>();
  for (const report of status.networks) {
    const network = networkOf(report);
    if (network === undefined || report.backend === null || report.external === null) continue;
    // host-gw has no device of its own.
    if (network.wire.encapsulation !== 'none')
      overlays.push({
        kind: 'overlay',
        device: report.backend.device,
        netns: report.netns ?? daemonNetns,
        networks: [network],
        filter: '',
      });
    const shared = underlays.get(report.external.name);
    if (shared === undefined) underlays.set(report.external.name, [network]);
    else shared.push(network);
  }
  return [...overlays, ...[...underlays].map(([device, networks]) => underlay(device, daemonNetns, networks))];
}

function underlay(device: string, netns: string | undefined, networks: readonly EdgeNetwork[]): Edge {
  const filter = [...new Set(networks.map(({ wire, prefixes }) => sharedFilter(wire, prefixes)))].join(' or ');
  return { kind: 'underlay', device, netns, networks, filter };
}

/** Undefined for a network that has no backend yet, or one that carries nothing. */
function networkOf({ name, backend, network }: NetworkReport): EdgeNetwork | undefined {
  if (backend === null || network === null) return undefined;
  const wire = wireOf(backend);
  const prefixes = network.ipv6 === null ? [network.ipv4] : [network.ipv4, network.ipv6];
  return wire === undefined ? undefined : { name, prefixes, wire, filter: ownFilter(wire, prefixes) };
}

/** What belongs to any network of this kind and port: also packets whose VNI is nobody's. */
function sharedFilter(wire: Wire, prefixes: readonly string[]): string {
  return captureFilter(wire, prefixes.map((prefix) => `net ${prefix}`).join(' or '));
}

function ownFilter(wire: Wire, prefixes: readonly string[]): string {
  const shared = sharedFilter(wire, prefixes);
  if (wire.encapsulation !== 'vxlan') return `(${shared})`;
  // pcap-filter(7) has no such words for UDP over IPv6.
  return `(${shared} and (ip6 or udp[12:4] & 0xffffff00 = ${wire.vni * 256}))`;
}
