/** Overlay to underlay: TUN -> packet kernels -> UDP socket. No throw, no allocation and no log per packet. */
import {
  CONFIG_MAX_SEGMENTS,
  DROP_TOO_BIG,
  DROP_UNDERLAY_REFUSED,
  MAX_FRAME,
  MMSGHDR_SIZE,
  OUT_FRAMES,
  OUT_FRAMES_SIZE,
  OUT_MESSAGES,
  PEER_ADDRESS,
  SPLIT_MESSAGES,
  WAIT_FD,
} from '../fastpath/abi.ts';
import { Errno, errnoName } from '../sys/errno.ts';
import { errno, poll, read, sendmmsg } from '../sys/ffi.ts';
import { pathMtu, setFragmentation } from '../sys/udp-socket.ts';
import { writeIcmpErrors } from './icmp.ts';
import { DEVICE_LOST, type Queue } from './queue.ts';

const MSG_DONTWAIT = 0x40;
/** Our choice: bytes of segments in one turn; with the frames they were cut from they stay in the second-level cache. */
const TURN_BYTES = 200_000;
/** The tables must have room for one more super-packet (MAX_SUPER_SEGMENTS). */
const FLUSH_TRAINS = 512;
const FLUSH_PIECES = 2048;
const SEND_RETRIES = 3;
const POLLOUT = 0x4;
const WAIT_MS = 20;
/** Our choice: waits for room while one train is sent datagram by datagram; stop must not take longer than 100 ms for it. */
const FULL_WAITS = 3;
/** What IP-in-UDP adds over IPv4: 20 + 8. */
const OVERHEAD = 28;
const IPV4_DF = 0x40;
const IPV6_MIN_MTU = 1280;
const ICMP_HOST_UNREACHABLE = 0x03010103;
const ICMP_TOO_BIG = 0x03040200;

/** Takes up to a batch of frames from the TUN and sends what they become. Returns the number of frames, or DEVICE_LOST. */
export function outboundTurn(queue: Queue): number {
  if (queue.pending !== undefined) return 0;
  const { kernels, base, tunFd } = queue;
  const last = OUT_FRAMES + OUT_FRAMES_SIZE - MAX_FRAME;
  let frame = OUT_FRAMES;
  let reads = 0;
  let next = 0;
  while (reads < queue.batch && frame <= last) {
    const size = read(tunFd, base + frame, MAX_FRAME);
    if (size < 0) {
      const error = errno();
      if (error === Errno.EINTR) continue;
      if (error === Errno.EBADFD) return DEVICE_LOST;
      break;
    }
    reads++;
    kernels.outboundFrame(frame, size);
    frame = (frame + size + 63) & ~63;
    const segments = kernels.segmentSpaceUsed();
    if (segments >= TURN_BYTES || kernels.trainsStaged() >= FLUSH_TRAINS || kernels.piecesFree() < FLUSH_PIECES) break;
    if (segments === 0) continue;
    // Of a super-packet the full train leaves at once; what is left over waits for the next frame, if there is one.
    const complete = kernels.outboundComplete(next);
    if (complete > next) next = send(queue, next, complete);
    if (next < complete) break;
  }
  if (reads === 0) return 0;
  writeIcmpErrors(queue);
  finish(queue, next);
  return reads;
}

/** Goes on with a send that found the socket's buffer full. */
export function resumeOutbound(queue: Queue): void {
  const next = queue.pending;
  if (next === undefined) return;
  queue.pending = undefined;
  finish(queue, next);
}

/** Sends all trains from `next` on and forgets them; if the socket's buffer is full, leaves the rest pending. */
function finish(queue: Queue, next: number): void {
  const { kernels } = queue;
  const total = kernels.trainsStaged();
  const reached = send(queue, next, total);
  if (reached < total) {
    queue.pending = reached;
    return;
  }
  kernels.outboundReset();
  writeIcmpErrors(queue);
}

/** Sends the trains `next` to `total` - 1. Returns the first that did not leave because the socket's buffer is full, or `total`. */
function send(queue: Queue, next: number, total: number): number {
  const { kernels, base, socketFd } = queue;
  kernels.outboundMessages(next, total);
  let retries = 0;
  while (next < total) {
    const sent = sendmmsg(socketFd, base + OUT_MESSAGES + next * MMSGHDR_SIZE, total - next, MSG_DONTWAIT);
    if (sent > 0) {
      kernels.outboundSent(next, sent);
      next += sent;
      retries = 0;
      continue;
    }
    const error = errno();
    if (error === Errno.EINTR) continue;
    if (error === Errno.EAGAIN) return next;
    if ((error === Errno.ENOBUFS || error === Errno.ECONNREFUSED) && retries < SEND_RETRIES) {
      retries++;
      continue;
    }
    sendFailed(queue, next, error);
    next++;
    retries = 0;
  }
  return next;
}

