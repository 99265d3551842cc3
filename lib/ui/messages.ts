/**
 * What the page of `weft ui` is told by its server, as events of one stream (text/event-stream; HTML Living Standard, 9.2): each
 * has the name of a key of PageEvents and its value as JSON. And what it asks for. Server and page are built together: nothing
 * here is stable.
 */
import type { Peer, StatsReply, StatusReply } from '../control/protocol.ts';
import type { Tick } from '../watch/tick.ts';

/** The stream; `?network=NAME` chooses a network. */
export const EVENTS_PATH = '/events';
/** Followed by the id of a packet, and the same query as the stream's: a PacketDetail, or 404 when the server has forgotten it. */
export const PACKET_PATH = '/packet/';

export interface PageEvents {
  /** First, on each connection. */
  readonly hello: Hello;
  /** The daemon answers: its status, whenever that changed. */
  readonly status: StatusReply;
  /** Those that are new or changed, and those that are gone; after `hello` all. */
  readonly peers: PeersChange;
  readonly tick: PageTick;
  readonly packets: PacketBatch;
  /** The daemon does not answer. Ends with the next `status`. */
  readonly gone: Sentence;
  /** Why there is no packet list; null: there is one. */
  readonly tap: Sentence | null;
}

/** One thing to say, and what to do about it. */
export interface Sentence {
  readonly text: string;
  readonly hint: string | null;
}

export interface Hello {
  readonly version: string;
  /** The node's: this machine, or a host of a lab. */
  readonly host: string;
  /** The network that is shown; '' for the only one. */
  readonly network: string;
  /** What each drop reason means, by its name. */
  readonly dropReasons: Readonly<Record<string, string>>;
  /**
   * What was before this page came, the oldest first; at most HISTORY ticks. That it stays small with many peers, `stages` is null in them, and
   * `peers` is empty but in the latest PEER_HISTORY, where the busiest BUSIEST are.
   */
  readonly history: readonly PageTick[];
  /** The latest packets that are kept, as a batch. */
  readonly packets: PacketBatch;
}

/** Ticks that the server remembers; there is one a second, with very many peers fewer. */
export const HISTORY = 600;
/** Ticks of `history` that have peers, and how many of them at most. */
export const PEER_HISTORY = 60;
export const BUSIEST = 50;

export interface PageTick extends Tick {
  /** Counters since the daemon started; undefined in `history`. */
  readonly total?: Pick<StatsReply, 'drops' | 'outbound' | 'inbound' | 'tap'> | undefined;
  /** Round-trip times of all peers that have one, ms; null: none has. */
  readonly rtt: { readonly median: number; readonly p90: number; readonly max: number; readonly peers: number } | null;
  /** Mean loss over the peers that are probed, 0 to 1; null: none is. */
  readonly loss: number | null;
}

export interface PeersChange {
  readonly changed: readonly Peer[];
  /** By subnet. */
  readonly gone: readonly string[];
}

export interface PacketBatch {
  readonly lines: readonly PacketLine[];
  /** One of so many forwarded packets is shown; dropped, flooded and answered ones are all. */
  readonly sample: number;
  /** Records that were not read in time, since the page's server started, and those it had no room to show. */
  readonly lost: number;
  readonly skipped: number;
}

export interface PacketLine {
  /** Rises with each packet. */
  readonly id: number;
  /** Time of day of this machine with microseconds, "12:31:07.120441". */
  readonly time: string;
  readonly direction: 'outbound' | 'inbound';
  readonly verdict: 'forwarded' | 'dropped' | 'flooded' | 'answered';
  readonly reason: string | null;
  /** Underlay address. */
  readonly peer: string | null;
  /** Inner addresses; null of what is no IP packet. */
  readonly source: string | null;
  readonly destination: string | null;
  /** "tcp 80 > 51944 PA 1348 B" */
  readonly words: string;
  /** Bytes of the inner packet or frame. */
  readonly length: number;
  /** From read to sent, or received to written, microseconds; null: it was not. */
  readonly microseconds: number | null;
}

export interface PacketDetail {
  readonly line: PacketLine;
  /** What weftd did with it, in a sentence; of a dropped one why, from the docs. */
  readonly sentence: string;
  /** "1 of a train of 12", "part of a super-packet cut by 1,348 bytes"; empty: neither. */
  readonly notes: readonly string[];
  /** Where it was when, in that order: "read from flannel0", "sent to 192.0.2.2"; `us` since the first. */
  readonly points: readonly { readonly name: string; readonly time: string; readonly us: number }[];
  /**
   * Outermost first. The outer ones are not recorded by weftd: they are built from what it knows, and `rebuilt` says so of each. Offsets of fields count
   * in `bytes`.
   */
  readonly headers: readonly PacketHeader[];
  /** All headers and what was kept of the payload: hexadecimal. */
  readonly bytes: string;
  /** Of the packet with its outer headers. */
  readonly length: number;
}

export interface PacketHeader {
  readonly name: string;
  /** Not a byte of it was seen. */
  readonly rebuilt: boolean;
  readonly fields: readonly PacketField[];
}

export interface PacketField {
  readonly name: string;
  readonly value: string;
  /** False: weftd does not say it, and its bytes stand as zeros in `bytes`. */
  readonly known: boolean;
  /** Byte offset and length in `bytes`. */
  readonly at: number;
  readonly length: number;
}
