import type { IpAddress } from '../addr/ip.ts';
import type { Mac } from '../addr/mac.ts';
import { hostPrefix, type Prefix, prefixContains } from '../addr/prefix.ts';
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
  readonly nodes: readonly InspectedNode[] | undefined;
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

export function nodeAt(nodes: readonly InspectedNode[], address: IpAddress): InspectedNode | undefined {
  return nodes.find(({ addresses }) => addresses.includes(address));
}

export function mayHave({ inner }: InspectedNode, address: IpAddress): boolean {
  const host = hostPrefix(address);
  return inner.some((prefix) => prefixContains(prefix, host));
}

/** Whose inner address it is. */
export function nodeOfInner(nodes: readonly InspectedNode[], address: IpAddress): InspectedNode | undefined {
  return nodes.find((node) => mayHave(node, address));
}
