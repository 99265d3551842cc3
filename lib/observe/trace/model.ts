/** What a trace is made of. The keys are those of `weft trace --json`: stable. */

/** One thing the tables say, in the packet's order. */
export interface TableStep {
  readonly name: string;
  readonly text: string;
  /** `unknown`: it could not be read, or it is not certain. */
  readonly state: 'ok' | 'fault' | 'unknown';
}

/** Where between two points a packet is, in its order. */
export type Stage = 'source' | 'forward' | 'engine' | 'underlay' | 'far' | 'return-engine' | 'return-forward';

/** What would end a packet at a stage, if it ends there. */
export interface Suspect {
  readonly stage: Stage;
  /** Stable, docs/operations.md explains each. */
  readonly code: string;
  readonly text: string;
  /** What to type. */
  readonly hint: string;
  /** False: "may", a rule that could not be judged. */
  readonly certain: boolean;
}

export type PointKind = 'probe' | 'answer' | 'error' | 'underlay-answer' | 'underlay-error' | 'tunnel-answer';

/** A packet of ours that was seen. */
export interface Point {
  readonly host: 'here' | 'far';
  /** "pod veth", "bridge", "overlay", "weftd", "underlay". */
  readonly place: string;
  readonly device: string;
  readonly direction: 'in' | 'out';
  readonly kind: PointKind;
  /** The kernel's stamp: seconds of CLOCK_REALTIME, and the nanoseconds beside them. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Bytes on this device, its link-layer header included. */
  readonly bytes: number;
  /** What differs from what was sent, or what an error says. */
  readonly note: string | null;
  /** Who sent an error or an answer: an address. */
  readonly by: string | null;
  /** ICMP type and code of an error. */
  readonly icmp: { readonly type: number; readonly code: number; readonly mtu: number } | null;
  /** Of the place weftd: why it dropped the packet, a drop reason; null if it did not. */
  readonly dropped?: string | null;
}

export interface Answer {
  readonly arrived: boolean;
  /** Stable: "arrived", or what stands in the way. */
  readonly code: string;
  readonly text: string;
  readonly hint: string | null;
}
