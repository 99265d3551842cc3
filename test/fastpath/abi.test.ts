import test from 'ava';
import * as abi from '../../lib/fastpath/abi.ts';

/** Tables of the memory in order: name, first byte, size at its fullest. */
const TABLES: readonly [string, number, number][] = [
  ['frames', abi.OUT_FRAMES, abi.OUT_FRAMES_SIZE],
  ['segments', abi.OUT_SEGMENTS, abi.OUT_SEGMENTS_SIZE],
  ['trains', abi.OUT_TRAINS, abi.MAX_TRAINS * abi.TRAIN_SIZE],
  ['pieces', abi.OUT_PIECES, abi.MAX_PIECES * abi.PIECE_SIZE],
  ['ICMP errors', abi.ICMP_QUEUE, abi.ICMP_SLOTS * abi.ICMP_SLOT_SIZE],
  ['slots', abi.IN_SLOTS, abi.MAX_IN_SLOTS * abi.IN_SLOT_SIZE],
  ['items', abi.IN_ITEMS, abi.MAX_ITEMS * abi.ITEM_SIZE],
  ['joined pieces', abi.IN_PIECES, abi.MAX_IN_PIECES * abi.PIECE_SIZE],
  ['flows', abi.IN_FLOWS, abi.FLOW_BUCKETS * 4],
  ['messages', abi.OUT_MESSAGES, abi.MAX_TRAINS * abi.MMSGHDR_SIZE],
  ['iovecs', abi.OUT_IOVECS, abi.MAX_OUT_IOVECS * abi.IOVEC_SIZE],
  ['control messages', abi.OUT_CONTROL, abi.MAX_TRAINS * abi.OUT_CONTROL_SIZE],
  ['split messages', abi.SPLIT_MESSAGES, 128 * abi.MMSGHDR_SIZE],
];

test('no table of the memory runs into the next one', (t) => {
  for (const [index, [name, start, size]] of TABLES.entries()) {
    const next = TABLES[index + 1];
    const limit = next === undefined ? abi.SPLIT_IOVECS : next[1];
    t.true(start + size <= limit, `${name} end at ${start + size}, the next begins at ${limit}`);
  }
});
