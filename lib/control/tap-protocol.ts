/**
 * What a reader of the tap asks for, and what it gets (docs/adr/0025). It connects to the tap's socket and sends one line of
 * JSON, a TapRequest. weftd answers with one line, a TapReply, and then sends messages (tap-messages.ts) until one of both
 * closes; or with an ErrorReply, and closes. Who ends its half of the connection gets an `end` with what was lost.
 */
import { DEFAULT_CONTROL_SOCKET } from './protocol.ts';

const DEFAULT_TAP_SOCKET = '/run/weft/tap.sock';
export const TAP_VERSION = 1;

/** Where the tap of the weftd with this control socket is unless --tap-socket says otherwise; `weft status --json` has it. */
export function tapSocketBeside(controlSocket: string): string {
  if (controlSocket === DEFAULT_CONTROL_SOCKET) return DEFAULT_TAP_SOCKET;
  return `${controlSocket.replace(/\.sock$/, '')}.tap.sock`;
}

/** Bytes of the request line; a longer one is refused. */
export const MAX_TAP_REQUEST_BYTES = 1024;
const DEFAULT_TAP_SNAP = 128;
/** Our choice: what an MTU of 1500 lets through, with any header. */
export const MAX_TAP_SNAP = 2048;
export const MAX_TAP_SAMPLE = 1_000_000;
const MAX_NETWORK_NAME = 256;

/** What a reader asks for. */
export interface TapRequest {
  /** Name of one network; undefined: all. */
  readonly network?: string | undefined;
  /** One of so many packets that are forwarded, 1 to MAX_TAP_SAMPLE. Packets that are dropped, flooded or answered come always. */
  readonly sample: number;
  /** Bytes of each packet, 0 to MAX_TAP_SNAP. */
  readonly snapLength: number;
  /** Only packets that are dropped. */
  readonly droppedOnly?: boolean;
}

export interface TapReply {
  readonly version: number;
  readonly networks: readonly TapNetwork[];
  /** Drop reasons, by the number that records have. */
  readonly reasons: readonly string[];
  readonly sample: number;
  readonly snapLength: number;
}

export interface TapNetwork {
  readonly number: number;
  /** '' for the only network of a daemon without --network. */
  readonly name: string;
  /** pcap's: 1 Ethernet frames (vxlan), 101 IP packets; null: no packet passes weftd (host-gw, alloc), or it is not known yet. */
  readonly linkType: 1 | 101 | null;
}

/** `flooded`: a BUM frame that went to all peers; `answered`: an ARP request or neighbour solicitation that weftd answered. */
export const TAP_VERDICTS = ['forwarded', 'dropped', 'flooded', 'answered'] as const;
type TapVerdict = (typeof TAP_VERDICTS)[number];

/** One packet, as its outer datagram carries it: an IP packet, or an Ethernet frame. A dropped one as it was read. */
export interface TapRecord {
  readonly network: string;
  readonly direction: 'outbound' | 'inbound';
  readonly verdict: TapVerdict;
  /** Of lib/dataplane/drop.ts; null unless it was dropped. */
  readonly reason: string | null;
  /** Underlay address of the peer it went to, or of whoever sent it, known or not. */
  readonly peer: string | null;
  /** The datagrams it was sent or received with, and its place among them, from 0. */
  readonly train: { readonly packets: number; readonly index: number } | null;
  /** It was read from the device, or received, as part of a super-packet of packets with `gsoSize` bytes of payload. */
  readonly superPacket: boolean;
  readonly gsoSize: number;
  /** Packets on the wire that it stands for: those of a super-packet that was dropped, the copies of a flooded frame. Mostly 1. */
  readonly packets: number;
  /** ns of CLOCK_REALTIME: when it had been read or received; of a packet that the kernel refused, when that was, if it was not sampled. */
  readonly timeIn: bigint;
  /** When its datagram had been sent, or it had been written to the device; null if it was not. */
  readonly timeOut: bigint | null;
  readonly bytes: Uint8Array;
  /** Of the whole packet. */
  readonly length: number;
  /** `bytes` begin with an Ethernet header. */
  readonly ethernet: boolean;
}

/** Problems of a request in words, for whoever sent it. */
export type ReadTapRequest = { readonly request: TapRequest } | { readonly problem: string };

/** Reads the request line, without its line end. Never throws. */
export function readTapRequest(line: string): ReadTapRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: 'the request is not a line of JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: 'the request is not a JSON object' };
  const { version = TAP_VERSION, network, sample, snapLength, droppedOnly, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return { problem: `there is no key ${JSON.stringify(unknown.slice(0, 40))}` };
  if (version !== TAP_VERSION) return { problem: `version ${TAP_VERSION} is spoken here` };
  if (network !== undefined && (typeof network !== 'string' || network.length > MAX_NETWORK_NAME))
    return { problem: 'network is not the name of a network' };
  if (droppedOnly !== undefined && typeof droppedOnly !== 'boolean')
    return { problem: 'droppedOnly is not true or false' };
  const wanted = sample ?? 100;
  if (!isWithin(wanted, 1, MAX_TAP_SAMPLE)) return { problem: `sample is not a number from 1 to ${MAX_TAP_SAMPLE}` };
  const snap = snapLength ?? DEFAULT_TAP_SNAP;
  if (!isWithin(snap, 0, MAX_TAP_SNAP)) return { problem: `snapLength is not a number from 0 to ${MAX_TAP_SNAP}` };
  return { request: { network, sample: wanted, snapLength: snap, droppedOnly: droppedOnly ?? false } };
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** The request line, with its line end. */
export function encodeTapRequest({ network, sample, snapLength, droppedOnly }: TapRequest): string {
  return `${JSON.stringify({ version: TAP_VERSION, network, sample, snapLength, droppedOnly })}\n`;
}
