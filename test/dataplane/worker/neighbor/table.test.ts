import test from 'ava';
import { type Neighbor, NeighborTable } from '../../../../lib/dataplane/worker/neighbor/table.ts';
import { Dice } from '../../../golden/dice.ts';

const A: Neighbor = { mac: 0x02000000000a, peer: 1, router: undefined };
const B: Neighbor = { mac: 0x02000000000b, peer: 2, router: undefined };
const ADDRESS = 0x0af40702;

test('what was learned is found, with its peer, and nothing else', (t) => {
  const table = new NeighborTable();
  t.is(table.learn(ADDRESS, A, 0), 'new');
  t.like(table.get(ADDRESS, 1), A);
  t.is(table.get(ADDRESS + 1, 1), undefined);
});

test('an IPv4 address and the IPv6 address of the same number are two', (t) => {
  const table = new NeighborTable();
  table.learn(5, A, 0);
  table.learn(5n, B, 0);
  t.is(table.get(5, 0)?.mac, A.mac);
  t.is(table.get(5n, 0)?.mac, B.mac);
});

test('an entry is forgotten 300 s after it was last heard of', (t) => {
  const table = new NeighborTable();
  table.learn(ADDRESS, A, 0);
  t.is(table.learn(ADDRESS, A, 200_000), 'refreshed');
  t.like(table.get(ADDRESS, 499_999), A);
  t.is(table.get(ADDRESS, 500_000), undefined);
  t.deepEqual(table.entries(500_000), []);
  t.is(table.learn(ADDRESS, B, 500_000), 'new', 'and then it may be anybody’s');
});

test('an address moves at most once a second, and stays where it was when a move is refused', (t) => {
  const table = new NeighborTable();
  table.learn(ADDRESS, A, 0);
  t.is(table.learn(ADDRESS, B, 1), 'moved', 'the first move is free');
  t.is(table.learn(ADDRESS, A, 1000), 'refused');
  t.is(table.get(ADDRESS, 1000)?.peer, B.peer);
  t.is(table.learn(ADDRESS, B, 1000), 'refreshed', 'the holder may go on');
  t.is(table.learn(ADDRESS, A, 1001), 'moved');
  t.is(table.get(ADDRESS, 1001)?.peer, A.peer);
});

test('another MAC address from the same peer, or the same from another, is a move', (t) => {
  const table = new NeighborTable();
  table.learn(ADDRESS, A, 0);
  t.is(table.learn(ADDRESS, { ...A, mac: B.mac }, 10), 'moved');
  t.is(table.learn(ADDRESS, { ...A, mac: B.mac, peer: 2 }, 20), 'refused');
});

test('a refused claim does not keep an entry alive', (t) => {
  const table = new NeighborTable({ ageingMs: 5000, moveIntervalMs: 60_000 });
  table.learn(ADDRESS, A, 0);
  table.learn(ADDRESS, B, 1);
  t.is(table.learn(ADDRESS, A, 4000), 'refused');
  t.is(table.get(ADDRESS, 5001), undefined);
});

test('who is a router is remembered, and asked anew of a new holder', (t) => {
  const table = new NeighborTable();
  table.learn(5n, { ...A, router: true }, 0);
  table.learn(5n, A, 10);
  t.true(table.get(5n, 10)?.router, 'a solicitation does not say');
  table.learn(5n, { ...A, router: false }, 20);
  t.false(table.get(5n, 20)?.router);
  table.learn(5n, B, 30);
  t.is(table.get(5n, 30)?.router, undefined);
});

