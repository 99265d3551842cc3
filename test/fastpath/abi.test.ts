import test from 'ava';
import { counterRows } from '../../lib/dataplane/counters.ts';
import * as abi from '../../lib/fastpath/abi.ts';
import { fdbBucketsFor } from '../../lib/fib/fdb.ts';
import { FDB_BUCKET_SLOTS, FIB_CHUNK_ENTRIES } from '../../lib/fib/layout.ts';
import { IOVEC_SIZE, MMSGHDR_SIZE } from '../../lib/linux/msghdr.ts';
import { VNET_SIZE } from '../../lib/linux/virtio-net.ts';

/** Tables of the memory: name, first byte, size at its fullest. */
const TABLES: readonly [string, number, number][] = [
  ['configuration', abi.CONFIG, abi.CONFIG_PROBE_TOKEN + 8 - abi.CONFIG],
  ['segments', abi.SEGMENTS, (abi.MAX_SEGMENTS + 1) * abi.SEGMENT_SIZE],
  ['counters', abi.COUNTERS, (abi.MAX_SEGMENTS + 1) * abi.COUNTER_BLOCK],
  ['peers', abi.PEERS, (abi.MAX_PEERS + 1) * abi.PEER_SIZE],
  ['tables', abi.TABLES, 2 * abi.TABLES_SIZE],
  ['chunks', abi.CHUNKS, 2 * abi.CHUNKS_SIZE],
  ['frames', abi.OUT_FRAMES, abi.OUT_FRAMES_SIZE],
  ['cuts as sent', abi.OUT_CUTS, abi.OUT_CUTS_SIZE],
  ['trains', abi.OUT_TRAINS, abi.MAX_TRAINS * abi.TRAIN_SIZE],
  ['pieces', abi.OUT_PIECES, abi.MAX_PIECES * abi.PIECE_SIZE],
  ['ICMP errors', abi.ICMP_QUEUE, abi.ICMP_SLOTS * abi.ICMP_SLOT_SIZE],
  ['open trains', abi.OPEN_TRAINS, abi.OPEN_TRAIN_SLOTS * abi.OPEN_TRAIN_SIZE],
  ['flooded frame', abi.FLOOD_FRAME, abi.MAX_FRAME],
  ['learned addresses', abi.LEARNED, abi.LEARNED_SLOTS * 8],
  ['their history', abi.LEARNED_INFO, abi.LEARNED_SLOTS * abi.LEARNED_INFO_SIZE],
  ['control messages', abi.OUT_CONTROL, abi.MAX_TRAINS * abi.OUT_CONTROL_SIZE],
  ['order of trains', abi.OUT_ORDER, abi.MAX_TRAINS * 4],
  ['items', abi.IN_ITEMS, abi.MAX_ITEMS * abi.ITEM_SIZE],
  ['joined pieces', abi.IN_PIECES, abi.MAX_IN_PIECES * abi.PIECE_SIZE],
  ['snooped items', abi.IN_SNOOPED, abi.MAX_SNOOPED * 4],
  ['flows', abi.IN_FLOWS, abi.FLOW_BUCKETS * 4],
  ['messages', abi.OUT_MESSAGES, abi.MAX_TRAINS * MMSGHDR_SIZE],
  ['iovecs', abi.OUT_IOVECS, abi.MAX_OUT_IOVECS * IOVEC_SIZE],
  ['split messages', abi.SPLIT_MESSAGES, 128 * MMSGHDR_SIZE],
  ['split iovecs', abi.SPLIT_IOVECS, 128 * IOVEC_SIZE],
  ['split control message', abi.SPLIT_CONTROL, abi.OUT_CONTROL_SIZE],
  ['received messages', abi.IN_MESSAGES, abi.MAX_IN_SLOTS * MMSGHDR_SIZE],
  ['received iovecs', abi.IN_IOVECS, abi.MAX_IN_SLOTS * IOVEC_SIZE],
  ['received names', abi.IN_NAMES, abi.MAX_IN_SLOTS * abi.IN_NAME_SIZE],
  ['received control messages', abi.IN_CONTROL, abi.MAX_IN_SLOTS * abi.IN_CONTROL_SIZE],
  ['iovecs of a write', abi.WRITE_IOVECS, (512 + 2) * IOVEC_SIZE],
  ['poll descriptors', abi.POLL_FDS, (1 + 2 + abi.MAX_SEGMENTS) * 8],
  ['descriptor of a wait', abi.WAIT_FD, 8],
  ['event', abi.EVENT_VALUE, 8],
  ['header without offloads', abi.ZERO_VNET, VNET_SIZE],
  ['clock and outbound block of the tap', abi.TAP_CLOCK, abi.TAP_OUT - abi.TAP_CLOCK + abi.TAP_RING + 4],
  ['inbound block of the tap', abi.TAP_IN, abi.TAP_RING + 4],
  ['recorded packets of trains', abi.TAP_TRAINS, abi.MAX_TRAINS * 4],
  ['recorded packets of items', abi.TAP_ITEMS, abi.MAX_ITEMS * 4],
  ['outbound records', abi.TAP_OUT_RING, abi.TAP_RING_SIZE],
  ['inbound records', abi.TAP_IN_RING, abi.TAP_RING_SIZE],
  ['stages', abi.STAGES, abi.STAGE_COUNT * abi.STAGE_SIZE],
  ['probes', abi.PROBES, abi.PROBE_SLOTS * abi.PROBE_SIZE],
  ['answers of probes', abi.PROBE_ANSWERS, abi.PROBE_ANSWER_SLOTS * abi.PROBE_ANSWER_SIZE],
  ['echoes', abi.PROBE_ECHOES, abi.MAX_PROBE_ECHOES * abi.PROBE_ECHO_SIZE],
  ['clock of probes', abi.PROBE_NOW, 8],
  ['message of a probe', abi.PROBE_MESSAGE, MMSGHDR_SIZE],
  ['iovecs of a probe', abi.PROBE_IOVECS, 2 * IOVEC_SIZE],
  ['times of probes', abi.PROBE_TIMES, abi.PROBE_TIME_SLOTS * 8],
  ['zeros', abi.ZEROS, 0x10000],
  ['slots', abi.IN_SLOTS, abi.MAX_IN_SLOTS * abi.IN_SLOT_SIZE],
  ['cuts for a device', abi.IN_CUTS, abi.IN_CUTS_SIZE],
];

