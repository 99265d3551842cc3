/** What is measured, and where: the contenders and the ends of each one's path. */

export const CONTENDERS = [
  'direct',
  'kernel-vxlan',
  'weft-udp',
  'weft-udp-off',
  'weft-vxlan',
  'weft-vxlan-off',
  'kernel-to-weft',
  'kernel-to-weft-off',
  'weft-ipip',
  'plain-routing',
  'weft-host-gw',
] as const;
export type Contender = (typeof CONTENDERS)[number];

/** One line each for tables and help. */
export const CONTENDER_TEXT: Readonly<Record<Contender, string>> = {
  direct: 'host to host over the underlay, no overlay, no pods',
  'kernel-vxlan': "pod to pod through the kernel's VXLAN device",
  'weft-udp': 'pod to pod through weftd, backend udp, --offload=auto',
  'weft-udp-off': 'pod to pod through weftd, backend udp, --offload=off: one packet per system call',
  'weft-vxlan': 'pod to pod through weftd, backend vxlan, --offload=auto',
  'weft-vxlan-off': 'pod to pod through weftd, backend vxlan, --offload=off',
  'kernel-to-weft': "from a pod behind the kernel's VXLAN device to one behind weftd, backend vxlan, --offload=auto",
  'kernel-to-weft-off': 'the same with --offload=off at weftd',
  'weft-ipip': 'pod to pod through weftd, backend ipip, --offload=auto',
  'plain-routing': "pod to pod without overlay, by static routes to the other host's pods",
  'weft-host-gw': 'pod to pod without overlay, by the routes weftd makes, backend host-gw',
};

export interface Endpoint {
  /** Name for `ip netns exec`. */
  readonly netns: string;
  /** Dotted quad, as the other end reaches it. */
  readonly address: string;
}

/** The path of one contender, ready to carry packets. Each contender has hosts of its own, all alike. */
export interface Bed {
  readonly contender: Contender;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** The daemons on the path, one a host; empty where the kernel does it. */
  readonly daemonPids: readonly number[];
  /** Every namespace of the path, for counters. */
  readonly namespaces: readonly string[];
}