/** Message `train` failed as the first of its call: the others are not touched by what happens to it here. */
function sendFailed(queue: Queue, train: number, error: number): void {
  const { kernels } = queue;
  const isTrain = kernels.trainCount(train) > 1;
  if (isTrain && (error === Errno.EIO || error === Errno.EINVAL)) {
    // Older kernels say EINVAL also when the path has become too narrow; then the datagrams alone fail with EMSGSIZE.
    const narrow = sendOneByOne(queue, train);
    if (!narrow && queue.words[CONFIG_MAX_SEGMENTS / 4] !== 1) {
      queue.words[CONFIG_MAX_SEGMENTS / 4] = 1;
      queue.onRefused('udp-gso', `sendmsg with UDP_SEGMENT failed: ${errnoName(error)}; sending datagrams one by one`);
    }
  } else if (error === Errno.EMSGSIZE) {
    sendOneByOne(queue, train);
  } else {
    if (error === Errno.EHOSTUNREACH || error === Errno.ENETUNREACH) {
      kernels.outboundSplit(train);
      kernels.icmpError(kernels.splitAddress(0), kernels.splitLength(0), ICMP_HOST_UNREACHABLE, 0);
    }
    kernels.outboundRefused(train, DROP_UNDERLAY_REFUSED);
  }
}

/** Sends a train's datagrams alone. True if the path was too narrow for one of them. */
function sendOneByOne(queue: Queue, train: number): boolean {
  const { kernels, base, socketFd } = queue;
  let narrow = false;
  let patience = FULL_WAITS;
  const total = kernels.outboundSplit(train);
  for (let i = 0; i < total; i++) {
    const message = base + SPLIT_MESSAGES + i * MMSGHDR_SIZE;
    for (let tries = 0; ; tries++) {
      if (sendmmsg(socketFd, message, 1, MSG_DONTWAIT) > 0) {
        kernels.splitSent(train, i);
        break;
      }
      const error = errno();
      if (error === Errno.EMSGSIZE) {
        tooBig(queue, train, i);
        narrow = true;
        break;
      }
      if (tries === SEND_RETRIES || (error !== Errno.EAGAIN && error !== Errno.EINTR && error !== Errno.ENOBUFS)) {
        kernels.splitRefused(DROP_UNDERLAY_REFUSED);
        break;
      }
      if (error === Errno.EAGAIN && patience-- > 0) waitWritable(queue);
    }
  }
  return narrow;
}

/** A rare path (a train that was refused meets a full buffer), so waiting here is simpler than keeping its state. */
function waitWritable(queue: Queue): void {
  queue.words[WAIT_FD / 4] = queue.socketFd;
  queue.words[WAIT_FD / 4 + 1] = POLLOUT;
  poll(queue.base + WAIT_FD, 1, WAIT_MS);
}

/**
 * The path to the peer is narrower than this datagram. A sender that forbids fragments is told the MTU that fits;
 * other packets go out with an outer header that may be fragmented.
 */
function tooBig(queue: Queue, train: number, index: number): void {
  const { kernels, base, socketFd, words } = queue;
  const at = kernels.splitAddress(index);
  const length = kernels.splitLength(index);
  const bytes = new Uint8Array(words.buffer, at, length);
  const isIpv4 = bytes[0]! >> 4 === 4;
  const mayFragment = isIpv4 ? (bytes[6]! & IPV4_DF) === 0 : length <= IPV6_MIN_MTU;
  if (mayFragment) {
    setFragmentation(socketFd, true, 4);
    const sent = sendmmsg(socketFd, base + SPLIT_MESSAGES + index * MMSGHDR_SIZE, 1, MSG_DONTWAIT);
    setFragmentation(socketFd, false, 4);
    if (sent > 0) kernels.splitSent(train, index);
    else kernels.splitRefused(DROP_UNDERLAY_REFUSED);
    return;
  }
  const peer = kernels.trainPeer(train) + PEER_ADDRESS;
  const mtu = (pathMtu(new Uint8Array(words.buffer, peer, 16)) ?? length) - OVERHEAD;
  kernels.icmpError(at, length, ICMP_TOO_BIG, isIpv4 ? mtu : Math.max(mtu, IPV6_MIN_MTU));
  kernels.splitRefused(DROP_TOO_BIG);
}
