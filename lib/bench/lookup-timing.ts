/** How long a lookup of the fast path takes, by the size of the table: of a route, of a MAC address. */
import { ipv4Prefix } from '../addr/prefix.ts';
import { TableWriter } from '../dataplane/main/tables.ts';
import type { SegmentPeer } from '../dataplane/segment.ts';
import { OUT_FRAMES } from '../fastpath/abi.ts';
import { createQueueMemory, type Fastpath, loadFastpath } from '../fastpath/load.ts';
import { median } from '../measure/statistics.ts';
import { socketAddress } from '../sys/socket-address.ts';

/** What a table of routes costs. */
export interface RouteScale {
  readonly routes: number;
  /** Median over the repetitions. */
  readonly nanosecondsPerLookup: number;
  /** Building the whole table, as weftd does for each change: milliseconds. */
  readonly loadMs: number;
}

export interface LookupTiming {
  /** Routes, or MAC addresses. */
  readonly entries: number;
  /** Median over the repetitions. */
  readonly nanosecondsPerLookup: number;
}

/** Nodes that have more routes than this have several each: our choice, below MAX_PEERS of the fast path. */
const MOST_PEERS = 16_000;
/** Looked up in one call. */
const KEYS = 4096;
const BUILDS = 5;
/** Lookups per timed run: KEYS times this, about 2 ms. */
const PASSES = 64;
const RUNS = 25;
const OVERLAY = 0x0a000000; // 10.0.0.0, one /24 a node
const UNDERLAY = 0xc0000000;
const UDP_PORT = 8285;
const SEGMENT = 1;
/** Locally administered; the rest of an address is mixed from its number, as random ones are. */
const MAC_BASE = 0x02_00_00_00_00_00;

/**
 * Times lookups of random overlay addresses that have a route, in tables of the given sizes (1..100,000): one /24 and one peer
 * each, above 16,000 routes several of a peer. All tables are timed in turn, RUNS times, so that a change in the machine's speed
 * meets all. `random` gives numbers in [0, 1).
 */
export function timeRouteScale(sizes: readonly number[], random: () => number): RouteScale[] {
  const loadMs: number[] = [];
  const timings = timeInTurn(sizes, (routes) => {
    const { memory, fastpath, milliseconds } = buildTables(routes, false);
    loadMs.push(milliseconds);
    const addresses = new Uint32Array(memory.buffer, OUT_FRAMES, KEYS);
    for (let i = 0; i < KEYS; i++) addresses[i] = OVERLAY + Math.floor(random() * routes * 256);
    for (const address of addresses)
      if (fastpath.lookup4(address) === 0) throw new RangeError(`no route for address ${address}`);
    return () => fastpath.lookupMany4(OUT_FRAMES, KEYS);
  });
  return timings.map(({ entries, ...rest }, index) => ({ routes: entries, ...rest, loadMs: loadMs[index] ?? 0 }));
}

/** The same for VtepMACs of leases in the FDB of a VXLAN segment, one peer each. */
export function timeFdbLookups(sizes: readonly number[], random: () => number): LookupTiming[] {
  return timeInTurn(sizes, (leases) => {
    const { memory, fastpath } = buildTables(leases, true);
    const macs = new BigUint64Array(memory.buffer, OUT_FRAMES, KEYS);
    for (let i = 0; i < KEYS; i++) macs[i] = BigInt(macOf(Math.floor(random() * leases)));
    for (const mac of macs) if (fastpath.fdbLookup(mac) === 0) throw new RangeError(`no entry for MAC address ${mac}`);
    return () => fastpath.fdbLookupMany(OUT_FRAMES, KEYS);
  });
}

/** `build` makes a table of that size and returns what looks up KEYS keys in it. */
function timeInTurn(sizes: readonly number[], build: (entries: number) => () => unknown): LookupTiming[] {
  const tables = sizes.map((entries) => ({ entries, lookUp: build(entries), samples: [] as number[] }));
  for (const { lookUp } of tables) time(lookUp);
  for (let i = 0; i < RUNS; i++) for (const { lookUp, samples } of tables) samples.push(time(lookUp));
  return tables.map(({ entries, samples }) => ({ entries, nanosecondsPerLookup: median(samples) }));
}

/** Nanoseconds for each of KEYS * PASSES lookups. */
function time(lookUp: () => unknown): number {
  const start = process.hrtime.bigint();
  for (let pass = 0; pass < PASSES; pass++) lookUp();
  return Number(process.hrtime.bigint() - start) / (KEYS * PASSES);
}

interface Tables {
  readonly memory: WebAssembly.Memory;
  readonly fastpath: Fastpath;
  /** What writing them takes, median: the first two times their memory is touched for the first time. */
  readonly milliseconds: number;
}

function buildTables(size: number, vteps: boolean): Tables {
  const memory = createQueueMemory();
  const fastpath = loadFastpath(memory);
  const count = Math.min(size, MOST_PEERS);
  const prefixes = Array.from({ length: size }, (_, index) => ipv4Prefix(OVERLAY + index * 256, 24));
  const peers: SegmentPeer[] = Array.from({ length: count }, (_, index) => ({
    address: UNDERLAY + index + 1,
    socketAddress: socketAddress(UNDERLAY + index + 1, UDP_PORT),
    prefixes: everyNth(prefixes, index, count),
    vtep: vteps ? { mac: macOf(index), tunnel4: OVERLAY + index * 256, tunnel6: undefined } : undefined,
  }));
  const noSockets = { first: 0, mask: 0 };
  const writer = new TableWriter(memory, { 4: noSockets, 6: noSockets });
  const samples = Array.from({ length: BUILDS }, (_, index) => {
    const start = performance.now();
    const rejected = writer.replace([{ segment: SEGMENT, peers }]);
    if (rejected.length > 0) throw new RangeError(`${rejected.length} of ${size} entries found no room`);
    fastpath.useTables(index + 1);
    return performance.now() - start;
  });
  fastpath.enterSegment(SEGMENT);
  return { memory, fastpath, milliseconds: median(samples) };
}

function everyNth<T>(values: readonly T[], first: number, step: number): T[] {
  const found: T[] = [];
  for (let i = first; i < values.length; i += step) found.push(values[i]!);
  return found;
}

function macOf(index: number): number {
  // An odd factor: 32 bits go to 32 bits, one to one.
  return MAC_BASE + (Math.imul(index + 1, 0x9e37_79b1) >>> 0);
}
