/** How long a route lookup of the packet kernels takes, by the number of routes. */
import { ipv4Prefix } from '../addr/prefix.ts';
import type { SegmentPeer } from '../dataplane/segment.ts';
import { TableWriter } from '../dataplane/tables.ts';
import { OUT_FRAMES } from '../fastpath/abi.ts';
import { createQueueMemory, loadPacketKernels } from '../fastpath/load.ts';
import { socketAddress } from '../sys/udp-socket.ts';
import { median } from './statistics.ts';

export interface FibTiming {
  readonly routes: number;
  /** Median over the repetitions. */
  readonly nanosecondsPerLookup: number;
}

const ADDRESSES = 4096;
/** Lookups per timed run: ADDRESSES times this, about 2 ms. */
const PASSES = 64;
const RUNS = 25;
const OVERLAY = 0x0a000000; // 10.0.0.0, one /24 a node
const UNDERLAY = 0xc0000000;
const UDP_PORT = 8285;
const SEGMENT = 1;

/**
 * Times lookups of random overlay addresses that have a route, one /24 and one peer each, in tables of the given sizes
 * (1..16,000). All tables are timed in turn, RUNS times, so that a change in the machine's speed meets all. `random` gives
 * numbers in [0, 1).
 */
export function timeFibLookups(routeCounts: readonly number[], random: () => number): FibTiming[] {
  const tables = routeCounts.map((routes) => ({ routes, run: buildTable(routes, random), samples: [] as number[] }));
  for (const table of tables) table.run();
  for (let i = 0; i < RUNS; i++) for (const table of tables) table.samples.push(table.run());
  return tables.map(({ routes, samples }) => ({ routes, nanosecondsPerLookup: median(samples) }));
}

/** Returns a function that does ADDRESSES * PASSES lookups and returns the nanoseconds each took. */
function buildTable(routes: number, random: () => number): () => number {
  const memory = createQueueMemory();
  const kernels = loadPacketKernels(memory);
  const peers: SegmentPeer[] = Array.from({ length: routes }, (_, index) => ({
    address: UNDERLAY + index + 1,
    socketAddress: socketAddress(UNDERLAY + index + 1, UDP_PORT),
    prefixes: [ipv4Prefix(OVERLAY + index * 256, 24)],
    vtep: undefined,
  }));
  const noSockets = { first: 0, mask: 0 };
  const writer = new TableWriter(memory, { 4: noSockets, 6: noSockets });
  const rejected = writer.replace([{ segment: SEGMENT, peers }]);
  if (rejected.length > 0) throw new RangeError(`${rejected.length} of ${routes} routes found no room`);
  kernels.useTables(1);
  kernels.enterSegment(SEGMENT);
  const addresses = new Uint32Array(memory.buffer, OUT_FRAMES, ADDRESSES);
  for (let i = 0; i < ADDRESSES; i++) addresses[i] = OVERLAY + Math.floor(random() * routes * 256);
  for (const address of addresses) {
    if (kernels.lookup4(address) === 0) throw new RangeError(`no route for address ${address}`);
  }
  return () => {
    const start = process.hrtime.bigint();
    for (let pass = 0; pass < PASSES; pass++) kernels.lookupMany4(OUT_FRAMES, ADDRESSES);
    return Number(process.hrtime.bigint() - start) / (ADDRESSES * PASSES);
  };
}
