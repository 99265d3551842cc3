/** What is cut as on the wire, and what comes of it: lib/capture/wire-cut.ts. */

/** A frame as a packet socket has it: lib/sys/packet-socket.ts. Its memory is written to. */
export interface FrameToCut {
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly length: number;
  readonly outgoing: boolean;
  readonly vnetFlags: number;
  readonly vnetGsoType: number;
  readonly vnetGsoSize: number;
  readonly vnetCsumStart: number;
  readonly vnetCsumOffset: number;
}

/** One object for all packets: what it says holds during the call that it is given to. */
export interface WirePacket {
  /** The packet is memory[start, end), cut to the snap length. */
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The same as a view made for the caller. */
  readonly bytes: Uint8Array;
  /** On the wire. */
  readonly length: number;
  /** Its place among the pieces of one super-packet or train, from 0, and how many they are. */
  readonly index: number;
  readonly of: number;
  /** GRO does not keep the IPv4 IDs of packets that may not be fragmented; here they count up from the first one's. */
  readonly idRebuilt: boolean;
  /** A checksum needs bytes that are not there: it holds the sum of the pseudo-header. */
  readonly checksumUnfinished: boolean;
  /** It never was on a wire like this: a super-packet that could not be read. */
  readonly notCut: boolean;
}

/** A packet whose fields are set anew for each. */
export class Piece implements WirePacket {
  memory: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  length = 0;
  index = 0;
  of = 1;
  idRebuilt = false;
  checksumUnfinished = false;
  notCut = false;

  get bytes(): Uint8Array {
    return this.memory.subarray(this.start, this.end);
  }
}
