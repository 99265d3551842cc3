// Trains: datagrams for one peer, all of one size but a shorter last one, that leave in one sendmsg with UDP_SEGMENT by one
// socket. A packet joins only the newest train of its peer and socket, and a flow keeps its socket, so the order of packets
// in a flow never changes.

import { IOVEC_BASE, IOVEC_LEN, IOVEC_SIZE, MMSGHDR_SIZE } from '../../../linux/msghdr';
import { AF_INET } from '../../../linux/sockaddr';
import { IP_TOS, IPV6_TCLASS, SOL_IP, SOL_IPV6, SOL_UDP, UDP_SEGMENT } from '../../../linux/socket';
import {
  CONFIG_MAX_TRAIN,
  COUNT_OUT_BYTES,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_WRITES,
  MAX_PIECES,
  OPEN_TRAIN_KEY,
  OPEN_TRAIN_SIZE,
  OPEN_TRAIN_SLOTS,
  OPEN_TRAIN_STAMP,
  OPEN_TRAIN_TRAIN,
  OPEN_TRAINS,
  OUT_CONTROL,
  OUT_CONTROL_SIZE,
  OUT_CUTS,
  OUT_IOVECS,
  OUT_MESSAGES,
  OUT_ORDER,
  OUT_PIECES,
  OUT_TRAINS,
  PEER_ADDRESS,
  PEER_ADDRESS_LENGTH,
  PEER_MAX_DATAGRAM,
  PEER_OUT_BYTES,
  PEER_OUT_PACKETS,
  PEER_SEGMENT,
  PEER_SOCKET_MASK,
  PEER_SOCKETS,
  PIECE_ADDRESS,
  PIECE_LENGTH,
  PIECE_NEXT,
  PIECE_SIZE,
  SPLIT_CONTROL,
  SPLIT_IOVECS,
  SPLIT_MESSAGES,
  TRAIN_BYTES,
  TRAIN_COUNT,
  TRAIN_ENCAP,
  TRAIN_FIRST_PIECE,
  TRAIN_GSO_SIZE,
  TRAIN_LAST_PIECE,
  TRAIN_NARROW,
  TRAIN_OPEN,
  TRAIN_PEER,
  TRAIN_SIZE,
  TRAIN_SOCKET,
  TRAIN_TOS,
} from '../../abi';
import { Aim, addAt, count, enterSegment, Gso, Held, peerAt, Staged, Tap } from '../context';
import { dropLate } from '../drop';
import { beginCut, cutNext } from '../gso';
import { attachControl, controlMessage, putIovec, putMessage, relative } from '../msghdr';
import { floodPeer } from '../tables/fdb';
import { isSampled, publishOutbound, recordRefused, recordSent, recordSplitSent, recordStaged } from '../tap';

/** Largest UDP payload over IPv4: 65,535 - 20 - 8. */
export const MAX_DATAGRAM: u32 = 65507;
/** Most sockets there can be (lib/dataplane/segment.ts): 16 of each family. */
const MAX_SOCKETS: u32 = 32;

@inline
function trainAt(train: u32): usize {
  return OUT_TRAINS + train * TRAIN_SIZE;
}

@inline
function pieceAt(piece: u32): usize {
  return OUT_PIECES + piece * PIECE_SIZE;
}

/** Forgets all trains: everything staged has been sent or dropped. */
export function outboundReset(): void {
  if (Tap.on) publishOutbound(Staged.trains);
  Staged.trains = 0;
  Staged.pieces = 1;
  Staged.cuts = OUT_CUTS;
  Staged.stamp++;
}

export function cutBytesStaged(): u32 {
  return <u32>(Staged.cuts - OUT_CUTS);
}

export function trainsStaged(): u32 {
  return Staged.trains;
}

export function piecesFree(): u32 {
  return MAX_PIECES - Staged.pieces;
}

/** What is staged from now on is for `peer`, each datagram with `encap` bytes of encapsulation. */
export function aim(peer: u32, encap: u32): void {
  Aim.peer = peer;
  Aim.to = 0;
  Aim.encap = encap;
}

/** What is staged from now on is for the peers `from` to `to` - 1 of the flood list. */
export function aimAtMany(from: u32, to: u32, encap: u32): void {
  Aim.from = from;
  Aim.to = to;
  Aim.encap = encap;
}

/** Copies that a staged datagram becomes. */
@inline
export function copies(): u32 {
  return Aim.to ? Aim.to - Aim.from : 1;
}

