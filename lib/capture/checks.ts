/** What is checked of each captured frame, by the encapsulation that was asked for, and what each check says when it holds. */
import type { TunnelPorts } from './layers.ts';

/** What a backend puts on the underlay around an inner packet; `none`: the packet itself. */
export type Wire =
  | { readonly encapsulation: 'ip-in-udp'; readonly port: number }
  | { readonly encapsulation: 'vxlan'; readonly port: number; readonly vni: number }
  | { readonly encapsulation: 'ipip' }
  | { readonly encapsulation: 'none' };

/** The same where nobody knows the VNI: any may be there. */
export type AnyWire = Wire | { readonly encapsulation: 'vxlan'; readonly port: number; readonly vni: undefined };

export type CheckName =
  | 'ethernet'
  | 'outer-ip'
  | 'outer-tos'
  | 'outer-addresses'
  | 'outer-ports'
  | 'outer-length'
  | 'outer-checksum'
  | 'vxlan-header'
  | 'inner-ethernet'
  | 'inner-ip'
  | 'inner-addresses'
  | 'inner-ttl'
  | 'inner-checksum'
  | 'mtu';

const OUTER_IPV4 = {
  ethernet: "from one host's device to the other's",
  'outer-ip': 'outer IPv4 header whole, checksum right, no fragment',
  'outer-tos': 'outer DSCP 0, ECN bits those of the inner packet (RFC 6040)',
  'outer-addresses': "from one host's address to the other's",
} as const;

const OUTER_UDP = {
  'outer-length': 'outer UDP length fills the IP packet',
  'outer-checksum': 'outer UDP checksum right, or left to the NIC by checksum offload',
} as const;

const INNER = {
  'inner-ip': 'inner IPv4 header whole, checksum right, fills what carries it',
  'inner-addresses': "from the sending host's pod to the other pod",
  'inner-ttl': 'inner TTL 63: 64 less one for the host; the tunnel takes nothing off',
  'inner-checksum': 'inner ICMP, TCP or UDP checksum right',
} as const;

/** In the order of the headers. */
export const CHECKS: Readonly<Record<Wire['encapsulation'], Readonly<Partial<Record<CheckName, string>>>>> = {
  'ip-in-udp': {
    ...OUTER_IPV4,
    'outer-ports': 'UDP from the backend port to the backend port',
    ...OUTER_UDP,
    ...INNER,
    'inner-ttl': 'inner TTL 62: 64 less one each for the host and the encapsulation, as flanneld has it',
  },
  vxlan: {
    ...OUTER_IPV4,
    'outer-ports': 'UDP to the backend port',
    ...OUTER_UDP,
    'vxlan-header': 'VXLAN flags 08, the VNI of the network, reserved bits zero',
    'inner-ethernet': "from the sending host's VtepMAC to the other's, as their leases say",
    ...INNER,
  },
  ipip: { ...OUTER_IPV4, 'outer-ip': `${OUTER_IPV4['outer-ip']}, protocol 4`, ...INNER },
  none: {
    ethernet: "from one host's device to the other's: the next hop",
    'inner-ip': 'IPv4 header whole, checksum right, no fragment, right behind the Ethernet header: no encapsulation',
    'inner-addresses': INNER['inner-addresses'],
    'inner-ttl': 'TTL 63: 64 less one for the host',
    'inner-checksum': 'ICMP, TCP or UDP checksum right',
  },
};

/** "outer checksum"; where nothing is encapsulated there is no inner packet. */
export function checkTitle(check: CheckName, { encapsulation }: AnyWire): string {
  const name = encapsulation === 'none' ? check.replace('inner-', '') : check;
  // The demo's hosts have no IPv6.
  return name.replace(/\bip$/, 'ipv4').replace('-', ' ');
}

/** TTL of a packet on the underlay that a pod sent with 64. flanneld's udp proxy takes one off, tunnels of the kernel none. */
export function expectedTtl({ encapsulation }: AnyWire): number {
  return encapsulation === 'ip-in-udp' ? 62 : 63;
}

/** Nobody sends with these and more: a packet that has one on the wire was forwarded by nobody. */
const INITIAL_TTLS: ReadonlySet<number> = new Set([64, 128, 255]);

/**
 * Whether an inner packet on the underlay may have this TTL, or hop limit: the one that is expected; else any that a packet can
 * have once it has been forwarded. flanneld's udp proxy counts as a hop, so no packet keeps what its sender gave it; over a tunnel
 * of the kernel a host's own packets do.
 */
export function isInnerTtl(
  { wire, innerTtl }: { readonly wire: AnyWire; readonly innerTtl: number | undefined },
  ttl: number,
): boolean {
  if (innerTtl !== undefined) return ttl === innerTtl;
  return ttl > 0 && !(wire.encapsulation === 'ip-in-udp' && INITIAL_TTLS.has(ttl));
}

/**
 * pcap-filter(7): what the backend puts on the underlay, and nothing else, whatever its VNI. `plain`: the same of a backend that
 * encapsulates nothing.
 */
export function captureFilter(wire: AnyWire, plain: string): string {
  switch (wire.encapsulation) {
    case 'ip-in-udp':
    case 'vxlan':
      return `udp port ${wire.port}`;
    case 'ipip':
      return 'ip proto 4';
    case 'none':
      return plain;
  }
}

/** What UDP ports carry where packets are encapsulated in these ways. */
export function tunnelPorts(wires: readonly AnyWire[]): TunnelPorts {
  const ports = new Map<number, 'ip' | 'vxlan'>();
  for (const wire of wires) {
    if (wire.encapsulation === 'vxlan') ports.set(wire.port, 'vxlan');
    if (wire.encapsulation === 'ip-in-udp') ports.set(wire.port, 'ip');
  }
  return ports;
}

/** Arguments of tshark that make it decode the port; none where it knows by itself. */
export function tsharkDecoding(wire: Wire): string[] {
  switch (wire.encapsulation) {
    case 'ip-in-udp':
      return ['-d', `udp.port==${wire.port},ip`];
    case 'vxlan':
      return ['-d', `udp.port==${wire.port},vxlan`];
    default:
      return [];
  }
}
