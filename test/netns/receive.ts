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
  // struct msghdr: iov at 16, iovlen at 24, control at 32, controllen at 40.
  pointer(16, base + IOVEC);
  pointer(24, 1);
  pointer(32, base + CONTROL);
  pointer(40, CONTROL_SIZE);
  pointer(IOVEC, base + PAYLOAD);
  pointer(IOVEC + 8, PAYLOAD_SIZE);
  const length = recvmsg(fd, base, 0);
  if (length < 0) return undefined;
  const control = new Map<string, number>();
  const end = CONTROL + Number(view.getBigUint64(40, true));
  // struct cmsghdr: length at 0, level at 8, type at 12, data at 16; aligned to 8.
  for (let at = CONTROL; at + 16 <= end; at += (Number(view.getBigUint64(at, true)) + 7) & ~7)
    control.set(`${view.getUint32(at + 8, true)}:${view.getUint32(at + 12, true)}`, view.getUint8(at + 16));
  return { payload: bytes.slice(PAYLOAD, PAYLOAD + length), control };
}
