// Items: what one write to the TUN carries, a packet or several that were joined. This file keeps the tables; gro.ts
// decides what joins, tun-write.ts makes the writes.
import {
  FLOW_BUCKETS,
  IN_CUTS,
  IN_CUTS_SIZE,
  IN_FLOWS,
  IN_ITEMS,
  IN_PIECES,
  IN_SNOOPED,
  ITEM_COUNT,
  ITEM_FIRST_PIECE,
  ITEM_GSO_SIZE,
  ITEM_JOINABLE,
  ITEM_LAST_PIECE,
  ITEM_LENGTH,
  ITEM_SIZE,
  MAX_CUT,
  MAX_GSO_SEGS,
  MAX_IN_PIECES,
  MAX_ITEMS,
  MAX_SNOOPED,
  PIECE_ADDRESS,
  PIECE_LENGTH,
  PIECE_NEXT,
  PIECE_SIZE,
} from '../../abi';
import { Items, Tap } from '../context';
import { publishInbound } from '../tap';

@inline
export function itemAt(item: u32): usize {
  return IN_ITEMS + item * ITEM_SIZE;
}

@inline
export function inPieceAt(piece: u32): usize {
  return IN_PIECES + piece * PIECE_SIZE;
}

/** False: the items must be written before the next packet, which may be a super-packet that must be cut. */
@inline
export function itemSpace(): bool {
  return (
    Items.count < <u32>(MAX_ITEMS - MAX_GSO_SEGS) &&
    Items.pieces < <u32>(MAX_IN_PIECES - MAX_GSO_SEGS) &&
    Items.cuts < <usize>(IN_CUTS + IN_CUTS_SIZE - MAX_CUT)
  );
}

export function inboundItems(): u32 {
  return Items.count;
}

/** The space of the next item; it becomes one with keepItem. */
@inline
export function nextItem(): usize {
  return itemAt(Items.count);
}

@inline
export function keepItem(): void {
  Items.count++;
  Items.joined = 0;
}

@inline
export function currentEpoch(): u32 {
  return Items.epoch;
}

/** Closes all items there are. */
@inline
export function sealItems(): void {
  Items.epoch++;
}

/** Forgets all items: they have been written. */
export function inboundReset(): void {
  if (Tap.on) publishInbound(Items.count);
  Items.count = 0;
  Items.pieces = 1;
  Items.snooped = 0;
  Items.cuts = IN_CUTS;
  Items.epoch++;
  memory.fill(IN_FLOWS, 0, FLOW_BUCKETS << 2);
}

/** Free space for the next cut, kept until the items are written. */
export function inCutSpace(): usize {
  return Items.cuts;
}

export function takeInCutSpace(bytes: u32): void {
  // copyOver and macAt may touch a few bytes behind.
  Items.cuts += (bytes + 31) & ~15;
}

/** Marks the item that comes next: it carries ARP or neighbour discovery from a VTEP. */
export function snoop(): void {
  if (Items.snooped == <u32>MAX_SNOOPED) return;
  store<u32>(IN_SNOOPED + (Items.snooped << 2), Items.count);
  Items.snooped++;
}

/** Number of items at IN_SNOOPED. */
export function inboundSnooped(): u32 {
  return Items.snooped;
}

/** Appends payload; one shorter than the rest is the last. */
export function join(item: usize, at: usize, payload: u32): void {
  const last = load<u32>(item, ITEM_LAST_PIECE);
  if (last) store<u32>(inPieceAt(last), Items.pieces, PIECE_NEXT);
  else store<u32>(item, Items.pieces, ITEM_FIRST_PIECE);
  const piece = inPieceAt(Items.pieces);
  store<u32>(piece, <u32>at, PIECE_ADDRESS);
  store<u32>(piece, payload, PIECE_LENGTH);
  store<u32>(piece, 0, PIECE_NEXT);
  store<u32>(item, Items.pieces, ITEM_LAST_PIECE);
  Items.pieces++;
  store<u32>(item, load<u32>(item, ITEM_COUNT) + 1, ITEM_COUNT);
  Items.joined = item;
  store<u32>(item, load<u32>(item, ITEM_LENGTH) + payload, ITEM_LENGTH);
  if (payload < load<u32>(item, ITEM_GSO_SIZE)) store<u32>(item, 0, ITEM_JOINABLE);
}
