/** Ports of `weft bench --peer`: seven in a row, so that a firewall needs one rule. Only those of the underlay are open to others. */

/** Of --serve without a port: next to flannel's 8285, and nobody's. */
export const DEFAULT_PORT = 8290;

const COUNT = 7;
export const HIGHEST_PORT = 65_535 - COUNT + 1;

export interface Ports {
  /** TCP, where the far side listens: requests and replies. */
  readonly control: number;
  /** TCP: iperf3. */
  readonly tcp: number;
  /** UDP: numbered datagrams. */
  readonly udp: number;
  /** UDP: the weftds that the two sides start, by backend. */
  readonly pair: { readonly udp: number; readonly vxlan: number };
  /** TCP, on 127.0.0.1 alone: the etcd of each side. */
  readonly etcd: { readonly clients: number; readonly peers: number };
}

/** `first`: 1..HIGHEST_PORT. */
export function portsFrom(first: number): Ports {
  return {
    control: first,
    tcp: first + 1,
    udp: first + 2,
    pair: { udp: first + 3, vxlan: first + 4 },
    etcd: { clients: first + 5, peers: first + 6 },
  };
}
