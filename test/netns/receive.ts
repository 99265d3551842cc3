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
  MSGHDR_IOV,
  MSGHDR_IOVLEN,
} from '../../lib/linux/msghdr.ts';
import { addressOf, recvmsg } from '../../lib/sys/ffi.ts';

export interface Datagram {
  readonly payload: Uint8Array;
  /** First byte of each ancillary datum, by "level:type". */
  readonly control: ReadonlyMap<string, number>;
}

const IOVEC = 64;
const CONTROL = 128;
const CONTROL_SIZE = 384;
const PAYLOAD = CONTROL + CONTROL_SIZE;
const PAYLOAD_SIZE = 4096;

/** recvmsg(2) with its ancillary data; undefined when nothing waits at a non-blocking socket. */
export function receive(fd: number): Datagram | undefined {
  const bytes = new Uint8Array(new SharedArrayBuffer(PAYLOAD + PAYLOAD_SIZE));
  const view = new DataView(bytes.buffer);
  const base = addressOf(bytes);
  const pointer = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  pointer(MSGHDR_IOV, base + IOVEC);
  pointer(MSGHDR_IOVLEN, 1);
  pointer(MSGHDR_CONTROL, base + CONTROL);
  pointer(MSGHDR_CONTROLLEN, CONTROL_SIZE);
  pointer(IOVEC + IOVEC_BASE, base + PAYLOAD);
  pointer(IOVEC + IOVEC_LEN, PAYLOAD_SIZE);
  const length = recvmsg(fd, base, 0);
  if (length < 0) return undefined;
  const control = new Map<string, number>();
  const end = CONTROL + Number(view.getBigUint64(MSGHDR_CONTROLLEN, true));
  for (let at = CONTROL; at + CMSGHDR_SIZE <= end; ) {
    const key = `${view.getUint32(at + CMSGHDR_LEVEL, true)}:${view.getUint32(at + CMSGHDR_TYPE, true)}`;
    control.set(key, view.getUint8(at + CMSGHDR_SIZE));
    at += Math.ceil(Number(view.getBigUint64(at + CMSGHDR_LEN, true)) / CMSGHDR_ALIGN) * CMSGHDR_ALIGN;
  }
  return { payload: bytes.slice(PAYLOAD, PAYLOAD + length), control };
}
