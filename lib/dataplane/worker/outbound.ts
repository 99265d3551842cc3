/** Overlay to underlay: device -> fast path -> sockets. No throw, no allocation and no log per packet. */
import {
  FRAME_DONE,
  MAX_FRAME,
  OUT_FRAMES,
  OUT_FRAMES_SIZE,
  STAGE_OUT_CODE,
  STAGE_OUT_READ,
  STAGE_OUT_SEND,
} from '../../fastpath/abi.ts';
import { Errno } from '../../sys/errno.ts';
import { errno, read } from '../../sys/ffi.ts';
import { deviceOf } from './devices.ts';
import { handleBum } from './flood.ts';
import { writeIcmpErrors } from './icmp.ts';
import { DEVICE_LOST, type Queue } from './queue.ts';
import { sendAll, sendTrains } from './send.ts';

/** Our choice: bytes of cuts in one turn; with the frames they were cut from they stay in the second-level cache. */
const TURN_BYTES = 200_000;
/** A turn ends there: the arrays of trains and pieces must hold one more super-packet (MAX_GSO_SEGS), or the copies of one flood step. */
const MAX_STAGED_TRAINS = 512;
const MIN_FREE_PIECES = 2048;
/** The fast path may write before a frame: a VXLAN header, where there is no virtio_net_hdr to take its place. */
const HEADROOM = 16;

/**
 * Takes up to a batch of frames from a segment's device and sends what they become. Returns the number of frames, 0 also while
 * a send or a flood is unfinished; or DEVICE_LOST.
 */
export function outboundTurn(queue: Queue, segment: number): number {
  if (queue.pending !== undefined || queue.flood !== undefined) return 0;
  const { fastpath, base, clock } = queue;
  if (clock.on) clock.beginOutbound();
  const fd = deviceOf(queue.words, segment);
  const last = OUT_FRAMES + OUT_FRAMES_SIZE - MAX_FRAME - HEADROOM;
  let frame = OUT_FRAMES + HEADROOM;
  let reads = 0;
  let firstUnsent = 0;
  while (reads < queue.batch && frame <= last) {
    const size = read(fd, base + frame, MAX_FRAME);
    if (clock.on) clock.lap(STAGE_OUT_READ);
    if (size < 0) {
      const error = errno();
      if (error === Errno.EINTR) continue;
      if (error === Errno.EBADFD) return DEVICE_LOST;
      // EAGAIN: the device is empty.
      break;
    }
    reads++;
    const outcome = fastpath.outboundFrame(segment, frame, size);
    if (outcome !== FRAME_DONE && handleBum(queue, segment, frame, size, outcome)) break;
    // The next cache line that leaves HEADROOM free.
    frame = (frame + size + HEADROOM + 63) & ~63;
    const cutBytes = fastpath.cutBytesStaged();
    if (
      cutBytes >= TURN_BYTES ||
      fastpath.trainsStaged() >= MAX_STAGED_TRAINS ||
      fastpath.piecesFree() < MIN_FREE_PIECES
    )
      break;
    if (clock.on) clock.lap(STAGE_OUT_CODE);
    if (cutBytes === 0) continue;
    // Of a super-packet the full train leaves at once; what is left over waits for the next frame, if there is one.
    const complete = fastpath.outboundComplete(firstUnsent);
    if (complete === firstUnsent) continue;
    if (clock.on) clock.lap(STAGE_OUT_CODE);
    const sent = sendTrains(queue, firstUnsent, complete);
    if (clock.on) clock.lap(STAGE_OUT_SEND);
    firstUnsent = complete;
    if (!sent) break;
  }
  if (reads === 0) return 0;
  writeIcmpErrors(queue);
  if (clock.on) clock.lap(STAGE_OUT_CODE);
  if (queue.pending === undefined) sendAll(queue, firstUnsent);
  if (clock.on) clock.endOutbound(reads);
  return reads;
}