/** What is staged from now on leaves by the socket the flow's hash picks, with this outer TOS octet. */
@inline
export function setFlow(hash: u32, tos: u32): void {
  Aim.flow = hash;
  Aim.tos = tos;
}

/** Cuts the planned super-packet at `ip` and stages its packets, each with a copy of the `prefix` bytes before `ip`. */
export function stageCuts(ip: usize, prefix: u32): void {
  beginCut(ip, prefix);
  Aim.gsoSize = Gso.size;
  for (;;) {
    const datagram = Staged.cuts;
    const length = cutNext(datagram);
    if (!length) break;
    Staged.cuts += length;
    stage(datagram, length);
  }
  Aim.gsoSize = 0;
}

/** Takes one datagram's bytes for everybody aimed at. The bytes must stay until outboundReset. */
export function stage(at: usize, length: u32): void {
  if (Aim.to == 0) return stageFor(Aim.peer, at, length);
  for (let i = Aim.from; i < Aim.to; i++) stageFor(floodPeer(i), at, length);
}

/** Adds the datagram to the newest train of the peer and socket, or opens a new one. */
function stageFor(peer: u32, at: usize, length: u32): void {
  const record = peerAt(peer);
  const socket = <u32>load<u16>(record, PEER_SOCKETS) + (Aim.flow & <u32>load<u16>(record, PEER_SOCKET_MASK));
  const key = (peer << 8) | socket;
  const open = OPEN_TRAINS + ((peer * 31 + socket) & (OPEN_TRAIN_SLOTS - 1)) * OPEN_TRAIN_SIZE;
  if (load<u32>(open, OPEN_TRAIN_STAMP) == Staged.stamp) {
    const train = trainAt(load<u32>(open, OPEN_TRAIN_TRAIN));
    const size = load<u32>(train, TRAIN_GSO_SIZE);
    if (
      load<u32>(open, OPEN_TRAIN_KEY) == key &&
      load<u32>(train, TRAIN_OPEN) &&
      length <= size &&
      <u32>load<u8>(train, TRAIN_TOS) == Aim.tos &&
      load<u32>(train, TRAIN_COUNT) < load<u32>(CONFIG_MAX_TRAIN) &&
      load<u32>(train, TRAIN_BYTES) + length <= MAX_DATAGRAM
    ) {
      append(train, at, length);
      if (length < size) store<u32>(train, 0, TRAIN_OPEN);
      return;
    }
    // Packets of this peer and socket go into a new train, or nobody finds this one again: it is complete.
    store<u32>(train, 0, TRAIN_OPEN);
  }
  const train = trainAt(Staged.trains);
  store<u32>(open, key, OPEN_TRAIN_KEY);
  store<u32>(open, Staged.stamp, OPEN_TRAIN_STAMP);
  store<u32>(open, Staged.trains, OPEN_TRAIN_TRAIN);
  Staged.trains++;
  store<u32>(train, peer, TRAIN_PEER);
  store<u32>(train, length, TRAIN_GSO_SIZE);
  store<u32>(train, 0, TRAIN_BYTES);
  store<u32>(train, 0, TRAIN_COUNT);
  store<u32>(train, 0, TRAIN_FIRST_PIECE);
  store<u32>(train, 0, TRAIN_LAST_PIECE);
  store<u32>(train, 1, TRAIN_OPEN);
  // None behind the first is longer. 0, no limit, becomes the largest number.
  const isNarrow = length - 1 > load<u32>(record, PEER_MAX_DATAGRAM) - 1;
  store<u16>(train, <u16>(isNarrow ? socket | TRAIN_NARROW : socket), TRAIN_SOCKET);
  store<u8>(train, <u8>Aim.tos, TRAIN_TOS);
  store<u8>(train, <u8>Aim.encap, TRAIN_ENCAP);
  append(train, at, length);
}

@inline
function append(train: usize, at: usize, length: u32): void {
  if (Tap.on) tapStaged(train, at, length);
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
    store<u32>(piece, Staged.pieces, PIECE_NEXT);
  } else {
    store<u32>(train, Staged.pieces, TRAIN_FIRST_PIECE);
  }
  const piece = pieceAt(Staged.pieces);
  store<u32>(piece, <u32>at, PIECE_ADDRESS);
  store<u32>(piece, length, PIECE_LENGTH);
  store<u32>(piece, 0, PIECE_NEXT);
  store<u32>(train, Staged.pieces, TRAIN_LAST_PIECE);
  Staged.pieces++;
}

