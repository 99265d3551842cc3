/** What is measured: a path's two ends, and the daemons that carry it. */

/** An end of a path. */
interface Endpoint {
  /** Name for `ip netns exec`. */
  readonly netns: string;
  /** Dotted quad, as the other end reaches it. */
  readonly address: string;
}

/** A path that carries packets now. */
export interface Path {
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** The daemons on the path; empty where the kernel does it. */
  readonly daemonPids: readonly number[];
  /** Every namespace of the path, for counters. */
  readonly namespaces: readonly string[];
}
