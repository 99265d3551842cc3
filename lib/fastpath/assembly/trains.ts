// Trains: datagrams for one peer, all of one size but a shorter last one, that leave in one sendmsg with UDP_SEGMENT.
// A packet joins only the newest train of its peer, so the order of packets to a peer never changes.
import {
  CONFIG_MAX_SEGMENTS,
  COUNT_OUT_BYTES,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_WRITES,
  IOVEC_SIZE,
  MAX_PIECES,
  MMSGHDR_SIZE,
  OUT_CONTROL,
  OUT_CONTROL_SIZE,
  OUT_IOVECS,
  OUT_MESSAGES,
  OUT_PIECES,
  OUT_SEGMENTS,
  OUT_TRAINS,
  PEER_ADDRESS,
  PEER_ADDRESS_LENGTH,
  PEER_OPEN_TRAIN,
  PEER_OUT_BYTES,
  PEER_OUT_PACKETS,
  PEER_TRAIN_STAMP,
  PIECE_ADDRESS,
  PIECE_LENGTH,
  PIECE_NEXT,
  PIECE_SIZE,
  SPLIT_IOVECS,
  SPLIT_MESSAGES,
  TRAIN_BYTES,
  TRAIN_COUNT,
  TRAIN_FIRST_PIECE,
  TRAIN_LAST_PIECE,
  TRAIN_OPEN,
  TRAIN_PEER,
  TRAIN_SEGMENT_SIZE,
  TRAIN_SIZE,
} from '../abi';
import { addAt, count, drop, peerAt } from './count';

/** Largest UDP payload over IPv4: 65,535 - 20 - 8. */
export const MAX_DATAGRAM: u32 = 65507;
const SOL_UDP: u32 = 17;
const UDP_SEGMENT: u32 = 103;

let base: u64 = 0;
let trains: u32 = 0;
let pieces: u32 = 1;
let stamp: u32 = 1;
let segmentsEnd: usize = OUT_SEGMENTS;

/** Where byte 0 of this memory lies in the process: system calls want absolute addresses. */
export function setBase(address: u64): void {
  base = address;
}

// @ts-ignore: decorator
@inline
export function absolute(at: usize): u64 {
  return base + <u64>at;
}

// @ts-ignore: decorator
@inline
function trainAt(train: u32): usize {
  return OUT_TRAINS + train * TRAIN_SIZE;
}

// @ts-ignore: decorator
@inline
function pieceAt(piece: u32): usize {
  return OUT_PIECES + piece * PIECE_SIZE;
}

/** Forgets all trains: everything staged has been sent or dropped. */
export function outboundReset(): void {
  trains = 0;
  pieces = 1;
  segmentsEnd = OUT_SEGMENTS;
  stamp++;
}

/** Free space for the next segment's bytes. */
export function segmentSpace(): usize {
  return segmentsEnd;
}

export function segmentSpaceUsed(): u32 {
  return <u32>(segmentsEnd - OUT_SEGMENTS);
}

export function takeSegmentSpace(bytes: u32): void {
  segmentsEnd += bytes;
}

export function trainsStaged(): u32 {
  return trains;
}

export function piecesFree(): u32 {
  return MAX_PIECES - pieces;
}

/** Adds one datagram's bytes to the peer's newest train, or opens a new one. The bytes must stay until the flush. */
export function stage(peer: u32, at: usize, length: u32): void {
  const record = peerAt(peer);
  if (load<u32>(record, PEER_TRAIN_STAMP) == stamp) {
    const train = trainAt(load<u32>(record, PEER_OPEN_TRAIN));
    const size = load<u32>(train, TRAIN_SEGMENT_SIZE);
    if (
      load<u32>(train, TRAIN_OPEN) &&
      length <= size &&
      load<u32>(train, TRAIN_COUNT) < load<u32>(CONFIG_MAX_SEGMENTS) &&
      load<u32>(train, TRAIN_BYTES) + length <= MAX_DATAGRAM
    ) {
      append(train, at, length);
      if (length < size) store<u32>(train, 0, TRAIN_OPEN);
      return;
    }
    // The peer's packets go into a new train: this one is complete.
    store<u32>(train, 0, TRAIN_OPEN);
  }
  const train = trainAt(trains);
  store<u32>(record, trains, PEER_OPEN_TRAIN);
  store<u32>(record, stamp, PEER_TRAIN_STAMP);
  trains++;
  store<u32>(train, peer, TRAIN_PEER);
  store<u32>(train, length, TRAIN_SEGMENT_SIZE);
  store<u32>(train, 0, TRAIN_BYTES);
  store<u32>(train, 0, TRAIN_COUNT);
  store<u32>(train, 0, TRAIN_FIRST_PIECE);
  store<u32>(train, 0, TRAIN_LAST_PIECE);
  store<u32>(train, 1, TRAIN_OPEN);
  append(train, at, length);
}

// @ts-ignore: decorator
@inline
function append(train: usize, at: usize, length: u32): void {
  store<u32>(train, load<u32>(train, TRAIN_BYTES) + length, TRAIN_BYTES);
  store<u32>(train, load<u32>(train, TRAIN_COUNT) + 1, TRAIN_COUNT);
  const last = load<u32>(train, TRAIN_LAST_PIECE);
  if (last) {
    const piece = pieceAt(last);
    const pieceLength = load<u32>(piece, PIECE_LENGTH);
    if (load<u32>(piece, PIECE_ADDRESS) + pieceLength == <u32>at) {
      store<u32>(piece, pieceLength + length, PIECE_LENGTH);
      return;
    }
    store<u32>(piece, pieces, PIECE_NEXT);
  } else {
    store<u32>(train, pieces, TRAIN_FIRST_PIECE);
  }
  const piece = pieceAt(pieces);
  store<u32>(piece, <u32>at, PIECE_ADDRESS);
  store<u32>(piece, length, PIECE_LENGTH);
  store<u32>(piece, 0, PIECE_NEXT);
  store<u32>(train, pieces, TRAIN_LAST_PIECE);
  pieces++;
}

