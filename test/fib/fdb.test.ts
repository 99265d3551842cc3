import test from 'ava';
import { TableWriter } from '../../lib/dataplane/main/tables.ts';
import { MAX_PEERS } from '../../lib/fastpath/abi.ts';
import { createQueueMemory, loadFastpath } from '../../lib/fastpath/load.ts';
import { buildFdb, fdbBucketsFor, fdbHash } from '../../lib/fib/fdb.ts';
import { FDB_BUCKET_SLOTS } from '../../lib/fib/layout.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { random } from '../random.ts';

const NO_SOCKETS = { first: 0, mask: 0 };

/** Tables with one VTEP for each MAC address of each segment. */
function fastpathWith(segments: readonly (readonly number[])[]) {
  const memory = createQueueMemory();
  const fastpath = loadFastpath(memory);
  const writer = new TableWriter(memory, { 4: NO_SOCKETS, 6: NO_SOCKETS });
  writer.replace(
    segments.map((macs, index) => ({
      segment: index + 1,
      peers: macs.map((mac, i) => ({
        address: i + 1,
        socketAddress: socketAddress(i + 1, 4789),
        prefixes: [],
        vtep: { mac, tunnel4: undefined, tunnel6: undefined },
      })),
    })),
  );
  fastpath.useTables(1);
  return { fastpath, writer };
}

for (const size of [0, 1, 2, 4, 5, 63, 1000, MAX_PEERS])
  test(`${size} leased addresses are found, each with its peer, and no other`, (t) => {
    const { next, seed } = random();
    const macs = [...new Set(Array.from({ length: size }, () => 0x02_00_00_00_00_00 + next(2 ** 31) * 37))];
    const { fastpath, writer } = fastpathWith([macs]);
    fastpath.enterSegment(1);
    const numbers = new Map(writer.peersOf(1).map(({ number, peer }) => [peer.vtep!.mac, number]));
    t.is(numbers.size, macs.length);
    t.true(
      macs.every((mac) => fastpath.fdbLookup(BigInt(mac)) === numbers.get(mac)),
      `seed ${seed}`,
    );
    for (let i = 0; i < 2000; i++) {
      const mac = 0x06_00_00_00_00_00 + next(2 ** 31);
      t.is(fastpath.fdbLookup(BigInt(mac)), 0, `seed ${seed}`);
    }
  });

test('addresses that all begin in one bucket are found', (t) => {
  const macs: number[] = [];
  for (let mac = 0x02_00_00_00_00_00; macs.length < 40; mac++) if ((fdbHash(mac) & 31) === 31) macs.push(mac);
  const slots = new BigUint64Array(fdbBucketsFor(macs.length) * FDB_BUCKET_SLOTS);
  buildFdb(
    slots,
    macs.map((mac, i) => ({ mac, peer: i + 1 })),
  );
  t.is(slots.filter((slot) => slot !== 0n).length, 40);
  const { fastpath, writer } = fastpathWith([macs]);
  fastpath.enterSegment(1);
  for (const { number, peer } of writer.peersOf(1)) t.is(fastpath.fdbLookup(BigInt(peer.vtep!.mac)), number);
  t.is(fastpath.fdbLookup(0x02_ff_00_00_00_00n), 0);
});

test('one address may be leased in several networks, to different peers', (t) => {
  const { fastpath, writer } = fastpathWith([[0x02_00_00_00_00_01], [0x02_00_00_00_00_02, 0x02_00_00_00_00_01], []]);
  const found = [1, 2, 3].map((segment) => {
    fastpath.enterSegment(segment);
    return fastpath.fdbLookup(0x02_00_00_00_00_01n);
  });
  t.is(found[0], writer.peersOf(1)[0]!.number);
  t.is(found[1], writer.peersOf(2)[1]!.number);
  t.not(found[0], found[1]);
  t.is(found[2], 0);
});

test('of two leases with one address the first has it', (t) => {
  const slots = new BigUint64Array(FDB_BUCKET_SLOTS);
  buildFdb(slots, [
    { mac: 2, peer: 7 },
    { mac: 2, peer: 8 },
  ]);
  t.deepEqual([...slots], [(2n << 16n) | 7n, 0n, 0n, 0n]);
});
