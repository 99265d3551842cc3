import type { Family, IpAddress } from '../addr/ip.ts';
import type { Mac } from '../addr/mac.ts';
import { hostPrefix, type Prefix, prefixContains, shorterPrefix } from '../addr/prefix.ts';
import type { AnyWire } from './checks.ts';

/** One of the hosts that exchange packets. */
export interface InspectedNode {
  /** On the underlay: PublicIP, PublicIPv6. */
  readonly addresses: readonly IpAddress[];
  /** Of its device on the underlay; undefined: not looked at, there may be routers in between. */
  readonly mac: Mac | undefined;
  /** What inner packets from it may have as their source, and those to it as their destination. */
  readonly inner: readonly Prefix[];
  /** From its lease; empty but for vxlan. */
  readonly vtepMacs: readonly Mac[];
}

/** What a frame has to be. */
export interface Expectation {
  readonly wire: AnyWire;
  /** Undefined: nobody knows, and whose address is whose is not looked at. */
  readonly nodes: InspectedNodes | undefined;
  /** Of inner packets, where it is known; undefined: only what no TTL can be, by flannel's rules. */
  readonly innerTtl: number | undefined;
  /** Of the outer header; undefined: any. */
  readonly dscp: number | undefined;
  /** A learning segment: inner addresses and MACs are its users' own affair. */
  readonly learning: boolean;
  /** Longest packet on the underlay; a longer one is a super-packet that nothing has cut yet. Undefined: not known. */
  readonly mtu: number | undefined;
  /** As on the wire: nothing was left to a NIC. Otherwise what checksum and segmentation offload leave is counted, and no fault. */
  readonly asOnWire: boolean;
  /** All traffic is known: ICMP, TCP and UDP with all sums computed, in packets that are no fragments. */
  readonly strict: boolean;
}

/** The hosts by their addresses, so that a packet of thousands of them costs no more than one of two. */
export class InspectedNodes {
  readonly #byAddress = new Map<IpAddress, InspectedNode>();
  /** What inner addresses are theirs, by family and length, the longest first. */
  readonly #byPrefix: InnerPrefixes[] = [];

  /** Of two hosts with one address, or one prefix, the first counts; else the longer prefix. */
  constructor(nodes: readonly InspectedNode[]) {
    for (const node of nodes) {
      for (const address of node.addresses) if (!this.#byAddress.has(address)) this.#byAddress.set(address, node);
      for (const prefix of node.inner) {
        const { holders } = this.#prefixesLike(prefix);
        if (!holders.has(prefix.address)) holders.set(prefix.address, node);
      }
    }
    this.#byPrefix.sort((a, b) => b.length - a.length);
  }

  /** Whose address on the underlay it is. */
  at(address: IpAddress): InspectedNode | undefined {
    return this.#byAddress.get(address);
  }

  /** Whose inner address it is. */
  holding(address: IpAddress): InspectedNode | undefined {
    const host = hostPrefix(address);
    for (const { family, length, holders } of this.#byPrefix) {
      if (family !== host.family) continue;
      const node = holders.get(shorterPrefix(host, length).address);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  #prefixesLike({ family, length }: Prefix): InnerPrefixes {
    let found = this.#byPrefix.find((each) => each.family === family && each.length === length);
    if (found === undefined) {
      found = { family, length, holders: new Map() };
      this.#byPrefix.push(found);
    }
    return found;
  }
}

interface InnerPrefixes {
  readonly family: Family;
  readonly length: number;
  readonly holders: Map<IpAddress, InspectedNode>;
}

export function mayHave({ inner }: InspectedNode, address: IpAddress): boolean {
  const host = hostPrefix(address);
  return inner.some((prefix) => prefixContains(prefix, host));
}
