/**
 * Numbered UDP datagrams in batches: what the traffic generator of `weft bench` sends and counts.
 *
 * sendmmsg(2) and recvmmsg(2) save system calls only: each datagram passes the stack by itself, without UDP_SEGMENT and
 * UDP_GRO. A payload begins with two big-endian u32: the number of the trial, then the sequence number.
 */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import {
  IOVEC_BASE,
  IOVEC_LEN,
  IOVEC_SIZE,
  MMSGHDR_LEN,
  MMSGHDR_SIZE,
  MSGHDR_IOV,
  MSGHDR_IOVLEN,
} from '../linux/msghdr.ts';
import { AF_INET } from '../linux/sockaddr.ts';
import {
  MSG_DONTWAIT,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../linux/socket.ts';
import { closeFd } from './descriptor.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { addressOf, bind, connect, errno, recvmmsg, sendmmsg, socket } from './ffi.ts';
import { socketAddress } from './socket-address.ts';
import { setOption } from './socket-option.ts';

/** Trial and sequence number. */
export const STAMP_SIZE = 8;
/** Datagrams per system call. UIO_MAXIOV allows 1024. */
export const DATAGRAM_BATCH = 64;

const SO_BROADCAST = 6;

/** The memory of a batch: message headers, iovecs, then the payloads. It is shared memory because that never moves. */
class Batch {
  readonly view: DataView;
  readonly messages: number;
  readonly payloads: number;
  readonly payloadSize: number;

  constructor(payloadSize: number) {
    const iovecs = DATAGRAM_BATCH * MMSGHDR_SIZE;
    this.payloads = iovecs + DATAGRAM_BATCH * IOVEC_SIZE;
    this.payloadSize = payloadSize;
    const memory = new SharedArrayBuffer(this.payloads + DATAGRAM_BATCH * payloadSize);
    this.view = new DataView(memory);
    this.messages = addressOf(new Uint8Array(memory));
    for (let i = 0; i < DATAGRAM_BATCH; i++) {
      const message = i * MMSGHDR_SIZE;
      const iovec = iovecs + i * IOVEC_SIZE;
      this.#pointer(message + MSGHDR_IOV, this.messages + iovec);
      this.#pointer(message + MSGHDR_IOVLEN, 1);
      this.#pointer(iovec + IOVEC_BASE, this.messages + this.payloads + i * payloadSize);
      this.#pointer(iovec + IOVEC_LEN, payloadSize);
    }
  }

  #pointer(at: number, value: number): void {
    this.view.setBigUint64(at, BigInt(value), true);
  }
}

/** `plain`: what the kernel limits, for who has no CAP_NET_ADMIN. */
function openSocket(forced: number, plain: number, bufferBytes: number, object: string): number {
  const fd = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket', object);
  if (setOption(fd, SOL_SOCKET, forced, bufferBytes) < 0)
    check(setOption(fd, SOL_SOCKET, plain, bufferBytes), 'setsockopt', object);
  return fd;
}

export class DatagramSender {
  readonly #fd: number;
  readonly #object: string;
  readonly #batch: Batch;

  /** `payloadSize` >= STAMP_SIZE; `to` may be a broadcast address. Without CAP_NET_ADMIN the send buffer is at most net.core.wmem_max. */
  constructor(to: Ipv4, port: number, payloadSize: number, bufferBytes: number) {
    this.#object = `UDP to ${formatIpv4(to)}:${port}`;
    this.#fd = openSocket(SO_SNDBUFFORCE, SO_SNDBUF, bufferBytes, this.#object);
    check(setOption(this.#fd, SOL_SOCKET, SO_BROADCAST, 1), 'setsockopt', this.#object);
    const name = socketAddress(to, port);
    check(connect(this.#fd, name, name.length), 'connect', this.#object);
    this.#batch = new Batch(payloadSize);
  }

  /**
   * Sends up to `count` (1..DATAGRAM_BATCH) datagrams with the sequence numbers `first`, `first` + 1, ... Blocks while the
   * send buffer is full. Returns how many the kernel took.
   */
  send(trial: number, first: number, count: number): number {
    const { view, payloads, payloadSize, messages } = this.#batch;
    for (let i = 0; i < count; i++) {
      view.setUint32(payloads + i * payloadSize, trial);
      view.setUint32(payloads + i * payloadSize + 4, first + i);
    }
    const sent = sendmmsg(this.#fd, messages, count, 0);
    if (sent >= 0) return sent;
    const value = errno();
    // An ICMP error for an earlier datagram (nobody listened yet), an interrupted wait, or a full device queue: this one
    // call took nothing, the next may.
    const passing: readonly number[] = [Errno.ECONNREFUSED, Errno.EHOSTUNREACH, Errno.EINTR, Errno.ENOBUFS];
    if (passing.includes(value)) return 0;
    throw new SyscallError('sendmmsg', this.#object, value);
  }

  close(): void {
    closeFd(this.#fd, this.#object);
  }
}

export class DatagramReceiver {
  readonly #fd: number;
  readonly #object: string;
  readonly #batch: Batch;

  /** `at` 0: every address of ours. Without CAP_NET_ADMIN the receive buffer is at most net.core.rmem_max. */
  constructor(port: number, payloadSize: number, bufferBytes: number, at: Ipv4 = 0) {
    this.#object = at === 0 ? `UDP port ${port}` : `UDP ${formatIpv4(at)}:${port}`;
    this.#fd = openSocket(SO_RCVBUFFORCE, SO_RCVBUF, bufferBytes, this.#object);
    const name = socketAddress(at, port);
    check(bind(this.#fd, name, name.length), 'bind', this.#object);
    this.#batch = new Batch(payloadSize);
  }

  /** Takes what has come, up to DATAGRAM_BATCH datagrams, without waiting. */
  receive(): number {
    const count = recvmmsg(this.#fd, this.#batch.messages, DATAGRAM_BATCH, MSG_DONTWAIT, 0);
    if (count >= 0) return count;
    const value = errno();
    if (value === Errno.EAGAIN || value === Errno.EINTR) return 0;
    throw new SyscallError('recvmmsg', this.#object, value);
  }

  /** Payload bytes of datagram `index` of the last `receive`, cut to payloadSize. */
  length(index: number): number {
    return this.#batch.view.getUint32(index * MMSGHDR_SIZE + MMSGHDR_LEN, true);
  }

  trial(index: number): number {
    return this.#batch.view.getUint32(this.#batch.payloads + index * this.#batch.payloadSize);
  }

  sequence(index: number): number {
    return this.#batch.view.getUint32(this.#batch.payloads + index * this.#batch.payloadSize + 4);
  }

  close(): void {
    closeFd(this.#fd, this.#object);
  }
}
