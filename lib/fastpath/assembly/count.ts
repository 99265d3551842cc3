import { COUNT_DROPS, COUNTERS, PEER_SIZE, PEERS } from '../abi';

// @ts-ignore: decorator
@inline
export function count(counter: u32, by: u64): void {
  const at = COUNTERS + (counter << 3);
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
