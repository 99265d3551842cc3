/** What the demo and its child processes send each other: messages over Node's IPC channel. */

/** To the capture process. It writes records (lib/capture/frame-stream.ts) to its standard output. */
export interface CaptureRequest {
  readonly type: 'capture';
  readonly device: string;
  readonly filter: string;
}

/** To a transfer process in a pod. */
export type TransferRequest =
  | { readonly type: 'tcp-receive'; readonly port: number }
  | { readonly type: 'tcp-send'; readonly to: string; readonly port: number; readonly bytes: number }
  | { readonly type: 'udp-receive'; readonly port: number; readonly datagrams: number }
  | UdpSendRequest;

/** To a receiver of UDP: everything has been sent, and what does not come within so many milliseconds of quiet is lost. */
interface FinishRequest {
  readonly type: 'finish';
  readonly quietMs: number;
}

export interface UdpSendRequest {
  readonly type: 'udp-send';
  readonly to: string;
  readonly port: number;
  readonly datagrams: number;
  /** Source ports, taken in turn: as many flows. */
  readonly flows: number;
  /** Bytes of UDP payload, the 4 of the number included. */
  readonly payloadSize: number;
  /** At most. */
  readonly perSecond: number;
}

export type ChildRequest = CaptureRequest | TransferRequest | FinishRequest;

/** Whatever was asked for is under way: the capture is open, the port is bound. Senders do not say it. */
interface ReadyReply {
  readonly type: 'ready';
  /** Of the captured packets; 0 from a transfer. */
  readonly linkType: number;
}

/** What one end of a transfer saw. */
export interface DoneReply {
  readonly type: 'done';
  readonly bytes: number;
  /** Different ones; 0 with TCP. */
  readonly datagrams: number;
  /** Of the content, UDP in the order of the numbers; hexadecimal. */
  readonly sha256: string;
  readonly seconds: number;
}

interface FailedReply {
  readonly type: 'failed';
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export type ChildReply = ReadyReply | DoneReply | FailedReply;