/** Trains from `from` on that are complete, without a gap: returns the number of the first that may still grow. */
export function outboundComplete(from: u32): u32 {
  while (from < trains && !load<u32>(trainAt(from), TRAIN_OPEN)) from++;
  return from;
}

/** Writes one mmsghdr for each of the trains `from` to `to` - 1. */
export function outboundMessages(from: u32, to: u32): void {
  let iovec: usize = OUT_IOVECS;
  for (let i = from; i < to; i++) {
    const train = trainAt(i);
    const first = iovec;
    let count: u32 = 0;
    for (let piece = load<u32>(train, TRAIN_FIRST_PIECE); piece; piece = load<u32>(pieceAt(piece), PIECE_NEXT)) {
      store<u64>(iovec, absolute(load<u32>(pieceAt(piece), PIECE_ADDRESS)));
      store<u64>(iovec, load<u32>(pieceAt(piece), PIECE_LENGTH), 8);
      iovec += IOVEC_SIZE;
      count++;
    }
    const message = OUT_MESSAGES + i * MMSGHDR_SIZE;
    fillMessage(message, load<u32>(train, TRAIN_PEER), first, count);
    // A control message on a single datagram makes some NICs fail it with EIO.
    if (load<u32>(train, TRAIN_COUNT) > 1) {
      const control = OUT_CONTROL + i * OUT_CONTROL_SIZE;
      store<u64>(control, 18);
      store<u32>(control, SOL_UDP, 8);
      store<u32>(control, UDP_SEGMENT, 12);
      store<u64>(control, load<u32>(train, TRAIN_SEGMENT_SIZE), 16);
      store<u64>(message, absolute(control), 32);
      store<u64>(message, 24, 40);
    }
  }
}

/** struct mmsghdr, include/linux/socket.h, 64-bit: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56. */
function fillMessage(message: usize, peer: u32, iovec: usize, count: u32): void {
  const record = peerAt(peer);
  store<u64>(message, absolute(record + PEER_ADDRESS));
  store<u64>(message, load<u32>(record, PEER_ADDRESS_LENGTH), 8);
  store<u64>(message, absolute(iovec), 16);
  store<u64>(message, count, 24);
  store<u64>(message, 0, 32);
  store<u64>(message, 0, 40);
  store<u64>(message, 0, 48);
  store<u64>(message, 0, 56);
}

/** Counts trains `first` to `first + n - 1` as forwarded. */
export function outboundSent(first: u32, n: u32): void {
  for (let i = first; i < first + n; i++) {
    const train = trainAt(i);
    sent(load<u32>(train, TRAIN_PEER), load<u32>(train, TRAIN_COUNT), load<u32>(train, TRAIN_BYTES));
  }
}

// @ts-ignore: decorator
@inline
function sent(peer: u32, packets: u32, bytes: u32): void {
  const record = peerAt(peer);
  count(COUNT_OUT_FORWARDED, packets);
  count(COUNT_OUT_BYTES, bytes);
  count(COUNT_OUT_WRITES, 1);
  addAt(record + PEER_OUT_PACKETS, packets);
  addAt(record + PEER_OUT_BYTES, bytes);
}

/** Counts a whole train as dropped. */
export function outboundRefused(train: u32, reason: u32): void {
  drop(reason, load<u32>(trainAt(train), TRAIN_COUNT));
}

/** Where the record of a train's peer lies. */
export function trainPeer(train: u32): u32 {
  return <u32>peerAt(load<u32>(trainAt(train), TRAIN_PEER));
}

export function trainCount(train: u32): u32 {
  return load<u32>(trainAt(train), TRAIN_COUNT);
}

/** Writes one plain mmsghdr for every datagram of a train at SPLIT_MESSAGES and returns their number (at most 128). */
export function outboundSplit(train: u32): u32 {
  const at = trainAt(train);
  const size = load<u32>(at, TRAIN_SEGMENT_SIZE);
  let n: u32 = 0;
  for (let piece = load<u32>(at, TRAIN_FIRST_PIECE); piece; piece = load<u32>(pieceAt(piece), PIECE_NEXT)) {
    const address = load<u32>(pieceAt(piece), PIECE_ADDRESS);
    const length = load<u32>(pieceAt(piece), PIECE_LENGTH);
    for (let offset: u32 = 0; offset < length; offset += size) {
      const iovec = SPLIT_IOVECS + n * IOVEC_SIZE;
      store<u64>(iovec, absolute(address + offset));
      store<u64>(iovec, min(size, length - offset), 8);
      fillMessage(SPLIT_MESSAGES + n * MMSGHDR_SIZE, load<u32>(at, TRAIN_PEER), iovec, 1);
      n++;
    }
  }
  return n;
}

/** Where datagram `n` of the train that was split last lies in memory, and how long it is. */
export function splitAddress(n: u32): u32 {
  return <u32>(load<u64>(SPLIT_IOVECS + n * IOVEC_SIZE) - base);
}

export function splitLength(n: u32): u32 {
  return <u32>load<u64>(SPLIT_IOVECS + n * IOVEC_SIZE, 8);
}

/** Counts datagram `n` of the split `train` as forwarded. */
export function splitSent(train: u32, n: u32): void {
  sent(load<u32>(trainAt(train), TRAIN_PEER), 1, splitLength(n));
}

export function splitRefused(reason: u32): void {
  drop(reason, 1);
}
