/** Sends staged trains: sendmmsg, and what to do about each of its errors. No throw, no allocation and no log per packet. */
import {
  CONFIG_MAX_TRAIN,
  DROP_TOO_BIG,
  DROP_UNDERLAY_REFUSED,
  ERROR_HOST_UNREACHABLE,
  ERROR_TOO_BIG,
  OUT_MESSAGES,
  PEER_ADDRESS,
  PEER_MAX_DATAGRAM,
  SPLIT_MESSAGES,
  TRAIN_NARROW,
  WAIT_FD,
} from '../../fastpath/abi.ts';
import { MMSGHDR_SIZE } from '../../linux/msghdr.ts';
import { POLLFD_EVENTS, POLLFD_FD, POLLOUT } from '../../linux/poll.ts';
import { SOCKADDR_IN6_SIZE } from '../../linux/sockaddr.ts';
import { MSG_DONTWAIT } from '../../linux/socket.ts';
import { Errno, errnoName } from '../../sys/errno.ts';
import { errno, poll, sendmmsg } from '../../sys/ffi.ts';
import { Fragmentation, fragmentationOf, setFragmentation, setFragmentSize6 } from '../../sys/socket-option.ts';
import { pathMtu } from '../../sys/udp-socket.ts';
import { IPV4_DONT_FRAGMENT, IPV4_FLAGS_FRAGMENT, IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { IPV6_HEADER } from '../../wire/layout/ipv6.ts';
import { UDP_HEADER } from '../../wire/layout/udp.ts';
import type { UnderlaySocket } from '../segment.ts';
import { writeIcmpErrors } from './icmp.ts';
import type { Queue } from './queue.ts';

const SEND_RETRIES = 3;
const WAIT_MS = 20;
/** Our choice: waits for room while one train is sent datagram by datagram; stop must not take longer than 100 ms for it. */
const FULL_WAITS = 3;
/** RFC 791: every link carries so much. */
const IPV4_MIN_MTU = 68;
const IPV6_MIN_MTU = 1280;

/** Sends the trains `from` to `to` - 1, which are complete. False: a socket's buffer is full, the rest is pending. */
export function sendTrains(queue: Queue, from: number, to: number): boolean {
  queue.fastpath.outboundMessages(from, to);
  return sendMessages(queue, from, to);
}

/** Sends all trains from `from` on and forgets them; if a socket's buffer is full, leaves the rest pending. */
export function sendAll(queue: Queue, from: number): void {
  if (sendTrains(queue, from, queue.fastpath.trainsStaged())) reset(queue);
}

/** Goes on with a send that found a socket's buffer full. */
export function resumeSend(queue: Queue): void {
  const { pending } = queue;
  if (pending === undefined) return;
  queue.pending = undefined;
  if (!sendMessages(queue, pending.next, pending.total)) return;
  // Trains behind the interrupted ones may have been staged in the same turn.
  sendAll(queue, pending.total);
}

function reset(queue: Queue): void {
  queue.fastpath.outboundReset();
  writeIcmpErrors(queue);
}

/** The messages of one socket leave by one call. */
function sendMessages(queue: Queue, next: number, total: number): boolean {
  const { fastpath } = queue;
  let at = next;
  while (at < total) {
    const named = fastpath.messageSocket(at);
    const socket = named & ~TRAIN_NARROW;
    const end = fastpath.messageGroupEnd(at, total);
    if (named === socket) at = sendGroup(queue, queue.send[socket]!, at, end);
    else for (; at < end; at++) sendOneByOne(queue, queue.send[socket]!, fastpath.messageTrain(at));
    if (at < end) {
      queue.pending = { next: at, total, socket };
      return false;
    }
  }
  return true;
}

/** Sends the messages `next` to `end` - 1. Returns the first that did not leave because the socket's buffer is full, or `end`. */
function sendGroup(queue: Queue, socket: UnderlaySocket, next: number, end: number): number {
  const { fastpath, base } = queue;
  let retries = 0;
  while (next < end) {
    const sent = sendmmsg(socket.fd, base + OUT_MESSAGES + next * MMSGHDR_SIZE, end - next, MSG_DONTWAIT);
    if (sent > 0) {
      fastpath.outboundSent(next, sent);
      next += sent;
      retries = 0;
      continue;
    }
    const error = errno();
    if (error === Errno.EINTR) continue;
    if (error === Errno.EAGAIN) return next;
    if ((error === Errno.ENOBUFS || isLate(error)) && retries < SEND_RETRIES) {
      retries++;
      continue;
    }
    sendFailed(queue, socket, fastpath.messageTrain(next), error);
    next++;
    retries = 0;
  }
  return next;
}

/**
 * May the send have failed for what an earlier packet met on its way? An ICMP error fails one send of whatever peer, and
 * anybody may have sent it: what is true is found out by another try.
 */
export function isLate(error: number): boolean {
  return LATE.has(error);
}

/** What net/ipv4/icmp.c and net/ipv6/icmp.c make of errors, but EACCES, which a broadcast address gets each time. */
const LATE: ReadonlySet<number> = new Set([
  Errno.ECONNREFUSED,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
  Errno.EMSGSIZE,
  Errno.ENOPROTOOPT,
  Errno.EPROTO,
  Errno.EOPNOTSUPP,
  Errno.EHOSTDOWN,
  Errno.ENONET,
]);

/** The message of `train` failed as the first of its call: the others are not touched by what happens to it here. */
function sendFailed(queue: Queue, socket: UnderlaySocket, train: number, error: number): void {
  const { fastpath } = queue;
  const isTrain = fastpath.trainCount(train) > 1;
  if (isTrain && (error === Errno.EIO || error === Errno.EINVAL)) {
    // Older kernels say EINVAL also when the path has become too narrow; then the datagrams alone fail with EMSGSIZE. And a
    // peer's address may be none that anything can be sent to; then they fail alike.
    const left = sendOneByOne(queue, socket, train);
    if (left > 0 && queue.words[CONFIG_MAX_TRAIN / 4] !== 1) {
      queue.words[CONFIG_MAX_TRAIN / 4] = 1;
      queue.onRefused('udp-gso', `sendmsg with UDP_SEGMENT failed: ${errnoName(error)}; sending datagrams one by one`);
    }
  } else if (error === Errno.EMSGSIZE) {
    sendOneByOne(queue, socket, train);
  } else {
    if (error === Errno.EHOSTUNREACH || error === Errno.ENETUNREACH) reportUnreachable(queue, train);
    fastpath.outboundRefused(train, DROP_UNDERLAY_REFUSED);
  }
}

function reportUnreachable({ fastpath }: Queue, train: number): void {
  fastpath.outboundSplit(train);
  const at = fastpath.splitAddress(0);
  // Another copy may reach the host: that one VTEP is down must not end its connections.
  if (fastpath.isFloodCopy(train, at) !== 0) return;
  fastpath.datagramError(train, at, fastpath.splitLength(0), ERROR_HOST_UNREACHABLE, 0);
}

/** Sends a train's datagrams alone. Returns how many left, or -1 if the path was too narrow for one of them. */
function sendOneByOne(queue: Queue, socket: UnderlaySocket, train: number): number {
  const { fastpath, base } = queue;
  let narrow = false;
  let left = 0;
  let patience = FULL_WAITS;
  const total = fastpath.outboundSplit(train);
  const limit = maxDatagram(queue, train);
  for (let i = 0; i < total; i++) {
    if (limit !== 0 && fastpath.splitLength(i) > limit) {
      tooBig(queue, socket, train, i);
      narrow = true;
      continue;
    }
    const message = base + SPLIT_MESSAGES + i * MMSGHDR_SIZE;
    for (let tries = 0; ; tries++) {
      if (sendmmsg(socket.fd, message, 1, MSG_DONTWAIT) > 0) {
        fastpath.splitSent(train, i);
        left++;
        break;
      }
      const error = errno();
      if (isLate(error) && tries < SEND_RETRIES) continue;
      if (error === Errno.EMSGSIZE) {
        tooBig(queue, socket, train, i);
        narrow = true;
        break;
      }
      if (tries === SEND_RETRIES || (error !== Errno.EAGAIN && error !== Errno.EINTR && error !== Errno.ENOBUFS)) {
        fastpath.splitRefused(train, i, DROP_UNDERLAY_REFUSED);
        break;
      }
      if (error === Errno.EAGAIN && patience-- > 0) waitWritable(queue, socket);
    }
  }
  return narrow ? -1 : left;
}

/** What a datagram to the train's peer may hold, in bytes; 0: what our interface takes. */
function maxDatagram({ fastpath, words }: Queue, train: number): number {
  return words[(fastpath.trainPeer(train) + PEER_MAX_DATAGRAM) / 4]!;
}

/** A rare path (a train that was refused meets a full buffer), so waiting here is simpler than keeping its state. */
function waitWritable(queue: Queue, socket: UnderlaySocket): void {
  queue.words[(WAIT_FD + POLLFD_FD) / 4] = socket.fd;
  queue.words[(WAIT_FD + POLLFD_EVENTS) / 4] = POLLOUT;
  poll(queue.base + WAIT_FD, 1, WAIT_MS);
}

/**
 * The path to the peer is narrower than this datagram. A sender that forbids fragments gets the MTU that fits; other
 * packets go out with an outer header that may be fragmented: on the way over IPv4, by our own kernel over IPv6.
 */
function tooBig(queue: Queue, socket: UnderlaySocket, train: number, index: number): void {
  const { fastpath, words } = queue;
  const at = fastpath.splitAddress(index);
  const size = fastpath.splitLength(index);
  const prefix = fastpath.datagramIp(train, at, size);
  const ip = new Uint8Array(words.buffer, at + Math.max(prefix, 0), size - Math.max(prefix, 0));
  const isIpv4 = prefix >= 0 && ip[0]! >> 4 === 4;
  const mayFragment =
    prefix < 0 || (isIpv4 ? (ip[IPV4_FLAGS_FRAGMENT]! & (IPV4_DONT_FRAGMENT >> 8)) === 0 : ip.length <= IPV6_MIN_MTU);
  if (mayFragment) {
    if (sendFragmented(queue, socket, train, index)) fastpath.splitSent(train, index);
    else fastpath.splitRefused(train, index, DROP_UNDERLAY_REFUSED);
    return;
  }
  const peer = new Uint8Array(words.buffer, fastpath.trainPeer(train) + PEER_ADDRESS, SOCKADDR_IN6_SIZE);
  const limit = maxDatagram(queue, train);
  const isBeyondLimit = limit !== 0 && size > limit;
  const path = isBeyondLimit ? limit + outerOverhead(queue, socket.family) : pathMtu(peer);
  const mtu = path === undefined ? ip.length : path - outerOverhead(queue, socket.family) - prefix;
  const least = isIpv4 ? IPV4_MIN_MTU : IPV6_MIN_MTU;
  fastpath.datagramError(train, at, size, ERROR_TOO_BIG, Math.max(mtu, least));
  fastpath.splitRefused(train, index, DROP_TOO_BIG);
}

/** Sends datagram `index` of the split train so that it may be fragmented. */
function sendFragmented(queue: Queue, { fd, family }: UnderlaySocket, train: number, index: number): boolean {
  const { base } = queue;
  const limit = maxDatagram(queue, train);
  const before = fragmentationOf(fd, family);
  setFragmentation(fd, Fragmentation.allowed, family);
  // No router does it for us over IPv6.
  if (family === 6 && limit !== 0) setFragmentSize6(fd, Math.max(IPV6_MIN_MTU, limit + outerOverhead(queue, family)));
  let sent = -1;
  for (let tries = 0; sent < 1 && tries <= SEND_RETRIES; tries++) {
    sent = sendmmsg(fd, base + SPLIT_MESSAGES + index * MMSGHDR_SIZE, 1, MSG_DONTWAIT);
    if (sent < 1 && !isLate(errno())) break;
  }
  if (family === 6 && limit !== 0) setFragmentSize6(fd, 0);
  setFragmentation(fd, before, family);
  return sent > 0;
}

/** Bytes of outer headers that the kernel puts before our datagram. */
function outerOverhead({ raw }: Queue, family: 4 | 6): number {
  return (family === 4 ? IPV4_HEADER_MIN : IPV6_HEADER) + (raw ? 0 : UDP_HEADER);
}
