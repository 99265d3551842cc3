/**
 * What the benchmark asks of its traffic process (lib/measure/traffic.ts), and the answers: one JSON object a line, on
 * standard input and output. The process runs inside a pod's namespace and does one thing at a time.
 */

export type TrafficRequest = SendRequest | ReceiveRequest;

export interface SendRequest {
  readonly type: 'send';
  /** Dotted quad. */
  readonly to: string;
  readonly port: number;
  /** UDP payload bytes, >= 8. */
  readonly payloadSize: number;
  readonly trial: number;
  /** Datagrams a second; null floods, as fast as the sending side takes them. */
  readonly rate: number | null;
  /** How often what has fallen due is sent; PACING_INTERVAL_US if absent. */
  readonly pacingUs?: number;
  readonly seconds: number;
}

export interface SendReply {
  readonly type: 'sent';
  /** Datagrams the kernel took. */
  readonly sent: number;
  readonly seconds: number;
}

export interface ReceiveRequest {
  readonly type: 'receive';
  /** Dotted quad of ours that datagrams are taken at; every address of ours if absent. */
  readonly at?: string;
  readonly port: number;
  readonly payloadSize: number;
  readonly trial: number;
  /** How long to wait for the first datagram. */
  readonly firstWithinMs: number;
  /** The trial is over when nothing has come for this long. */
  readonly quietMs: number;
}

/** First answer to `receive`: the socket is bound, datagrams may come. */
interface ListeningReply {
  readonly type: 'listening';
}

export interface ReceiveReply {
  readonly type: 'received';
  /** Different sequence numbers that arrived. */
  readonly received: number;
  readonly duplicates: number;
  /** Datagrams that came after one with a higher number. */
  readonly reordered: number;
  /** Datagrams of another trial or of another size. */
  readonly foreign: number;
}

interface FailedReply {
  readonly type: 'failed';
  readonly code: string;
  readonly message: string;
}

export type TrafficReply = SendReply | ListeningReply | ReceiveReply | FailedReply;

/** Our choice: small enough that a buffered backlog cannot hide an overloaded receiver for a whole trial. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * How the sender paces: it sends what has fallen due in calls of up to 64 datagrams, and sleeps this long when less than a
 * full call is left. What it could not send for MAKE_UP_MS (the machine stalled) it does not make up, because a late burst
 * would be a higher rate than the one asked for; the rate that counts is the one it reached.
 */
export const PACING_INTERVAL_US = 100;
export const MAKE_UP_MS = 2;

/**
 * The receiver empties its socket, then sleeps this long. If it waited in the socket instead, each datagram would wake it on
 * another CPU, and on a small virtual machine that costs several times the datagram itself: the trial would measure that.
 */
export const RECEIVE_INTERVAL_US = 200;

/** How small packets are offered and counted, for the report. */
export const GENERATOR_TEXT =
  `numbered datagrams by sendmmsg, all of one flow, up to 64 a call (no UDP_SEGMENT), due packets sent every ` +
  `${PACING_INTERVAL_US} us; counted once each by recvmmsg every ${RECEIVE_INTERVAL_US} us (no UDP_GRO), ` +
  `socket buffers ${SOCKET_BUFFER_BYTES / 1024 / 1024} MiB`;
