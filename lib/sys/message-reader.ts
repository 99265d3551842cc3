/** recvmsg(2): a message with its address and its ancillary data, cmsg(3). For what comes now and then; packets have faster ways. */
import type { IpAddress } from '../addr/ip.ts';
import {
  CMSGHDR_ALIGN,
  CMSGHDR_LEN,
  CMSGHDR_LEVEL,
  CMSGHDR_SIZE,
  CMSGHDR_TYPE,
  IOVEC_BASE,
  IOVEC_LEN,
  MSGHDR_CONTROL,
  MSGHDR_CONTROLLEN,
  MSGHDR_FLAGS,
  MSGHDR_IOV,
  MSGHDR_IOVLEN,
  MSGHDR_NAME,
  MSGHDR_NAMELEN,
} from '../linux/msghdr.ts';
import { AF_INET, SOCKADDR_FAMILY, SOCKADDR_IN_ADDR, SOCKADDR_IN6_ADDR, SOCKADDR_IN6_SIZE } from '../linux/sockaddr.ts';
import { readIpv6 } from '../wire/ipv6.ts';
import { addressOf, recvmsg } from './ffi.ts';

// Its memory: a msghdr, then these, then the message.
const IOVEC = 64;
const NAME = 96;
const CONTROL = 128;
const CONTROL_SIZE = 384;
const MESSAGE = CONTROL + CONTROL_SIZE;

export class MessageReader {
  /** Where the message lies, and the data of `control`. */
  readonly view: DataView;
  /** Where in `view` the message begins. */
  readonly start = MESSAGE;
  readonly #size: number;
  readonly #base: number;

  /** Of a message at most `size` bytes are kept. */
  constructor(size: number) {
    // Shared memory, because that never moves.
    const memory = new SharedArrayBuffer(MESSAGE + size);
    this.view = new DataView(memory);
    this.#size = size;
    this.#base = addressOf(new Uint8Array(memory));
  }

  /** Bytes of the message, whose place the next one takes; below 0 with errno. */
  receive(fd: number, flags: number): number {
    const { view } = this;
    const pointer = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
    pointer(MSGHDR_NAME, this.#base + NAME);
    view.setUint32(MSGHDR_NAMELEN, SOCKADDR_IN6_SIZE, true);
    pointer(MSGHDR_IOV, this.#base + IOVEC);
    pointer(MSGHDR_IOVLEN, 1);
    pointer(MSGHDR_CONTROL, this.#base + CONTROL);
    pointer(MSGHDR_CONTROLLEN, CONTROL_SIZE);
    view.setUint32(MSGHDR_FLAGS, 0, true);
    pointer(IOVEC + IOVEC_BASE, this.#base + MESSAGE);
    pointer(IOVEC + IOVEC_LEN, this.#size);
    return recvmsg(fd, this.#base, flags);
  }

  /** Who sent the message; of what MSG_ERRQUEUE brings, whom the packet in error was for. Of an IP socket. */
  get address(): IpAddress {
    const { view } = this;
    return view.getUint16(NAME + SOCKADDR_FAMILY, true) === AF_INET
      ? view.getUint32(NAME + SOCKADDR_IN_ADDR)
      : readIpv6(view, NAME + SOCKADDR_IN6_ADDR);
  }

  /** Where in `view` the data begin of the ancillary message of this level and type; undefined: there is none of `size` bytes. */
  control(level: number, type: number, size: number): number | undefined {
    for (const each of this.controls())
      if (each.level === level && each.type === type && each.size >= size) return each.at;
    return undefined;
  }

  /** All ancillary messages, in the kernel's order. `size`: bytes of the data at `at`. */
  *controls(): Generator<{
    readonly level: number;
    readonly type: number;
    readonly at: number;
    readonly size: number;
  }> {
    const { view } = this;
    const end = CONTROL + Number(view.getBigUint64(MSGHDR_CONTROLLEN, true));
    for (let at = CONTROL; at + CMSGHDR_SIZE <= end; ) {
      const length = Number(view.getBigUint64(at + CMSGHDR_LEN, true));
      if (length < CMSGHDR_SIZE || at + length > end) return;
      const level = view.getUint32(at + CMSGHDR_LEVEL, true);
      const type = view.getUint32(at + CMSGHDR_TYPE, true);
      yield { level, type, at: at + CMSGHDR_SIZE, size: length - CMSGHDR_SIZE };
      at += Math.ceil(length / CMSGHDR_ALIGN) * CMSGHDR_ALIGN;
    }
  }
}
