// Structures that system calls read: struct iovec, msghdr, cmsghdr (lib/linux/msghdr.ts). They hold absolute addresses.
import {
  CMSGHDR_LEN,
  CMSGHDR_LEVEL,
  CMSGHDR_SIZE,
  CMSGHDR_TYPE,
  IOVEC_BASE,
  IOVEC_LEN,
  MMSGHDR_LEN,
  MSGHDR_CONTROL,
  MSGHDR_CONTROLLEN,
  MSGHDR_FLAGS,
  MSGHDR_IOV,
  MSGHDR_IOVLEN,
  MSGHDR_NAME,
  MSGHDR_NAMELEN,
} from '../../linux/msghdr';
import { Base } from './context';

/** Says where byte 0 of this memory lies in the process. */
export function setBase(address: u64): void {
  Base.address = address;
}

@inline
function absolute(at: usize): u64 {
  return Base.address + <u64>at;
}

/** The offset in this memory of an absolute address in it. */
@inline
export function relative(address: u64): usize {
  return <usize>(address - Base.address);
}

@inline
export function putIovec(iovec: usize, at: usize, length: u32): void {
  store<u64>(iovec, absolute(at), IOVEC_BASE);
  store<u64>(iovec, length, IOVEC_LEN);
}

/** Writes a whole mmsghdr without control messages: a socket address of `nameLength` bytes at `name`, and `n` iovecs. */
@inline
export function putMessage(message: usize, name: usize, nameLength: u32, iovec: usize, n: u32): void {
  store<u64>(message, absolute(name), MSGHDR_NAME);
  store<u64>(message, nameLength, MSGHDR_NAMELEN);
  store<u64>(message, absolute(iovec), MSGHDR_IOV);
  store<u64>(message, n, MSGHDR_IOVLEN);
  store<u64>(message, 0, MSGHDR_CONTROL);
  store<u64>(message, 0, MSGHDR_CONTROLLEN);
  store<u64>(message, 0, MSGHDR_FLAGS);
  store<u64>(message, 0, MMSGHDR_LEN);
}

/** Gives a message `length` bytes of control messages at `control`, or room for so many; 0: none. */
@inline
export function attachControl(message: usize, control: usize, length: u32): void {
  if (!length) return;
  store<u64>(message, absolute(control), MSGHDR_CONTROL);
  store<u64>(message, length, MSGHDR_CONTROLLEN);
}

/** Writes a control message with a value of `size` bytes, at most 8. Returns its bytes with padding. */
@inline
export function controlMessage(at: usize, level: u32, type: u32, value: u32, size: u32): u32 {
  store<u64>(at, CMSGHDR_SIZE + size, CMSGHDR_LEN);
  store<u32>(at, level, CMSGHDR_LEVEL);
  store<u32>(at, type, CMSGHDR_TYPE);
  store<u64>(at, value, CMSGHDR_SIZE);
  return CMSGHDR_SIZE + 8;
}
