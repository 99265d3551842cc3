/**
 * The counters of a segment, one row each. What follows from the table: how they are read, summed and set to zero, the type
 * of `DataplaneStats`, the lines of `weft stats`, and what docs/operations.md has to explain. Its shape is that of /v1/stats.
 *
 * A new counter is a constant in lib/fastpath/abi.ts, a row here (a drop reason: in drop.ts), a `count` where it happens, and a
 * line in docs/operations.md; then /v1/stats promises it: lib/control/protocol.ts (not a drop reason) and v1.schema.json.
 * Tests name what was forgotten.
 */
import {
  COUNT_ANSWERED,
  COUNT_FLOODED,
  COUNT_ICMP_LIMITED,
  COUNT_ICMP_SENT,
  COUNT_IN_BYTES,
  COUNT_IN_FORWARDED,
  COUNT_IN_READS,
  COUNT_IN_RECEIVED,
  COUNT_IN_WRITES,
  COUNT_OUT_BYTES,
  COUNT_OUT_FORWARDED,
  COUNT_OUT_READS,
  COUNT_OUT_RECEIVED,
  COUNT_OUT_WRITES,
  COUNT_PROBES_ANSWERED,
  COUNT_PROBES_RECEIVED,
  COUNT_PROBES_SENT,
  COUNT_REFUSED_MOVES,
  COUNT_SHUT_OUT,
  COUNT_SOCKET_OVERFLOW,
  COUNT_TAP_LOST,
  COUNT_TAP_RECORDS,
} from '../fastpath/abi.ts';
import { DROP_REASONS } from './drop.ts';

export interface Counter {
  /** Of the u64 in a block of counters: COUNT_* of lib/fastpath/abi.ts. */
  readonly index: number;
  /** What is counted, in one sentence. */
  readonly help: string;
  /** Of `weft stats`, below the directions: the title of a line and what it says, # being the number. Rows of one title share it. */
  readonly line?: readonly [title: string, text: string];
}

interface Counters {
  readonly [name: string]: Counter | Counters;
}

/**
 * Packets are inner packets as they are on the wire: a super-packet counts once per cut, a BUM frame once per copy.
 * In each direction received = forwarded + drops.
 */
const TABLE = {
  outbound: {
    received: { index: COUNT_OUT_RECEIVED, help: 'Packets taken from the device' },
    forwarded: { index: COUNT_OUT_FORWARDED, help: 'Packets handed to the kernel to be sent to peers' },
    forwardedBytes: { index: COUNT_OUT_BYTES, help: 'Bytes of those packets' },
    // received / reads and forwarded / writes are what batching and offloads buy.
    reads: { index: COUNT_OUT_READS, help: 'Successful reads of the device' },
    writes: { index: COUNT_OUT_WRITES, help: 'Messages handed to the kernel to be sent to peers' },
  },
  inbound: {
    received: { index: COUNT_IN_RECEIVED, help: 'Packets taken from the sockets' },
    forwarded: { index: COUNT_IN_FORWARDED, help: 'Packets handed to the device' },
    forwardedBytes: { index: COUNT_IN_BYTES, help: 'Bytes of those packets' },
    reads: { index: COUNT_IN_READS, help: 'Messages received from the sockets' },
    writes: { index: COUNT_IN_WRITES, help: 'Successful writes to the device' },
  },
  drops: DROP_REASONS,
  icmp: {
    sent: { index: COUNT_ICMP_SENT, help: 'ICMP errors sent to senders', line: ['ICMP errors sent', '#'] },
    rateLimited: {
      index: COUNT_ICMP_LIMITED,
      help: 'ICMP errors not sent: beyond their rate limit, or too many in one turn',
      line: ['ICMP errors sent', '(# held back)'],
    },
  },
  socketOverflow: {
    index: COUNT_SOCKET_OVERFLOW,
    help: "Datagrams the kernel dropped because our socket's buffer was full (SO_RXQ_OVFL)",
    line: ['Socket overflows', '# datagrams lost because the receive buffer was full'],
  },
  /** Of the peer monitor; they count nowhere else. */
  probes: {
    sent: { index: COUNT_PROBES_SENT, help: 'Echoes sent to the devices of peers', line: ['Probes', '# sent,'] },
    answered: {
      index: COUNT_PROBES_ANSWERED,
      help: 'Answers to them',
      line: ['Probes', '# answered;'],
    },
    received: {
      index: COUNT_PROBES_RECEIVED,
      help: 'Echoes of other nodes; they are answered here',
      line: ['Probes', '# from other nodes'],
    },
  },
  /** On a learning VXLAN segment; zeros elsewhere. */
  bridge: {
    flooded: {
      index: COUNT_FLOODED,
      help: 'BUM frames that went to all peers, copies not counted',
      line: ['Flooded', '# frames to all VTEPs;'],
    },
    answered: {
      index: COUNT_ANSWERED,
      help: 'ARP requests and neighbour solicitations answered here; they count nowhere else',
      line: ['Flooded', '# ARP and ND questions answered here'],
    },
    refusedMoves: {
      index: COUNT_REFUSED_MOVES,
      help: 'Claims of a MAC address by another VTEP, too soon after the last',
      line: ['MAC moves', '# refused'],
    },
    // What the kernel drops meanwhile is in the device's own counter (`ip -s link`, TX dropped).
    shutOut: {
      index: COUNT_SHUT_OUT,
      help: 'Times a sender beyond its limit was shut out for a second',
      line: ['Storms', 'senders shut out # times'],
    },
  },
  /** Of packets that somebody looks at (docs/adr/0025). */
  tap: {
    records: { index: COUNT_TAP_RECORDS, help: 'Packets recorded for readers of the tap', line: ['Tap', '# records,'] },
    lost: {
      index: COUNT_TAP_LOST,
      help: 'Packets not recorded for readers of the tap: there was no room',
      line: ['Tap', '# lost because they were not read in time'],
    },
  },
} as const satisfies Counters;

/** The table with a number in place of each row. */
export type Counts<Rows = typeof TABLE> = {
  readonly [Name in keyof Rows]: Rows[Name] extends Counter ? number : Counts<Rows[Name]>;
};

/** The rows in order, with their names: "outbound.received", "drops.no-route", "socketOverflow". */
export function counterRows(): (readonly [name: string, counter: Counter])[] {
  const rows: [string, Counter][] = [];
  countsOf((counter, name) => rows.push([name, counter]));
  return rows;
}

/** Counts in which each row has the number that `value` gives it. */
export function countsOf(value: (counter: Counter, name: string) => number): Counts {
  const fill = (counters: Counters, prefix: string): object =>
    Object.fromEntries(
      Object.entries(counters).map(([key, row]) => {
        const name = `${prefix}${key}`;
        return [key, isCounter(row) ? value(row, name) : fill(row, `${name}.`)];
      }),
    );
  // The shape is the table's.
  return fill(TABLE, '') as Counts;
}

/** The number of the row `name` in counts, or in what has their shape; NaN where it is not. */
export function countAt(counts: object, name: string): number {
  let value: unknown = counts;
  for (const key of name.split('.')) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  return Number(value);
}

function isCounter(row: Counter | Counters): row is Counter {
  return typeof row.index === 'number';
}
