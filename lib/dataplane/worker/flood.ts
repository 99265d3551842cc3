/**
 * BUM frames (broadcast, unknown unicast, multicast) from a TAP: neighbours answered here, the rest replicated to all VTEPs
 * (head-end replication) within the limits of storm.ts. A sender that goes far beyond them is shut out by a filter in the
 * kernel.
 */
import type { Mac } from '../../addr/mac.ts';
import {
  COUNT_ANSWERED,
  COUNT_SHUT_OUT,
  COUNTER_BLOCK,
  COUNTERS,
  DROP_BAD_NEIGHBOR_MESSAGE,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  DROP_STORM_LIMITED,
  FLOOD_FRAME,
  FRAME_ASK,
  OUT_FRAMES,
  SEGMENT_LEARNING,
  SEGMENT_SIZE,
  SEGMENTS,
  ZERO_VNET,
} from '../../fastpath/abi.ts';
import { GSO_NONE, VNET_GSO_SIZE, VNET_GSO_TYPE, VNET_SIZE } from '../../linux/virtio-net.ts';
import { write } from '../../sys/ffi.ts';
import { dropGroupFramesFrom } from '../../sys/packet-filter.ts';
import { setTunFilter } from '../../sys/tun.ts';
import { ETHERNET_SOURCE } from '../../wire/layout/ethernet.ts';
import { deviceOf, vnetHeaderOf } from './devices.ts';
import type { Queue } from './queue.ts';
import { sendAll } from './send.ts';

/** Our choice: copies staged before they are sent; the tables have room for so many beside a full turn. */
const FLOOD_STEP = 512;
/** Where an answer is put together, behind the all-zero virtio_net_hdr. */
const ANSWER = ZERO_VNET + VNET_SIZE;

/** Handles a BUM frame that the fast path gave back. True: the turn must end, for copies of this frame are still to be sent. */
export function handleBum(queue: Queue, segment: number, frame: number, size: number, outcome: number): boolean {
  const { fastpath, words } = queue;
  const vnet = vnetHeaderOf(words, segment);
  const bytes = new Uint8Array(words.buffer, frame + vnet, size - vnet);
  if (outcome === FRAME_ASK) {
    const answer = queue.neighbors.answer(segment, bytes, queue.nowMs);
    if (typeof answer !== 'string') {
      writeAnswer(queue, segment, answer);
      fastpath.tapAnswered(segment);
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

/** Sends further copies of a BUM frame for very many peers, until all have left or a socket's buffer is full. */
export function continueFlood(queue: Queue): void {
  const { fastpath, words } = queue;
  const bytes = new Uint8Array(words.buffer);
  // Not the place of a turn's first frame: an answer may be written before it.
  const frame = OUT_FRAMES + 64;
  while (queue.flood !== undefined && queue.pending === undefined) {
    const { segment, size, next } = queue.flood;
    // A BUM super-packet is rare, and its cuts need room of their own: one peer at a time.
    const step = isJoined(words, vnetHeaderOf(words, segment), FLOOD_FRAME) ? 1 : FLOOD_STEP;
    const peers = fastpath.outboundFloodPeers(segment);
    const to = Math.min(next + step, peers);
    // Staging alters the frame.
    bytes.copyWithin(frame, FLOOD_FRAME, FLOOD_FRAME + size);
    if (next < to) fastpath.outboundFlood(segment, frame, size, next, to);
    queue.flood = to < peers ? { segment, size, next: to } : undefined;
    sendAll(queue, 0);
  }
}

/** Packets that a frame stands for, roughly: each is sent to each VTEP. */
function packetsOf({ words }: Queue, vnet: number, frame: number, size: number): number {
  if (!isJoined(words, vnet, frame)) return 1;
  const gsoSize = new DataView(words.buffer).getUint16(frame + VNET_GSO_SIZE, true);
  return Math.ceil(size / Math.max(1, gsoSize));
}

function isJoined(words: Int32Array, vnet: number, frame: number): boolean {
  return vnet > 0 && new Uint8Array(words.buffer)[frame + VNET_GSO_TYPE] !== GSO_NONE;
}

function writeAnswer({ base, words }: Queue, segment: number, answer: Uint8Array): void {
  const vnet = vnetHeaderOf(words, segment);
  new Uint8Array(words.buffer).set(answer, ANSWER);
  write(deviceOf(words, segment), base + ANSWER - vnet, vnet + answer.length);
  count(words, segment, COUNT_ANSWERED);
}

/** A BUM frame, which stands for `packets` packets, was refused; a sender of far too many is shut out. */
function noteRefusal(queue: Queue, segment: number, sender: Mac, packets: number): void {
  if (!queue.storm.refused(segment, sender, queue.nowMs, packets)) return;
  count(queue.words, segment, COUNT_SHUT_OUT);
  applyFilter(queue, segment);
}

/** Lets senders in again whose time is over. Call in every turn. */
export function admitSenders(queue: Queue): void {
  for (const segment of queue.storm.letIn(queue.nowMs)) applyFilter(queue, segment);
}

/** Without a filter (an old kernel) the limiter alone must do. */
function applyFilter({ words, storm }: Queue, segment: number): void {
  const senders = storm.shutOut(segment);
  setTunFilter(deviceOf(words, segment), senders.length === 0 ? undefined : dropGroupFramesFrom(senders));
}

function count(words: Int32Array, segment: number, counter: number): void {
  new BigUint64Array(words.buffer, COUNTERS + segment * COUNTER_BLOCK)[counter]! += 1n;
}

function macAt(bytes: Uint8Array, at: number): Mac {
  let mac = 0;
  for (let i = 0; i < 6; i++) mac = mac * 256 + bytes[at + i]!;
  return mac;
}
