/** What a lab is: hosts, tenants and the pods behind them. lib/lab/lab.ts draws it. */

export interface LabOptions {
  /** 1..8 characters [a-z0-9]; the names of all namespaces begin with it. */
  readonly id: string;
  /** 1..200. */
  readonly hosts: number;
  /** Two hosts only: joined by one veth, no bridge. Default false. */
  readonly direct?: boolean;
  /** Bytes, 1280..65535. Default 1500. */
  readonly underlayMtu?: number;
  /** 0..9, named "t1", "t2", ... Default 0. */
  readonly tenants?: number;
  readonly log?: (line: string) => void;
  /** Ends the building; what was built is removed and the reason thrown. */
  readonly signal?: AbortSignal;
  /**
   * After a signal, when the lab is gone and so everything that runs in it: how long `body` of withLab has to say what it knows,
   * milliseconds, before the process ends. Default 0.
   */
  readonly lastWordsMs?: number;
}

export interface Lab {
  readonly id: string;
  readonly hosts: readonly LabHost[];
  readonly tenants: readonly LabTenant[];
  readonly direct: boolean;
  readonly underlayMtu: number;
  /** A scratch directory of this lab; removed by `down`. Control sockets, subnet files, etcd data and logs live here. */
  readonly directory: string;
  /** Namespace etcd runs in; nothing runs before {@link startEtcd}. */
  readonly etcdNetns: string;
  readonly etcdEndpoint: string;
}

export interface LabHost extends PodSite {
  /** 1-based. */
  readonly number: number;
  /** "192.0.2.1" */
  readonly underlayAddress: string;
  /** "2001:db8::1" */
  readonly underlayAddress6: string;
  /** Interface of the underlay inside the host, "u0". */
  readonly underlayInterface: string;
  /** Where the daemon of this host listens. */
  readonly controlSocket: string;
}

/** A router with a pod behind it: a host, or a tenant's part of one. */
export interface PodSite {
  /** Of the router: name for `ip netns exec`. */
  readonly netns: string;
  readonly podNetns: string;
  /** Where the daemon writes the subnet.env of the site's network. */
  readonly subnetFile: string;
}

export interface LabTenant {
  /** 1-based. */
  readonly number: number;
  /** "t1" */
  readonly name: string;
  /** "/weft/t1": where its network configuration and leases are. */
  readonly etcdPrefix: string;
  /** One for each host, in their order. */
  readonly sites: readonly PodSite[];
}