/** What the tap has to know of a datagram that is appended to the train. A flooded frame is recorded once, not with each copy. */
function tapStaged(train: usize, at: usize, length: u32): void {
  const number = <u32>(train - OUT_TRAINS) / <u32>TRAIN_SIZE;
  if (Aim.to) {
    Held.train = number + 1;
    return;
  }
  if (!isSampled()) return;
  const encap = <u32>load<u8>(train, TRAIN_ENCAP);
  const name = addressOf(train);
  recordStaged(at + encap, length - encap, name, number, load<u32>(train, TRAIN_COUNT), Aim.gsoSize);
}

/** Where the sockaddr of a train's peer lies. */
function addressOf(train: usize): usize {
  return peerAt(load<u32>(train, TRAIN_PEER)) + PEER_ADDRESS;
}

/** Trains from `from` on that are complete, without a gap: returns the number of the first that may still grow. */
export function outboundComplete(from: u32): u32 {
  while (from < Staged.trains && !load<u32>(trainAt(from), TRAIN_OPEN)) from++;
  return from;
}

/** Writes one mmsghdr for each of the trains `from` to `to` - 1, those of one socket behind each other: messages `from` to `to` - 1. */
export function outboundMessages(from: u32, to: u32): void {
  arrange(from, to);
  let iovec: usize = OUT_IOVECS;
  for (let i = from; i < to; i++) {
    const train = trainAt(trainOf(i));
    const first = iovec;
    let n: u32 = 0;
    for (let piece = load<u32>(train, TRAIN_FIRST_PIECE); piece; piece = load<u32>(pieceAt(piece), PIECE_NEXT)) {
      putIovec(iovec, load<u32>(pieceAt(piece), PIECE_ADDRESS), load<u32>(pieceAt(piece), PIECE_LENGTH));
      iovec += IOVEC_SIZE;
      n++;
    }
    const message = OUT_MESSAGES + i * MMSGHDR_SIZE;
    putMessageTo(message, load<u32>(train, TRAIN_PEER), first, n);
    const control = OUT_CONTROL + i * OUT_CONTROL_SIZE;
    let length = tosControl(control, train);
    // A control message on a single datagram makes some NICs fail it with EIO.
    if (load<u32>(train, TRAIN_COUNT) > 1)
      length += controlMessage(control + length, SOL_UDP, UDP_SEGMENT, load<u32>(train, TRAIN_GSO_SIZE), 2);
    attachControl(message, control, length);
  }
}

/** Sorts the trains by socket, those of one socket in their order, into OUT_ORDER. */
function arrange(from: u32, to: u32): void {
  let place = from;
  for (let socket: u32 = 0; socket < MAX_SOCKETS && place < to; socket++) {
    for (let i = from; i < to; i++) {
      if ((<u32>load<u16>(trainAt(i), TRAIN_SOCKET) & ~TRAIN_NARROW) != socket) continue;
      store<u32>(OUT_ORDER + (place << 2), i);
      place++;
    }
  }
}

/** The train of message `i`. */
@inline
function trainOf(i: u32): u32 {
  return load<u32>(OUT_ORDER + (i << 2));
}

export function messageTrain(i: u32): u32 {
  return trainOf(i);
}

/** Number of the socket message `i` leaves by, with TRAIN_NARROW if that must be datagram by datagram. */
export function messageSocket(i: u32): u32 {
  return load<u16>(trainAt(trainOf(i)), TRAIN_SOCKET);
}

/** The first message from `i` on, up to `to`, of which messageSocket says something else. */
export function messageGroupEnd(i: u32, to: u32): u32 {
  const socket = messageSocket(i);
  while (i < to && messageSocket(i) == socket) i++;
  return i;
}

/** Writes the train's TOS octet as a control message if it is not 0, the sockets' default. Returns the bytes. */
function tosControl(control: usize, train: usize): u32 {
  const tos = <u32>load<u8>(train, TRAIN_TOS);
  if (tos == 0) return 0;
  const v4 = <u32>load<u16>(peerAt(load<u32>(train, TRAIN_PEER)), PEER_ADDRESS) == AF_INET;
  return controlMessage(control, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, tos, 4);
}

function putMessageTo(message: usize, peer: u32, iovec: usize, n: u32): void {
  const record = peerAt(peer);
  putMessage(message, record + PEER_ADDRESS, load<u32>(record, PEER_ADDRESS_LENGTH), iovec, n);
}

