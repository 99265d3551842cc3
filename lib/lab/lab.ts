/**
 * A lab: hosts, pods, underlay and etcd as network namespaces on one machine.
 *
 *   <id>-pod1 ── veth ── cni0 [ <id>-h1 ] u0 ── veth ── br [ <id>-net ] ── veth ── u0 [ <id>-h2 ] cni0 ── veth ── <id>-pod2
 *                                                      etcd
 *
 * The underlay is 192.0.2.0/24 (RFC 5737) in the namespace `<id>-net`: host n is 192.0.2.n, etcd listens on 192.0.2.254:2379.
 * With two hosts and `direct: true` a plain veth joins them instead of the bridge (the bed of `weft bench`), etcd then
 * lives in host 1 at 192.0.2.1:2379.
 * Names carry an id (the pid by default), so that labs do not meet; everything is removed by `down`.
 */
export interface LabOptions {
  /** 1..8 characters [a-z0-9]; the names of all namespaces begin with it. */
  readonly id: string;
  /** 1..200. */
  readonly hosts: number;
  readonly direct?: boolean;
  readonly underlayMtu?: number;
  readonly log?: (line: string) => void;
}

export interface LabHost {
  /** 1-based. */
  readonly number: number;
  /** Name for `ip netns exec`. */
  readonly netns: string;
  readonly podNetns: string;
  /** "192.0.2.1" */
  readonly underlayAddress: string;
  /** Interface of the underlay inside the host, "u0". */
  readonly underlayInterface: string;
}

export interface Lab {
  readonly id: string;
  readonly hosts: readonly LabHost[];
  /** A scratch directory of this lab; removed by `down`. Control sockets, subnet files, etcd data and logs live here. */
  readonly directory: string;
  readonly etcdEndpoint: string;
}