test('a leased address is found, never ages, and cannot be learned', (t) => {
  const table = new NeighborTable();
  table.learn(ADDRESS, B, 0);
  table.setLeased(new Map([[ADDRESS, A]]));
  t.is(table.get(ADDRESS, 1)?.mac, A.mac, 'a lease wins over what was learned before it');
  t.is(table.learn(ADDRESS, B, 2), 'refused');
  t.is(table.get(ADDRESS, 1e9)?.mac, A.mac);
  table.forget(ADDRESS);
  table.forgetPeer(A.peer);
  t.is(table.get(ADDRESS, 3)?.mac, A.mac);
  table.setLeased(new Map());
  t.is(table.get(ADDRESS, 4), undefined, 'what was learned before does not come back');
  t.is(table.learn(ADDRESS, B, 5), 'new');
});

test('forgets an address, or all of a peer', (t) => {
  const table = new NeighborTable();
  table.learn(1, A, 0);
  table.learn(2, B, 0);
  table.learn(3, A, 0);
  table.learn(4n, B, 0);
  table.forget(2);
  t.is(table.get(2, 0), undefined);
  table.forgetPeer(A.peer);
  t.deepEqual(
    table.entries(0).map(({ address }) => address),
    [4n],
  );
});

test('lists leases first, then what was learned, the oldest first', (t) => {
  const table = new NeighborTable();
  table.learn(2, B, 10);
  table.learn(3, A, 20);
  table.learn(2, B, 30);
  table.setLeased(new Map([[9, { ...A, router: true }]]));
  t.deepEqual(table.entries(40), [
    { address: 9, ...A, router: true, learnedAt: undefined },
    { address: 3, ...A, learnedAt: 20 },
    { address: 2, ...B, learnedAt: 30 },
  ]);
});

test('when it is full the entry heard of longest ago makes room', (t) => {
  const table = new NeighborTable({ capacity: 3 });
  for (const address of [1, 2, 3]) table.learn(address, A, address);
  table.learn(1, A, 4);
  table.learn(4, A, 5);
  t.deepEqual(
    table.entries(5).map(({ address }) => address),
    [3, 1, 4],
  );
});

test('holds 16,384 entries and no more, and a flood of claims costs little each', (t) => {
  const table = new NeighborTable();
  for (let address = 0; address < 100_000; address++) table.learn(address, A, address / 1000);
  const entries = table.entries(100);
  t.is(entries.length, 16_384);
  t.is(entries[0]?.address, 100_000 - 16_384);
});

test('whatever happens, the newest claim that was not refused is what is found', (t) => {
  const dice = new Dice();
  const options = { capacity: 20, ageingMs: 5000, moveIntervalMs: 1000 };
  const table = new NeighborTable(options);
  const plain: { address: number | bigint; mac: number; peer: number; learnedAt: number; movedAt: number }[] = [];
  let now = 0;
  for (let round = 0; round < 5000; round++) {
    now += dice.below(300);
    const address = dice.oneIn(2) ? dice.below(30) : BigInt(dice.below(30));
    const claim: Neighbor = { mac: dice.below(3), peer: dice.below(3), router: undefined };
    const verdict = table.learn(address, claim, now);
    // The same on a plain list.
    const alive = plain.filter(({ learnedAt }) => now - learnedAt < options.ageingMs);
    const known = alive.find((entry) => entry.address === address);
    const same = known?.mac === claim.mac && known.peer === claim.peer;
    const refused = known !== undefined && !same && now - known.movedAt < options.moveIntervalMs;
    t.is(
      verdict,
      known === undefined ? 'new' : same ? 'refreshed' : refused ? 'refused' : 'moved',
      `seed ${dice.seed}`,
    );
    const rest = refused ? alive : alive.filter((entry) => entry.address !== address);
    if (!refused) {
      const movedAt = known === undefined ? Number.NEGATIVE_INFINITY : same ? known.movedAt : now;
      rest.push({ address, mac: claim.mac, peer: claim.peer, learnedAt: now, movedAt });
    }
    plain.splice(0, plain.length, ...rest.slice(-options.capacity));
    for (const { address, mac, peer } of plain) t.like(table.get(address, now), { mac, peer }, `seed ${dice.seed}`);
  }
  t.is(table.entries(now).length, plain.length);
});
