import { WeftError } from '../../error.ts';
import { AF_NETLINK, SOCKADDR_FAMILY } from '../../linux/sockaddr.ts';
import { MSG_TRUNC, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW, SOL_SOCKET } from '../../linux/socket.ts';
import { check, Errno, errnoName, SyscallError } from '../errno.ts';
import { bind, close, connect, errno, recv, send, setsockopt, socket } from '../ffi.ts';
import { setOption, setReceiveBuffer } from '../socket-option.ts';
import {
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_NOOP,
  SOL_NETLINK,
} from './abi.ts';
import { NetlinkError } from './error.ts';
import {
  type Attribute,
  emitMessage,
  LITTLE_ENDIAN,
  type NetlinkMessage,
  parseMessages,
  parseVerdict,
} from './message.ts';

const MSG_PEEK = 0x02;
const SO_RCVTIMEO = 20;
/** sizeof(struct sockaddr_nl) */
const SOCKADDR_NL_SIZE = 12;
const OBJECT = 'netlink route socket';
/** Our choice: the kernel answers in microseconds; this only keeps a kernel bug from hanging the daemon. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Our choice: a table that changes during every one of so many reads is reported, not waited for. */
const DUMP_ATTEMPTS = 20;
/** Our choice: twice the size the kernel gives the parts of a dump (32 KiB); grows when a datagram is larger. */
const INITIAL_BUFFER_LENGTH = 65_536;
/** A signal interrupts recv(2) once; so many in a row mean that something else is wrong. */
const MAX_INTERRUPTIONS = 1_000;

export interface NetlinkSocketOptions {
  /** RTMGRP_* bits to subscribe to. */
  readonly groups?: number;
  /** SO_RCVBUF in bytes; above net.core.rmem_max only with CAP_NET_ADMIN. Default: the system's. */
  readonly receiveBufferBytes?: number;
  /** For a subscriber: `receive` returns undefined instead of waiting. */
  readonly nonBlocking?: boolean;
}

/** What is asked of the kernel. `operation` is for error messages ("add route ...") and only called for them. */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_* beside REQUEST, ACK and DUMP, which the methods set. */
  readonly flags?: number;
  readonly body: Uint8Array;
  readonly attributes?: readonly Attribute[];
  readonly operation: () => string;
}

/**
 * A NETLINK_ROUTE socket. The calls are synchronous: each takes microseconds, and none waits longer than 5 s for the
 * kernel. Not for more than one thread.
 *
 * Three kinds of exchange: `command` (answered by an acknowledgement), `ask` (by one message), `dump` (by many).
 */
export class NetlinkSocket {
  readonly fd: number;
  #sequence = 0;
  #buffer = new Uint8Array(INITIAL_BUFFER_LENGTH);
  #open = true;

  private constructor(fd: number) {
    this.fd = fd;
  }

  static open(options: NetlinkSocketOptions = {}): NetlinkSocket {
    const type = SOCK_RAW | SOCK_CLOEXEC | (options.nonBlocking === true ? SOCK_NONBLOCK : 0);
    const fd = check(socket(AF_NETLINK, type, NETLINK_ROUTE), 'socket', OBJECT);
    try {
      configure(fd, options);
    } catch (error) {
      close(fd);
      throw error;
    }
    return new NetlinkSocket(fd);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    close(this.fd);
  }

  /** Sends a request and waits until the kernel has done it. Throws {@link NetlinkError}. */
  command(request: NetlinkRequest): void {
    const sequence = this.#send(request, NLM_F_ACK);
    for (;;) {
      for (const message of this.#answers(request, sequence)) {
        const verdict = parseVerdict(message);
        if (verdict === undefined) continue;
        if (verdict.errno !== 0) throw new NetlinkError(request.operation(), verdict.errno, verdict.text);
        return;
      }
    }
  }

  /** Sends a question and returns `parse` of the one message that answers it. Throws {@link NetlinkError}. */
  ask<T>(request: NetlinkRequest, parse: (payload: Uint8Array) => T): T {
    const sequence = this.#send(request, 0);
    for (;;) {
      for (const message of this.#answers(request, sequence)) {
        const verdict = parseVerdict(message);
        if (verdict !== undefined) throw new NetlinkError(request.operation(), verdict.errno, verdict.text);
        if (message.type !== NLMSG_NOOP) return parse(message.payload);
      }
    }
  }

