/**
 * What passes a network device, as the kernel sees it: AF_PACKET with a ring in shared memory, the kernel's nanosecond stamps
 * and, before each frame, what offloads still have to do with it (virtio_net_hdr). packet(7).
 */
import { WeftError } from '../error.ts';
import {
  AF_PACKET,
  ARPHRD_ETHER,
  ARPHRD_LOOPBACK,
  ETH_P_ALL,
  PACKET_OUTGOING,
  PACKET_STATISTICS,
  PACKET_VNET_HDR,
  SOCKADDR_LL_HATYPE,
  SOCKADDR_LL_IFINDEX,
  SOCKADDR_LL_PKTTYPE,
  SOCKADDR_LL_PROTOCOL,
  SOCKADDR_LL_SIZE,
  SOL_PACKET,
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
  TPACKET_ADDRESS,
  TPACKET_BLOCK_FIRST,
  TPACKET_BLOCK_PACKETS,
  TPACKET_BLOCK_STATUS,
  TPACKET_LEN,
  TPACKET_MAC,
  TPACKET_NANOSECONDS,
  TPACKET_NEXT,
  TPACKET_SECONDS,
  TPACKET_SNAPLEN,
  TPACKET_STATS_DROPS,
  TPACKET_STATS_PACKETS,
  TPACKET_STATS_SIZE,
} from '../linux/packet.ts';
import { SOCKADDR_FAMILY } from '../linux/sockaddr.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW, SOL_SOCKET } from '../linux/socket.ts';
import {
  VNET_CSUM_OFFSET,
  VNET_CSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_SIZE,
} from '../linux/virtio-net.ts';
import { ETHERNET_HEADER, VLAN_TAG } from '../wire/layout/ethernet.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { bind, close, errno, getsockname, getsockopt, socket } from './ffi.ts';
import { RouteNetlink } from './netlink/rtnetlink.ts';
import { withinNetns } from './netns.ts';
import { type FilterInstruction, snapFilter } from './packet-filter.ts';
import { mapRing, type PacketRing, RING_BLOCK } from './packet-ring.ts';
import { attachFilter, getOption, setOption } from './socket-option.ts';

const SO_ERROR = 4;
/** https://www.tcpdump.org/linktypes.html: a frame begins with an Ethernet header, or with that of IPv4 or IPv6. */
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;

/** Of Ethernet with a VLAN tag. */
const LINK_HEADER = ETHERNET_HEADER + VLAN_TAG;
/** Our choice: 60 ms of 1 Gb/s. */
const USUAL_RING_BYTES = 8 * 1024 * 1024;
/** Our choice: how late a packet may be seen. The kernel looks as often while nothing comes, which cannot be measured. */
export const RING_RETIRE_MS = 20;

export interface PacketSocketOptions {
  readonly device: string;
  /** File of its network namespace; undefined: this process's. */
  readonly netns?: string | undefined;
  /** Bytes of a frame that are kept; super-packets and trains, which are longer than the device's MTU, are kept whole. */
  readonly snapLength: number;
  /** Default 8 MiB. */
  readonly ringBytes?: number;
  /** Classic BPF on the frame from its link-layer header on; what returns 0 is not seen. */
  readonly filter?: readonly FilterInstruction[] | undefined;
}

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

class Frame implements SeenFrame {
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

/** A capture on one device, from when it is opened. */
export class PacketSocket {
  readonly fd: number;
  readonly device: string;
  readonly linkType: typeof LINKTYPE_ETHERNET | typeof LINKTYPE_RAW;
  /** Bytes, of the device when the socket was opened. */
  readonly mtu: number;
  readonly #ring: PacketRing;
  readonly #view: DataView;
  /** The ring in words, for the one field that both sides write. */
  readonly #words: Int32Array;
  readonly #frame: Frame;
  #block = 0;
  /** Frames of the block in hand that have not been taken; 0: none is in hand. */
  #left = 0;
  #at = 0;
  #isRead = false;
  #received = 0;
  #dropped = 0;
  /** errno of the device that was set down, once it was; 0: never. */
  #downError = 0;
  #closed = false;

