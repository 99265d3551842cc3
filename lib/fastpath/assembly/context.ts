// Counters, and which segment they are counted for.
import { COUNTERS, COUNTER_BLOCK, COUNT_DROPS, PEERS, PEER_SIZE, SEGMENTS, SEGMENT_SIZE } from '../abi';

let counters: usize = COUNTERS;

/** The record of the segment whose packet is in work; record 0 while it is not known. */
export let segment: usize = SEGMENTS;
/** Its number. */
export let segmentNumber: u32 = 0;

/** From here on packets are of segment `s`. */
// @ts-ignore: decorator
@inline
export function enterSegment(s: u32): void {
  segmentNumber = s;
  segment = SEGMENTS + s * SEGMENT_SIZE;
  counters = COUNTERS + s * COUNTER_BLOCK;
}

// @ts-ignore: decorator
@inline
export function count(counter: u32, by: u64): void {
  const at = counters + (counter << 3);
  store<u64>(at, load<u64>(at) + by);
}

// @ts-ignore: decorator
@inline
export function drop(reason: u32, packets: u64): void {
  count(COUNT_DROPS + reason, packets);
}

// @ts-ignore: decorator
@inline
export function peerAt(peer: u32): usize {
  return PEERS + peer * PEER_SIZE;
}

// @ts-ignore: decorator
@inline
export function addAt(at: usize, by: u64): void {
  store<u64>(at, load<u64>(at) + by);
}