  /**
   * Reads a whole table: `parse` of each entry but those for which it returns undefined. Throws {@link NetlinkError}.
   *
   * Where the kernel notices that a table changed while it was read (links, addresses) the table is read again. For
   * routes it does not say so: one that comes or goes meanwhile may be in the result or not; a subscription shows it.
   */
  dump<T>(request: NetlinkRequest, parse: (payload: Uint8Array) => T | undefined): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const entries = this.#dumpOnce(request, parse);
      if (entries !== undefined) return entries;
    }
    throw new WeftError(
      'EDUMPINTERRUPTED',
      `Cannot ${request.operation()}: the table changed during each of ${DUMP_ATTEMPTS} attempts to read it`,
    );
  }

  /** Undefined when the kernel says that the table changed meanwhile. */
  #dumpOnce<T>(request: NetlinkRequest, parse: (payload: Uint8Array) => T | undefined): T[] | undefined {
    const sequence = this.#send(request, NLM_F_DUMP);
    const entries: T[] = [];
    let consistent = true;
    for (;;) {
      for (const message of this.#answers(request, sequence)) {
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) consistent = false;
        const verdict = parseVerdict(message);
        if (verdict !== undefined) {
          if (verdict.errno !== 0) throw new NetlinkError(request.operation(), verdict.errno, verdict.text);
          // A refused dump ends with NLMSG_ERROR, a completed one with NLMSG_DONE.
          if (message.type === NLMSG_DONE) return consistent ? entries : undefined;
          continue;
        }
        if (message.type === NLMSG_NOOP) continue;
        const entry = parse(message.payload);
        if (entry !== undefined) entries.push(entry);
      }
    }
  }

  /**
   * The messages of the next datagram, or undefined when there is none (after the timeout, or at once if non-blocking).
   * Valid until the next call. Throws SyscallError; ENOBUFS means that the kernel had to throw messages away.
   */
  receive(): NetlinkMessage[] | undefined {
    // The kernel gives the length of a datagram that it keeps, so that none is ever cut.
    const length = this.#receiveInto(0, MSG_PEEK | MSG_TRUNC);
    if (length === undefined) return undefined;
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const received = this.#receiveInto(this.#buffer.length, 0);
    return received === undefined ? undefined : parseMessages(this.#buffer.subarray(0, received));
  }

  #receiveInto(space: number, flags: number): number | undefined {
    for (let attempt = 0; attempt < MAX_INTERRUPTIONS; attempt++) {
      const length = recv(this.fd, this.#buffer, space, flags);
      if (length >= 0) return length;
      const error = errno();
      if (error === Errno.EAGAIN) return undefined;
      if (error !== Errno.EINTR) throw new SyscallError('recv', OBJECT, error);
    }
    throw new SyscallError('recv', OBJECT, Errno.EINTR);
  }

  #send(request: NetlinkRequest, flags: number): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const header = {
      type: request.type,
      flags: NLM_F_REQUEST | flags | (request.flags ?? 0),
      sequence: this.#sequence,
    };
    const bytes = emitMessage(header, request.body, request.attributes ?? []);
    if (send(this.fd, bytes, bytes.length, 0) < 0) throw new NetlinkError(request.operation(), errno());
    return this.#sequence;
  }

  /** The messages of the next datagram that answer `sequence`; leftovers of an exchange that timed out are not. */
  #answers(request: NetlinkRequest, sequence: number): NetlinkMessage[] {
    let messages: NetlinkMessage[] | undefined;
    try {
      messages = this.receive();
    } catch (error) {
      if (error instanceof SyscallError) throw new NetlinkError(request.operation(), error.errno);
      throw error;
    }
    if (messages === undefined)
      throw new NetlinkError(request.operation(), Errno.ETIMEDOUT, 'no answer from the kernel');
    return messages.filter((message) => message.sequence === sequence);
  }
}

function configure(fd: number, options: NetlinkSocketOptions): void {
  if (options.receiveBufferBytes !== undefined)
    check(setReceiveBuffer(fd, options.receiveBufferBytes), 'setsockopt SO_RCVBUF', OBJECT);
  if (options.nonBlocking !== true) setReceiveTimeout(fd, ANSWER_TIMEOUT_MS);
  setOptional(fd, NETLINK_EXT_ACK);
  setOptional(fd, NETLINK_CAP_ACK);
  check(bind(fd, socketAddress(options.groups ?? 0), SOCKADDR_NL_SIZE), 'bind', OBJECT);
  // Connected to port 0, the kernel itself: messages of other processes are refused.
  check(connect(fd, socketAddress(0), SOCKADDR_NL_SIZE), 'connect', OBJECT);
}

/** struct sockaddr_nl: u16 family, u16 padding, u32 port (0: the kernel chooses), u32 groups. */
function socketAddress(groups: number): Uint8Array {
  const address = new Uint8Array(SOCKADDR_NL_SIZE);
  const view = new DataView(address.buffer);
  view.setUint16(SOCKADDR_FAMILY, AF_NETLINK, LITTLE_ENDIAN);
  view.setUint32(8, groups, LITTLE_ENDIAN);
  return address;
}

/** struct timeval of 64-bit Linux: s64 seconds, s64 microseconds. */
function setReceiveTimeout(fd: number, timeoutMs: number): void {
  const value = new BigInt64Array([BigInt(Math.floor(timeoutMs / 1000)), BigInt((timeoutMs % 1000) * 1000)]);
  check(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(value.buffer), 16), 'setsockopt SO_RCVTIMEO', OBJECT);
}

/** Options that older kernels lack; without them errors only have fewer words. */
function setOptional(fd: number, option: number): void {
  if (setOption(fd, SOL_NETLINK, option, 1) === 0) return;
  const error = errno();
  if (errnoName(error) !== 'ENOPROTOOPT') throw new SyscallError('setsockopt', OBJECT, error);
}