test('the leased FDBs of all peers have room, however they are spread over networks', (t) => {
  // The most buckets a peer has: networks of one peer, and of 2^n + 1.
  const small = abi.MAX_SEGMENTS - 1;
  const rest = abi.MAX_PEERS - small;
  t.true(small * fdbBucketsFor(1) + fdbBucketsFor(rest) <= abi.MAX_FDB_BUCKETS);
  t.true(
    fdbBucketsFor(8193) + fdbBucketsFor(4097) + fdbBucketsFor(2049) + fdbBucketsFor(1025) + 63 <= abi.MAX_FDB_BUCKETS,
  );
  for (let peers = 1; peers <= abi.MAX_PEERS; peers++) t.true(fdbBucketsFor(peers) <= peers);
});

test('one generation of tables has room for its parts', (t) => {
  t.true((abi.MAX_SEGMENTS + 1) * abi.FIB_KINDS * 2 <= abi.TABLES_FLOOD_INDEX);
  t.true(abi.TABLES_FLOOD_INDEX + (abi.MAX_SEGMENTS + 1) * 8 <= abi.TABLES_FDB_INDEX);
  t.true(abi.TABLES_FDB_INDEX + (abi.MAX_SEGMENTS + 1) * 8 <= abi.TABLES_PEERS);
  t.true(abi.TABLES_PEERS + (abi.MAX_PEERS + 1) / 8 <= abi.TABLES_FLOOD);
  t.true(abi.TABLES_FLOOD + (abi.MAX_PEERS + 1) * 2 <= abi.TABLES_FDB);
  t.true(abi.TABLES_FDB + abi.MAX_FDB_BUCKETS * FDB_BUCKET_SLOTS * 8 <= abi.TABLES_SIZE);
  t.true(abi.MAX_CHUNKS * FIB_CHUNK_ENTRIES * 2 <= abi.CHUNKS_SIZE);
});

test('no table of the memory runs into the next one', (t) => {
  const inOrder = TABLES.toSorted(([, one], [, other]) => one - other);
  for (const [index, [name, start, size]] of inOrder.entries()) {
    const next = inOrder[index + 1];
    const limit = next === undefined ? abi.MEMORY_PAGES * 65536 : next[1];
    t.true(start + size <= limit, `${name} end at ${start + size}, the next begins at ${limit}`);
  }
});

test('every counter is in exactly one row of the table of counters, and has a place of its own in the block', (t) => {
  const constants = Object.entries(abi).flatMap(([name, value]) => {
    if (name.startsWith('DROP_')) return [abi.COUNT_DROPS + value];
    return name.startsWith('COUNT_') && name !== 'COUNT_DROPS' ? [value] : [];
  });
  const ascending = (a: number, b: number) => a - b;
  const indexes = counterRows().map(([, { index }]) => index);
  t.deepEqual(indexes.toSorted(ascending), constants.toSorted(ascending));
  t.is(new Set(indexes).size, indexes.length);
  t.true(Math.max(...indexes) < abi.COUNTER_BLOCK / 8);
});

const COUNTER_NAMES: Readonly<Record<string, string>> = {
  COUNT_OUT_RECEIVED: 'outbound.received',
  COUNT_OUT_FORWARDED: 'outbound.forwarded',
  COUNT_OUT_BYTES: 'outbound.forwardedBytes',
  COUNT_OUT_READS: 'outbound.reads',
  COUNT_OUT_WRITES: 'outbound.writes',
  COUNT_IN_RECEIVED: 'inbound.received',
  COUNT_IN_FORWARDED: 'inbound.forwarded',
  COUNT_IN_BYTES: 'inbound.forwardedBytes',
  COUNT_IN_READS: 'inbound.reads',
  COUNT_IN_WRITES: 'inbound.writes',
  COUNT_ICMP_SENT: 'icmp.sent',
  COUNT_ICMP_LIMITED: 'icmp.rateLimited',
  COUNT_SOCKET_OVERFLOW: 'socketOverflow',
  COUNT_FLOODED: 'bridge.flooded',
  COUNT_ANSWERED: 'bridge.answered',
  COUNT_REFUSED_MOVES: 'bridge.refusedMoves',
  COUNT_SHUT_OUT: 'bridge.shutOut',
  COUNT_TAP_RECORDS: 'tap.records',
  COUNT_TAP_LOST: 'tap.lost',
};

test('no two rows of the table of counters are mixed up', (t) => {
  for (const [constant, value] of Object.entries(abi)) {
    const isDrop = constant.startsWith('DROP_');
    const name = isDrop ? `drops.${constant.slice(5).toLowerCase().replaceAll('_', '-')}` : COUNTER_NAMES[constant];
    if (name === undefined) continue;
    const row = counterRows().find(([known]) => known === name);
    t.is(row?.[1].index, isDrop ? abi.COUNT_DROPS + value : value, constant);
  }
});

test('every counter says in one sentence what it counts', (t) => {
  for (const [name, { help }] of counterRows()) t.regex(help, /^[A-Z].*[^.]$/, name);
});
