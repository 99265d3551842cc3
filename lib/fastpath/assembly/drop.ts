// A packet that is not forwarded, while it is in hand. What the kernel refuses later is counted where that is seen.
import { COUNT_DROPS } from '../abi';
import { count, Tap } from './context';
import { recordDrop } from './tap';

/** Counts the packet in hand as dropped; it stands for `packets`. */
@inline
export function drop(reason: u32, packets: u32): void {
  count(COUNT_DROPS + reason, packets);
  if (Tap.on) recordDrop(reason, packets);
}

/** Counts packets that the kernel refused after they had been counted on. */
@inline
export function dropLate(reason: u32, packets: u32): void {
  count(COUNT_DROPS + reason, packets);
}
