/** What is looked at of a captured frame, and what was found. */
import type { IpAddress } from '../addr/ip.ts';
import type { CheckName } from './checks.ts';
import type { Sum } from './transport-sum.ts';

export interface Inspection {
  /** The checks that failed; empty is good. */
  readonly failed: ReadonlySet<CheckName>;
  /** What could not be checked, because too few bytes were kept. */
  readonly unchecked: ReadonlySet<CheckName>;
  /** Undefined where there is no outer UDP header. */
  readonly outerChecksum: Sum | undefined;
  /** Undefined where nothing is encapsulated, or there is no outer header; without UDP the port is 0. */
  readonly outerSource: OuterSource | undefined;
  readonly outerDestination: IpAddress | undefined;
  /** A later fragment of an outer packet, in which nothing more can be seen. */
  readonly isFragment: boolean;
  /** Longer than the underlay's MTU: nothing has cut it yet. */
  readonly isSuperPacket: boolean;
  /** Of each inner packet. More than one: a train that was captured before the kernel cut it. */
  readonly inner: readonly InnerPacket[];
}

export interface OuterSource {
  readonly address: IpAddress;
  readonly port: number;
}

export interface InnerPacket {
  readonly protocol: number;
  /** Protocol, addresses and, of TCP and UDP, ports: "6 178528770:7000 > 178546434:41234". */
  readonly flow: string;
  readonly checksum: Sum;
  /** Of a peer monitor: nobody's traffic. */
  readonly isProbe: boolean;
}

export interface InspectedFrame {
  /** As many of its bytes as were kept. */
  readonly bytes: Uint8Array;
  /** What it had on the wire. */
  readonly length: number;
  /** lib/capture/link-type.ts. */
  readonly linkType: number;
}