/** Counts messages `first` to `first + n - 1` as forwarded. */
export function outboundSent(first: u32, n: u32): void {
  let time: f64 = 0;
  for (let i = first; i < first + n; i++) {
    const train = trainAt(trainOf(i));
    if (Tap.on) time = recordSent(trainOf(i), load<u32>(train, TRAIN_COUNT), time);
    sent(train, load<u32>(train, TRAIN_COUNT), load<u32>(train, TRAIN_BYTES));
  }
}

/** Bytes are the inner ones: on a TAP whole frames, without the VXLAN header. */
@inline
function sent(train: usize, packets: u32, bytes: u32): void {
  const record = peerAt(load<u32>(train, TRAIN_PEER));
  enterSegment(load<u32>(record, PEER_SEGMENT));
  const inner = bytes - packets * <u32>load<u8>(train, TRAIN_ENCAP);
  count(COUNT_OUT_FORWARDED, packets);
  count(COUNT_OUT_BYTES, inner);
  count(COUNT_OUT_WRITES, 1);
  addAt(record + PEER_OUT_PACKETS, packets);
  addAt(record + PEER_OUT_BYTES, inner);
}

/** From here on packets are of the segment of this train's peer. */
function enterTrain(train: usize): void {
  enterSegment(load<u32>(peerAt(load<u32>(train, TRAIN_PEER)), PEER_SEGMENT));
}

/** Counts a whole train as dropped. */
export function outboundRefused(train: u32, reason: u32): void {
  enterTrain(trainAt(train));
  dropLate(reason, load<u32>(trainAt(train), TRAIN_COUNT));
  if (!Tap.on) return;
  const datagrams = outboundSplit(train);
  for (let i: u32 = 0; i < datagrams; i++) tapRefused(train, i, reason);
}

function tapRefused(train: u32, n: u32, reason: u32): void {
  const at = trainAt(train);
  const encap = <u32>load<u8>(at, TRAIN_ENCAP);
  recordRefused(train, n, reason, splitAddress(n) + encap, splitLength(n) - encap, addressOf(at));
}

/** Where the record of a train's peer lies. */
export function trainPeer(train: u32): u32 {
  return <u32>peerAt(load<u32>(trainAt(train), TRAIN_PEER));
}

/** Bytes of encapsulation with which each datagram of a train begins. */
export function trainEncap(train: u32): u32 {
  return load<u8>(trainAt(train), TRAIN_ENCAP);
}

export function trainCount(train: u32): u32 {
  return load<u32>(trainAt(train), TRAIN_COUNT);
}

/** Writes one plain mmsghdr for every datagram of a train at SPLIT_MESSAGES and returns their number (at most 128). Its segment is in hand from then on. */
export function outboundSplit(train: u32): u32 {
  const at = trainAt(train);
  enterTrain(at);
  const size = load<u32>(at, TRAIN_GSO_SIZE);
  const control = tosControl(SPLIT_CONTROL, at);
  let n: u32 = 0;
  for (let piece = load<u32>(at, TRAIN_FIRST_PIECE); piece; piece = load<u32>(pieceAt(piece), PIECE_NEXT)) {
    const address = load<u32>(pieceAt(piece), PIECE_ADDRESS);
    const length = load<u32>(pieceAt(piece), PIECE_LENGTH);
    for (let offset: u32 = 0; offset < length; offset += size) {
      const iovec = SPLIT_IOVECS + n * IOVEC_SIZE;
      putIovec(iovec, address + offset, min(size, length - offset));
      const message = SPLIT_MESSAGES + n * MMSGHDR_SIZE;
      putMessageTo(message, load<u32>(at, TRAIN_PEER), iovec, 1);
      attachControl(message, SPLIT_CONTROL, control);
      n++;
    }
  }
  return n;
}

/** Where datagram `n` of the train that was split last lies in memory, and how long it is. */
export function splitAddress(n: u32): u32 {
  return <u32>relative(load<u64>(SPLIT_IOVECS + n * IOVEC_SIZE, IOVEC_BASE));
}

export function splitLength(n: u32): u32 {
  return <u32>load<u64>(SPLIT_IOVECS + n * IOVEC_SIZE, IOVEC_LEN);
}

/** Counts datagram `n` of the split `train` as forwarded. */
export function splitSent(train: u32, n: u32): void {
  sent(trainAt(train), 1, splitLength(n));
  if (Tap.on) recordSplitSent(train, n);
}

/** Counts datagram `n` of the split `train` as dropped. */
export function splitRefused(train: u32, n: u32, reason: u32): void {
  dropLate(reason, 1);
  if (Tap.on) tapRefused(train, n, reason);
}
