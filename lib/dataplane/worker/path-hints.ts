/**
 * Reads what ICMP errors said about our packets (IP_RECVERR, ip(7)): that one was too long for its path. Anybody may have sent
 * the error, so it goes to the main thread, which asks the path itself (docs/adr/0027).
 */
import {
  ERROR_BYTES,
  ERROR_BYTES_SIZE,
  ERROR_CONTROL,
  ERROR_CONTROL_SIZE,
  ERROR_IOVEC,
  ERROR_MESSAGE,
  ERROR_NAME,
  IN_NAME_SIZE,
} from '../../fastpath/abi.ts';
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
} from '../../linux/msghdr.ts';
import { AF_INET, SOCKADDR_FAMILY, SOCKADDR_IN_ADDR, SOCKADDR_IN6_ADDR } from '../../linux/sockaddr.ts';
import {
  EE_ERRNO,
  EE_INFO,
  EE_ORIGIN,
  IP_RECVERR,
  IPV6_RECVERR,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SOL_IP,
  SOL_IPV6,
} from '../../linux/socket.ts';
import { Errno } from '../../sys/errno.ts';
import { recvmsg } from '../../sys/ffi.ts';
import type { Queue } from './queue.ts';

/** Errors read at once; more wait for the next turn. */
const MAX_ERRORS = 32;
/** Our choice: hints that are handed on in a second. A flood of forged ones must not keep the main thread busy. */
const HINTS_PER_SECOND = 20;

export class PathHints {
  readonly #report: (address: Uint8Array, mtu: number) => void;
  #second = 0;
  #inSecond = 0;

  constructor(report: (address: Uint8Array, mtu: number) => void) {
    this.#report = report;
  }

  /** Empties the error queue of a socket. */
  read(queue: Queue, fd: number): void {
    for (let i = 0; i < MAX_ERRORS; i++) {
      prepare(queue);
      if (recvmsg(fd, queue.base + ERROR_MESSAGE, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
      const mtu = tooLong(new DataView(queue.words.buffer));
      if (mtu === undefined) continue;
      const second = Math.floor(queue.nowMs / 1000);
      if (second !== this.#second) this.#inSecond = 0;
      this.#second = second;
      if (++this.#inSecond <= HINTS_PER_SECOND) this.#report(destination(queue), mtu);
    }
  }
}

function prepare({ words, base }: Queue): void {
  const view = new DataView(words.buffer);
  const pointer = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  pointer(ERROR_MESSAGE + MSGHDR_NAME, base + ERROR_NAME);
  view.setUint32(ERROR_MESSAGE + MSGHDR_NAMELEN, IN_NAME_SIZE, true);
  pointer(ERROR_MESSAGE + MSGHDR_IOV, base + ERROR_IOVEC);
  pointer(ERROR_MESSAGE + MSGHDR_IOVLEN, 1);
  pointer(ERROR_MESSAGE + MSGHDR_CONTROL, base + ERROR_CONTROL);
  pointer(ERROR_MESSAGE + MSGHDR_CONTROLLEN, ERROR_CONTROL_SIZE);
  view.setUint32(ERROR_MESSAGE + MSGHDR_FLAGS, 0, true);
  pointer(ERROR_IOVEC + IOVEC_BASE, base + ERROR_BYTES);
  pointer(ERROR_IOVEC + IOVEC_LEN, ERROR_BYTES_SIZE);
}

/** The MTU that the error speaks of; undefined for every other error. */
function tooLong(view: DataView): number | undefined {
  const end = ERROR_CONTROL + Number(view.getBigUint64(ERROR_MESSAGE + MSGHDR_CONTROLLEN, true));
  for (let at = ERROR_CONTROL; at + CMSGHDR_SIZE <= end; ) {
    const length = Number(view.getBigUint64(at + CMSGHDR_LEN, true));
    if (length < CMSGHDR_SIZE) return undefined;
    const level = view.getUint32(at + CMSGHDR_LEVEL, true);
    const type = view.getUint32(at + CMSGHDR_TYPE, true);
    if ((level === SOL_IP && type === IP_RECVERR) || (level === SOL_IPV6 && type === IPV6_RECVERR)) {
      const data = at + CMSGHDR_SIZE;
      const origin = view.getUint8(data + EE_ORIGIN);
      const isIcmp = origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6;
      return isIcmp && view.getUint32(data + EE_ERRNO, true) === Errno.EMSGSIZE
        ? view.getUint32(data + EE_INFO, true)
        : undefined;
    }
    at += (length + CMSGHDR_ALIGN - 1) & ~(CMSGHDR_ALIGN - 1);
  }
  return undefined;
}

/** To whom the packet was: 4 or 16 bytes. */
function destination({ words }: Queue): Uint8Array {
  const name = new DataView(words.buffer, ERROR_NAME, IN_NAME_SIZE);
  const isIpv4 = name.getUint16(SOCKADDR_FAMILY, true) === AF_INET;
  const at = ERROR_NAME + (isIpv4 ? SOCKADDR_IN_ADDR : SOCKADDR_IN6_ADDR);
  return new Uint8Array(words.buffer, at, isIpv4 ? 4 : 16).slice();
}
