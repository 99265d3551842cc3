/** One frame of a packet socket's ring: struct tpacket3_hdr, sockaddr_ll, virtio_net_hdr, frame. packet(7). */
import {
  PACKET_OUTGOING,
  SOCKADDR_LL_PKTTYPE,
  TPACKET_ADDRESS,
  TPACKET_LEN,
  TPACKET_MAC,
  TPACKET_NANOSECONDS,
  TPACKET_SECONDS,
  TPACKET_SNAPLEN,
} from '../linux/packet.ts';
import {
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_SIZE,
} from '../linux/virtio-net.ts';

/** One object for all frames of a socket: what it says holds until the next one is looked at. */
export interface SeenFrame {
  /** The kernel's stamp, CLOCK_REALTIME. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** The frame is memory[start, end), from its link-layer header on. */
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The same as a view made for the caller, who pays for it. */
  readonly bytes: Uint8Array;
  /** Before it was cut to the snap length. */
  readonly length: number;
  readonly outgoing: boolean;
  /** Of virtio_net_hdr (lib/linux/virtio-net.ts); a type of 0 means that it is a packet like any other. */
  readonly vnetFlags: number;
  readonly vnetGsoType: number;
  readonly vnetGsoSize: number;
  readonly vnetCsumStart: number;
  readonly vnetCsumOffset: number;
}

export class Frame implements SeenFrame {
  seconds = 0;
  nanoseconds = 0;
  readonly memory: Uint8Array;
  start = 0;
  end = 0;
  length = 0;
  outgoing = false;
  vnetFlags = 0;
  vnetGsoType = 0;
  vnetGsoSize = 0;
  vnetCsumStart = 0;
  vnetCsumOffset = 0;

  constructor(memory: Uint8Array) {
    this.memory = memory;
  }

  get bytes(): Uint8Array {
    return this.memory.subarray(this.start, this.end);
  }

  /** `at`: where its tpacket3_hdr begins; `view` is of the same memory. */
  read(view: DataView, at: number): void {
    this.seconds = view.getUint32(at + TPACKET_SECONDS, true);
    this.nanoseconds = view.getUint32(at + TPACKET_NANOSECONDS, true);
    this.start = at + view.getUint16(at + TPACKET_MAC, true);
    this.end = this.start + view.getUint32(at + TPACKET_SNAPLEN, true);
    this.length = view.getUint32(at + TPACKET_LEN, true);
    this.outgoing = view.getUint8(at + TPACKET_ADDRESS + SOCKADDR_LL_PKTTYPE) === PACKET_OUTGOING;
    const vnet = this.start - VNET_SIZE;
    this.vnetFlags = view.getUint8(vnet + VNET_FLAGS);
    this.vnetGsoType = view.getUint8(vnet + VNET_GSO_TYPE);
    this.vnetGsoSize = view.getUint16(vnet + VNET_GSO_SIZE, true);
    this.vnetCsumStart = view.getUint16(vnet + VNET_CSUM_START, true);
    this.vnetCsumOffset = view.getUint16(vnet + VNET_CSUM_OFFSET, true);
  }
}
