/** What is measured, and where: the contenders and the ends of each one's path. */

export const CONTENDERS = ['direct', 'kernel-vxlan', 'weft-udp', 'weft-udp-off'] as const;
export type Contender = (typeof CONTENDERS)[number];

/** One line each for tables and help. */
export const CONTENDER_TEXT: Readonly<Record<Contender, string>> = {
  direct: 'host to host over the underlay, no overlay, no pods',
  'kernel-vxlan': "pod to pod through the kernel's VXLAN device",
  'weft-udp': 'pod to pod through weftd, --offload=auto',
  'weft-udp-off': 'pod to pod through weftd, --offload=off: one packet per system call',
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