  /**
   * Throws WeftError NOT_PERMITTED (CAP_NET_RAW), NO_SUCH_DEVICE, NETNS_MISSING, or the errno's name. Nothing of other devices,
   * and nothing from before, is seen.
   */
  static open(options: PacketSocketOptions): PacketSocket {
    return withinNetns(options.netns, () => openHere(options));
  }

  /** For `open`. */
  constructor(
    fd: number,
    device: string,
    bound: { readonly linkType: 1 | 101; readonly mtu: number },
    ring: PacketRing,
  ) {
    this.fd = fd;
    this.device = device;
    this.linkType = bound.linkType;
    this.mtu = bound.mtu;
    this.#ring = ring;
    this.#view = new DataView(ring.memory);
    this.#words = new Int32Array(ring.memory);
    this.#frame = new Frame(new Uint8Array(ring.memory));
  }

  /** The oldest frame that was not taken; undefined when none has come. It stays until `take`. */
  peek(): SeenFrame | undefined {
    if (this.#left === 0 && !this.#openBlock()) return undefined;
    if (!this.#isRead) {
      this.#frame.read(this.#view, this.#at);
      this.#isRead = true;
    }
    return this.#frame;
  }

  /** Gives the frame in hand back to the kernel. */
  take(): void {
    if (this.#left === 0) return;
    this.#left--;
    this.#isRead = false;
    if (this.#left > 0) {
      this.#at += this.#view.getUint32(this.#at + TPACKET_NEXT, true);
      return;
    }
    Atomics.store(this.#words, this.#statusWord(), TP_STATUS_KERNEL);
    this.#block = (this.#block + 1) % this.#ring.blocks;
  }

  /** Hands over all that has come, and returns how many. Throws DEVICE_GONE, after what came before. */
  drain(onFrame: (frame: SeenFrame) => void): number {
    let count = 0;
    for (let frame = this.peek(); frame !== undefined; frame = this.peek()) {
      onFrame(frame);
      this.take();
      count++;
    }
    this.checkDevice();
    return count;
  }

  /** Whether the device was set down once: then nothing says when it is deleted, and {@link checkDevice} has to be called to know. */
  get wasDown(): boolean {
    return this.#downError !== 0;
  }

  /** Throws WeftError DEVICE_GONE when the device was deleted. That it was set down is no error: it may come up again. */
  checkDevice(): void {
    // Read and so cleared, or poll would return at once for ever.
    const error = getOption(this.fd, SOL_SOCKET, SO_ERROR) ?? 0;
    if (error !== 0) this.#downError = error;
    if (this.#downError === 0) return;
    const { index } = boundTo(this.fd, this.device);
    if (index >= 0) return;
    throw new WeftError('DEVICE_GONE', `Device "${this.device}" is gone`, {
      cause: new SyscallError('recv', `packet socket on "${this.device}"`, this.#downError),
    });
  }

  /** Since the socket was opened: frames that passed the filter, and those of them that found no room in the ring. */
  statistics(): { readonly received: number; readonly dropped: number } {
    const counts = new Uint8Array(TPACKET_STATS_SIZE);
    const length = new Uint8Array(Uint32Array.of(counts.length).buffer);
    // Reading makes them zero.
    if (!this.#closed && getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, counts, length) === 0) {
      const view = new DataView(counts.buffer);
      this.#received += view.getUint32(TPACKET_STATS_PACKETS, true);
      this.#dropped += view.getUint32(TPACKET_STATS_DROPS, true);
    }
    return { received: this.#received, dropped: this.#dropped };
  }

  close(): void {
    if (this.#closed) return;
    this.statistics();
    this.#closed = true;
    this.#left = 0;
    this.#ring.release();
    close(this.fd);
  }

  #statusWord(): number {
    return (this.#block * RING_BLOCK + TPACKET_BLOCK_STATUS) >> 2;
  }

  #openBlock(): boolean {
    while (!this.#closed && (Atomics.load(this.#words, this.#statusWord()) & TP_STATUS_USER) !== 0) {
      const block = this.#block * RING_BLOCK;
      this.#left = this.#view.getUint32(block + TPACKET_BLOCK_PACKETS, true);
      this.#at = block + this.#view.getUint32(block + TPACKET_BLOCK_FIRST, true);
      this.#isRead = false;
      if (this.#left > 0) return true;
      Atomics.store(this.#words, this.#statusWord(), TP_STATUS_KERNEL);
      this.#block = (this.#block + 1) % this.#ring.blocks;
    }
    return false;
  }
}

function openHere({ device, snapLength, ringBytes, filter }: PacketSocketOptions): PacketSocket {
  const link = findDevice(device);
  const object = `packet socket on "${device}"`;
  // Protocol 0: until it is bound it sees nothing. With ETH_P_ALL it would see all devices meanwhile.
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw openFailed(device, errno());
  let ring: PacketRing | undefined;
  try {
    check(setOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1), 'setsockopt PACKET_VNET_HDR', object);
    ring = mapRing(fd, ringBytes ?? USUAL_RING_BYTES, RING_RETIRE_MS, object);
    // What is longer than that is no single packet.
    check(
      attachFilter(fd, snapFilter(filter, snapLength, link.mtu + LINK_HEADER)),
      'setsockopt SO_ATTACH_FILTER',
      object,
    );
    const address = new Uint8Array(SOCKADDR_LL_SIZE);
    const view = new DataView(address.buffer);
    view.setUint16(SOCKADDR_FAMILY, AF_PACKET, true);
    view.setUint16(SOCKADDR_LL_PROTOCOL, ETH_P_ALL);
    view.setInt32(SOCKADDR_LL_IFINDEX, link.index, true);
    check(bind(fd, address, address.length), 'bind', object);
    const { hardware } = boundTo(fd, device);
    const hasEthernet = hardware === ARPHRD_ETHER || hardware === ARPHRD_LOOPBACK;
    const linkType = hasEthernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
    return new PacketSocket(fd, device, { linkType, mtu: link.mtu }, ring);
  } catch (error) {
    ring?.release();
    close(fd);
    throw error;
  }
}

function findDevice(device: string): { readonly index: number; readonly mtu: number } {
  const netlink = RouteNetlink.open();
  try {
    const link = netlink.linkByName(device);
    if (link !== undefined) return link;
    throw new WeftError('NO_SUCH_DEVICE', `There is no device "${device}"`, { hint: 'see "ip link"' });
  } finally {
    netlink.close();
  }
}

/** The device a packet socket is bound to: -1 when that is gone. */
function boundTo(fd: number, device: string): { readonly index: number; readonly hardware: number } {
  const address = new Uint8Array(SOCKADDR_LL_SIZE + 12);
  const length = new Uint8Array(Uint32Array.of(address.length).buffer);
  check(getsockname(fd, address, length), 'getsockname', `packet socket on "${device}"`);
  const view = new DataView(address.buffer);
  return {
    index: view.getInt32(SOCKADDR_LL_IFINDEX, true),
    hardware: view.getUint16(SOCKADDR_LL_HATYPE, true),
  };
}

function openFailed(device: string, value: number): WeftError {
  const cause = new SyscallError('socket', `packet socket on "${device}"`, value);
  if (value !== Errno.EPERM && value !== Errno.EACCES) return cause;
  return new WeftError('NOT_PERMITTED', `Not permitted to capture on "${device}": ${cause.message}`, {
    cause,
    hint: 'run as root, or give the process CAP_NET_RAW',
  });
}
