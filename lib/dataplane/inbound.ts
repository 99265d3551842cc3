/** Underlay to overlay: UDP socket -> packet kernels -> TUN. No throw, no allocation and no log per packet. */
import { CONFIG_TUN_GRO, CONFIG_TUN_USO, DROP_DEVICE_REFUSED, IN_MESSAGES, WRITE_IOVECS } from '../fastpath/abi.ts';
import { Errno, errnoName } from '../sys/errno.ts';
import { errno, recvmmsg, writev } from '../sys/ffi.ts';
import { writeIcmpErrors } from './icmp.ts';
import { DEVICE_LOST, type Queue } from './queue.ts';

const MSG_DONTWAIT = 0x40;
const MESSAGE_DONE = -1;
const IPPROTO_TCP = 6;
/** Errors that say nothing about a joined packet: the device is down, or memory is short for a moment. */
const PASSING: ReadonlySet<number> = new Set([Errno.EIO, Errno.ENOMEM, Errno.ENOBUFS, Errno.EAGAIN, Errno.EINTR]);

/** Takes what waits at the socket, up to the receive slots, and writes what it becomes. Returns the number of messages, or DEVICE_LOST. */
export function inboundTurn(queue: Queue): number {
  const { kernels, base, socketFd, receiveSlots } = queue;
  kernels.inboundPrepare(receiveSlots);
  // An error here is EAGAIN or EINTR, or an ICMP error the kernel reports once; the next turn reads again.
  const messages = Math.max(0, recvmmsg(socketFd, base + IN_MESSAGES, receiveSlots, MSG_DONTWAIT, 0));
  for (let i = 0; i < messages; i++) {
    let offset = 0;
    do {
      offset = kernels.inboundMessage(i, offset);
      if (offset !== MESSAGE_DONE && !writeItems(queue)) return DEVICE_LOST;
    } while (offset !== MESSAGE_DONE);
  }
  return writeItems(queue) ? messages : DEVICE_LOST;
}

/** False: the device is lost. */
function writeItems(queue: Queue): boolean {
  const { kernels, base, tunFd } = queue;
  const items = kernels.inboundItems();
  for (let i = 0; i < items; i++) {
    if (writev(tunFd, base + WRITE_IOVECS, kernels.inboundWrite(i)) >= 0) {
      kernels.itemWritten(i);
    } else if (errno() === Errno.EBADFD) {
      return false;
    } else {
      writeFailed(queue, i, errno());
    }
  }
  kernels.inboundReset();
  writeIcmpErrors(queue);
  return true;
}

/** A joined packet that the TUN refuses is written again packet by packet, and joining of its kind ends. */
function writeFailed(queue: Queue, item: number, error: number): void {
  const { kernels, base, tunFd, words } = queue;
  const count = kernels.itemCount(item);
  if (count === 1) {
    kernels.itemRefused(item, DROP_DEVICE_REFUSED);
    return;
  }
  const isTcp = kernels.itemProtocol(item) === IPPROTO_TCP;
  const flag = (isTcp ? CONFIG_TUN_GRO : CONFIG_TUN_USO) / 4;
  if (!PASSING.has(error) && words[flag] !== 0) {
    words[flag] = 0;
    queue.onRefused(
      isTcp ? 'tun-gro' : 'tun-uso',
      `the TUN refused a joined packet: ${errnoName(error)}; writing one by one`,
    );
  }
  for (let part = 0; part < count; part++) {
    if (writev(tunFd, base + WRITE_IOVECS, kernels.itemPart(item, part)) >= 0) kernels.partWritten(item, part);
    else kernels.partRefused(DROP_DEVICE_REFUSED);
  }
}
