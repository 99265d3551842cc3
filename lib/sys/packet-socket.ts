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
  PACKET_STATISTICS,
  PACKET_VNET_HDR,
  SOCKADDR_LL_HATYPE,
  SOCKADDR_LL_IFINDEX,
  SOCKADDR_LL_PROTOCOL,
  SOCKADDR_LL_SIZE,
  SOL_PACKET,
  TPACKET_STATS_DROPS,
  TPACKET_STATS_PACKETS,
  TPACKET_STATS_SIZE,
} from '../linux/packet.ts';
import { SOCKADDR_FAMILY } from '../linux/sockaddr.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW, SOL_SOCKET } from '../linux/socket.ts';
import { ETHERNET_HEADER, VLAN_TAG } from '../wire/layout/ethernet.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { bind, close, errno, getsockname, getsockopt, socket } from './ffi.ts';
import { RouteNetlink } from './netlink/rtnetlink.ts';
import { withinNetns } from './netns.ts';
import { dropAll, type FilterInstruction, type PacketFilter, snapFilter } from './packet-filter.ts';
import type { SeenFrame } from './packet-frame.ts';
import { mapRing, type PacketRing } from './packet-ring.ts';
import { RingReader } from './ring-reader.ts';
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
  /** Keep no more than the snap length of super-packets and trains, too. */
  readonly snapAll?: boolean;
  /** Nothing is seen until `startReceiving`: of several sockets none should begin long before the others. */
  readonly waits?: boolean;
}

/** A capture on one device, from when it is opened. */
export class PacketSocket {
  readonly fd: number;
  readonly device: string;
  readonly linkType: typeof LINKTYPE_ETHERNET | typeof LINKTYPE_RAW;
  /** Bytes, of the device when the socket was opened. */
  readonly mtu: number;
  readonly #ring: PacketRing;
  readonly #reader: RingReader;
  #received = 0;
  #dropped = 0;
  /** errno of the device that was set down, once it was; 0: never. */
  #downError = 0;
  #closed = false;
  /** Frames given back. */
  #taken = 0;
  readonly #filter: PacketFilter;

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
    filter: PacketFilter,
  ) {
    this.fd = fd;
    this.device = device;
    this.linkType = bound.linkType;
    this.mtu = bound.mtu;
    this.#ring = ring;
    this.#filter = filter;
    this.#reader = new RingReader(ring);
  }

  /** The oldest frame that was not taken; undefined when none has come. It stays until `take`. */
  peek(): SeenFrame | undefined {
    return this.#reader.peek();
  }

  /** Gives the frame in hand back to the kernel. */
  take(): void {
    this.#reader.take();
    this.#taken++;
  }

  /** Frames that have come and that `peek` may not show yet: the kernel keeps a block that is not full for a while. */
  get untaken(): number {
    const { received, dropped } = this.statistics();
    return received - dropped - this.#taken;
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

  /** Frames from now on, of one that waits. Throws the errno's name. */
  startReceiving(): void {
    const object = `packet socket on "${this.device}"`;
    check(attachFilter(this.fd, this.#filter), 'setsockopt SO_ATTACH_FILTER', object);
  }

  /** No more frames from now on; those that have come stay. Throws the errno's name. */
  stopReceiving(): void {
    if (this.#closed) return;
    const attached = attachFilter(this.fd, dropAll());
    check(attached, 'setsockopt SO_ATTACH_FILTER', `packet socket on "${this.device}"`);
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
    this.#reader.close();
    this.#ring.release();
    close(this.fd);
  }
}

function openHere({ device, snapLength, ringBytes, filter, snapAll, waits }: PacketSocketOptions): PacketSocket {
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
    const wanted = snapFilter(filter, snapLength, snapAll === true ? 0xffff_ffff : link.mtu + LINK_HEADER);
    check(attachFilter(fd, waits === true ? dropAll() : wanted), 'setsockopt SO_ATTACH_FILTER', object);
    const address = new Uint8Array(SOCKADDR_LL_SIZE);
    const view = new DataView(address.buffer);
    view.setUint16(SOCKADDR_FAMILY, AF_PACKET, true);
    view.setUint16(SOCKADDR_LL_PROTOCOL, ETH_P_ALL);
    view.setInt32(SOCKADDR_LL_IFINDEX, link.index, true);
    check(bind(fd, address, address.length), 'bind', object);
    const { hardware } = boundTo(fd, device);
    const hasEthernet = hardware === ARPHRD_ETHER || hardware === ARPHRD_LOOPBACK;
    const linkType = hasEthernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
    return new PacketSocket(fd, device, { linkType, mtu: link.mtu }, ring, wanted);
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
