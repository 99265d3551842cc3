/** Frames from a TAP that are for many: neighbours answered here, the rest replicated to all VTEPs (head-end replication). */
import {
  COUNT_ANSWERED,
  COUNTER_BLOCK,
  COUNTERS,
  DROP_BAD_NEIGHBOR_MESSAGE,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  DROP_STORM_LIMITED,
  FLOOD_FRAME,
  OUT_FRAMES,
  SEGMENT_LEARNING,
  SEGMENT_SIZE,
  SEGMENTS,
  ZERO_VNET,
} from '../../fastpath/abi.ts';
import { write } from '../../sys/ffi.ts';
import { deviceOf, vnetHeaderOf } from './devices.ts';
import type { Queue } from './queue.ts';
import { finish } from './send.ts';
import { noteRefusal } from './storm-filter.ts';

/** The fast path's verdicts (lib/fastpath/assembly/outbound/vxlan.ts). */
export const FRAME_DONE = 0;
const FRAME_ASK = 2;

/** Our choice: copies staged before they are sent; the tables have room for so many beside a full turn. */
const FLOOD_STEP = 512;
const VNET_GSO_TYPE = 1;
const VNET_GSO_SIZE = 4;
const ETHERNET_SOURCE = 6;
/** Where an answer is put together, behind the all-zero virtio_net_hdr. */
const ANSWER = ZERO_VNET + 10;

/** Handles a frame the fast path gave back. True: the turn must end, for copies of this frame are still to be sent. */
export function handleBum(queue: Queue, segment: number, frame: number, size: number, verdict: number): boolean {
  const { fastpath, words } = queue;
  const vnet = vnetHeaderOf(words, segment);
  const bytes = new Uint8Array(words.buffer, frame + vnet, size - vnet);
  if (verdict === FRAME_ASK) {
    const answer = queue.neighbors.answer(segment, bytes, queue.nowMs);
    if (typeof answer !== 'string') {
      writeAnswer(queue, segment, answer);
      return false;
    }
    const learning = words[(SEGMENTS + segment * SEGMENT_SIZE + SEGMENT_LEARNING) / 4] !== 0;
    if (answer === 'bad' || !learning) {
      fastpath.outboundDrop(segment, answer === 'bad' ? DROP_BAD_NEIGHBOR_MESSAGE : DROP_MULTICAST);
      return false;
    }
  }
  const peers = fastpath.outboundFloodPeers(segment);
  if (peers === 0) {
    fastpath.outboundDrop(segment, DROP_NO_FDB_ENTRY);
    return false;
  }
  const sender = macAt(bytes, ETHERNET_SOURCE);
  const packets = packetsOf(queue, vnet, frame, size);
  if (!queue.storm.allows(segment, sender, peers, queue.nowMs, packets)) {
    fastpath.outboundDrop(segment, DROP_STORM_LIMITED);
    noteRefusal(queue, segment, sender, packets);
    return false;
  }
  if (peers <= FLOOD_STEP && !isJoined(words, vnet, frame)) {
    fastpath.outboundFlood(segment, frame, size, 0, peers);
    return false;
  }
  new Uint8Array(words.buffer).copyWithin(FLOOD_FRAME, frame, frame + size);
  queue.flood = { segment, size, next: 0 };
  return true;
}

/** Sends further copies of a frame for very many peers, until all have left or a socket's buffer is full. */
export function continueFlood(queue: Queue): void {
  const { fastpath, words } = queue;
  const bytes = new Uint8Array(words.buffer);
  // Not the place of a turn's first frame: an answer may be written before it.
  const frame = OUT_FRAMES + 64;
  while (queue.flood !== undefined && queue.pending === undefined) {
    const { segment, size, next } = queue.flood;
    // A super-packet for many is rare, and its segments need room of their own: one peer at a time.
    const step = isJoined(words, vnetHeaderOf(words, segment), FLOOD_FRAME) ? 1 : FLOOD_STEP;
    const peers = fastpath.outboundFloodPeers(segment);
    const to = Math.min(next + step, peers);
    // Staging alters the frame.
    bytes.copyWithin(frame, FLOOD_FRAME, FLOOD_FRAME + size);
    if (next < to) fastpath.outboundFlood(segment, frame, size, next, to);
    queue.flood = to < peers ? { segment, size, next: to } : undefined;
    finish(queue, 0);
  }
}

/** Packets that a frame stands for, roughly: each is sent to each VTEP. */
function packetsOf({ words }: Queue, vnet: number, frame: number, size: number): number {
  if (!isJoined(words, vnet, frame)) return 1;
  const segmentSize = new DataView(words.buffer).getUint16(frame + VNET_GSO_SIZE, true);
  return Math.ceil(size / Math.max(1, segmentSize));
}

function isJoined(words: Int32Array, vnet: number, frame: number): boolean {
  return vnet > 0 && new Uint8Array(words.buffer)[frame + VNET_GSO_TYPE] !== 0;
}

function writeAnswer({ base, words }: Queue, segment: number, answer: Uint8Array): void {
  const vnet = vnetHeaderOf(words, segment);
  new Uint8Array(words.buffer).set(answer, ANSWER);
  write(deviceOf(words, segment), base + ANSWER - vnet, vnet + answer.length);
  new BigUint64Array(words.buffer, COUNTERS + segment * COUNTER_BLOCK)[COUNT_ANSWERED]! += 1n;
}

function macAt(bytes: Uint8Array, at: number): number {
  let mac = 0;
  for (let i = 0; i < 6; i++) mac = mac * 256 + bytes[at + i]!;
  return mac;
}
