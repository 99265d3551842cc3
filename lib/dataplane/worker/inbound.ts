/** Underlay to overlay: socket -> fast path -> devices. No throw, no allocation and no log per packet. */
import {
  CONFIG_PROBE_ECHOES,
  DROP_DEVICE_REFUSED,
  IN_ITEMS,
  IN_MESSAGES,
  IN_SNOOPED,
  ITEM_LENGTH,
  ITEM_PACKET,
  ITEM_SIZE,
  MESSAGE_DONE,
  SEGMENT_SIZE,
  SEGMENT_TUN_GRO,
  SEGMENT_TUN_USO,
  SEGMENTS,
  STAGE_IN_CODE,
  STAGE_IN_RECEIVE,
  STAGE_IN_WRITE,
  WRITE_IOVECS,
} from '../../fastpath/abi.ts';
import { MMSGHDR_LEN, MMSGHDR_SIZE } from '../../linux/msghdr.ts';
import { MSG_DONTWAIT } from '../../linux/socket.ts';
import { Errno, errnoName } from '../../sys/errno.ts';
import { errno, recvmmsg, writev } from '../../sys/ffi.ts';
import { IPPROTO_TCP } from '../../wire/layout/ip.ts';
import { deviceOf } from './devices.ts';
import { writeIcmpErrors } from './icmp.ts';
import { sendEchoes } from './probes.ts';
import type { Queue } from './queue.ts';

/**
 * Our choice of messages in one recvmmsg. Trains (UDP_GRO) are large: a few of them fill the second-level cache. Datagrams
 * that come one by one, as from a kernel VXLAN device, are joined across the batch, so the batch must be large.
 */
export const SLOTS_FOR_TRAINS = 8;
const SLOTS_FOR_SINGLES = 64;
/** Bytes a message; below, they are no trains. */
const TRAIN_BYTES = 10_000;
/** Errors that say nothing about a joined packet: the device is down, or memory is short for a moment. */
const PASSING: ReadonlySet<number> = new Set([Errno.EIO, Errno.ENOMEM, Errno.ENOBUFS, Errno.EAGAIN, Errno.EINTR]);

/** Takes what waits at the socket, up to the receive slots, and writes what it becomes. Returns the number of messages. */
export function inboundTurn(queue: Queue, socketFd: number): number {
  const { fastpath, base, receiveSlots, clock } = queue;
  if (clock.on) clock.beginInbound();
  fastpath.inboundPrepare(receiveSlots);
  // An error here is EAGAIN or EINTR, or an ICMP error the kernel reports once; the next turn reads again.
  const messages = Math.max(0, recvmmsg(socketFd, base + IN_MESSAGES, receiveSlots, MSG_DONTWAIT, 0));
  if (clock.on) clock.lap(STAGE_IN_RECEIVE);
  for (let i = 0; i < messages; i++) {
    let offset = 0;
    do {
      offset = fastpath.inboundMessage(i, offset);
      if (offset !== MESSAGE_DONE) writeItems(queue);
    } while (offset !== MESSAGE_DONE);
  }
  writeItems(queue);
  if (queue.words[CONFIG_PROBE_ECHOES / 4] !== 0) sendEchoes(queue);
  if (clock.on) clock.endInbound(messages);
  if (queue.batch > 1 && messages > 0) queue.receiveSlots = slotsAfter(queue.words, messages);
  return messages;
}

/** The next call's slots, by what the messages of this one were. */
function slotsAfter(words: Int32Array, messages: number): number {
  let bytes = 0;
  for (let i = 0; i < messages; i++) bytes += words[(IN_MESSAGES + i * MMSGHDR_SIZE + MMSGHDR_LEN) / 4]!;
  return bytes < messages * TRAIN_BYTES ? SLOTS_FOR_SINGLES : SLOTS_FOR_TRAINS;
}

function writeItems(queue: Queue): void {
  const { fastpath, base, words, clock } = queue;
  if (fastpath.inboundSnooped() > 0) snoopItems(queue);
  const items = fastpath.inboundItems();
  if (clock.on) clock.lap(STAGE_IN_CODE);
  for (let i = 0; i < items; i++) {
    const fd = deviceOf(words, fastpath.itemSegment(i));
    if (writev(fd, base + WRITE_IOVECS, fastpath.inboundWrite(i)) >= 0) fastpath.itemWritten(i);
    else writeFailed(queue, i, fd, errno());
  }
  if (clock.on) clock.lap(STAGE_IN_WRITE);
  fastpath.inboundReset();
  writeIcmpErrors(queue);
}

/** ARP and neighbour discovery from a VTEP: rare, so looked at here. */
function snoopItems({ fastpath, words, neighbors, nowMs }: Queue): void {
  const count = fastpath.inboundSnooped();
  for (let i = 0; i < count; i++) {
    const index = words[IN_SNOOPED / 4 + i]!;
    const item = IN_ITEMS + index * ITEM_SIZE;
    const at = words[(item + ITEM_PACKET) / 4]!;
    const l2 = fastpath.itemL2(index);
    const frame = new Uint8Array(words.buffer, at - l2, words[(item + ITEM_LENGTH) / 4]! + l2);
    neighbors.learn(fastpath.itemSegment(index), frame, nowMs);
  }
}

/** A joined packet that the device refuses is written again packet by packet, and joining of its kind ends there. */
function writeFailed(queue: Queue, item: number, fd: number, error: number): void {
  const { fastpath, base, words } = queue;
  const count = fastpath.itemCount(item);
  // EBADFD: the device was deleted; poll reports it. EBADF: the segment has none at the moment.
  if (count === 1 || error === Errno.EBADFD || error === Errno.EBADF) {
    fastpath.itemRefused(item, DROP_DEVICE_REFUSED);
    return;
  }
  const isTcp = fastpath.itemProtocol(item) === IPPROTO_TCP;
  const field = isTcp ? SEGMENT_TUN_GRO : SEGMENT_TUN_USO;
  const flag = (SEGMENTS + fastpath.itemSegment(item) * SEGMENT_SIZE + field) / 4;
  if (!PASSING.has(error) && words[flag] !== 0) {
    words[flag] = 0;
    queue.onRefused(
      isTcp ? 'tun-gro' : 'tun-uso',
      `the device refused a joined packet: ${errnoName(error)}; writing one by one`,
    );
  }
  for (let part = 0; part < count; part++) {
    if (writev(fd, base + WRITE_IOVECS, fastpath.itemPart(item, part)) >= 0) fastpath.partWritten();
    else fastpath.partRefused(DROP_DEVICE_REFUSED);
  }
}
