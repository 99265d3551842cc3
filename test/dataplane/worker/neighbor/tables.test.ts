import test from 'ava';
import { parseIpv4 } from '../../../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../../../lib/addr/ipv6.ts';
import { parsePrefix } from '../../../../lib/addr/prefix.ts';
import { NeighborTables } from '../../../../lib/dataplane/worker/neighbor/tables.ts';
import { CONFIG_TABLES_WANTED, ENCAPSULATION_VXLAN, MAX_LEARNED } from '../../../../lib/fastpath/abi.ts';
import { socketAddress } from '../../../../lib/sys/socket-address.ts';
import { Harness, SEGMENT } from '../../../fastpath/harness.ts';
import { finishTransport } from '../../../golden/checksum.ts';

const PEER = parseIpv4('192.0.2.2')!;
const VTEP = [2, 0, 0, 0, 0, 2];

/** An ARP reply in which the VTEP's host claims address number `n` of 10.0.0.0/8. */
function claim(n: number): Uint8Array {
  return claimOf([10, (n >> 16) & 255, (n >> 8) & 255, n & 255]);
}

function claimOf(address: readonly number[]): Uint8Array {
  const ethernet = [2, 0, 0, 0, 0, 1, ...VTEP, 8, 6];
  const reply = [0, 1, 8, 0, 6, 4, 0, 2, ...VTEP, ...address, 2, 0, 0, 0, 0, 1, 10, 255, 0, 1];
  return Uint8Array.from([...ethernet, ...reply]);
}

test('all networks together remember so many neighbours; the one with the most forgets first', (t) => {
  const harness = new Harness({ own4: '10.244.1.0/24', encapsulation: ENCAPSULATION_VXLAN, peers: [] });
  const vtep = { mac: 0x02_00_00_00_00_02, tunnel4: undefined, tunnel6: undefined };
  const peer = {
    address: PEER,
    socketAddress: socketAddress(PEER, 4789),
    prefixes: [parsePrefix('10.244.2.0/24')!],
    vtep,
  };
  harness.tables.replace([1, 2, 3].map((segment) => ({ segment, peers: [peer] })));
  harness.fastpath.useTables(harness.words[CONFIG_TABLES_WANTED / 4]!);
  const tables = new NeighborTables(harness.fastpath, harness.memory);
  const count = (segment: number) => tables.list(3).filter((entry) => entry.segment === segment).length;
  for (let n = 0; n < 10; n++) tables.learn(1, claim(n), 1);
  for (let n = 0; n < MAX_LEARNED; n++) tables.learn(2, claim(n), 2);
  t.deepEqual([count(1), count(2)], [10, MAX_LEARNED - 10]);
  t.false(
    tables.list(3).some(({ segment, address }) => segment === 2 && address === '10.0.0.9'),
    'the oldest',
  );
  t.true(tables.list(3).some(({ segment, address }) => segment === 2 && address === '10.0.0.10'));
  for (let n = 0; n < 100; n++) tables.learn(3, claim(n), 3);
  t.deepEqual([count(1), count(2), count(3)], [10, MAX_LEARNED - 110, 100]);
});

/** A neighbour advertisement (RFC 4861 §4.4) in which the VTEP's host claims `target`. */
function advertisement(target: readonly number[]): Uint8Array {
  const all = [0xff, 2, ...new Uint8Array(13), 1];
  const icmp = [136, 0, 0, 0, 0x20, 0, 0, 0, ...target, 2, 1, ...VTEP];
  const packet = Uint8Array.from([0x60, 0, 0, 0, 0, icmp.length, 58, 255, ...target, ...all, ...icmp]);
  finishTransport(packet, 58, 40, 2);
  return Uint8Array.from([0x33, 0x33, 0, 0, 0, 1, ...VTEP, 0x86, 0xdd, ...packet]);
}

const bytes6 = (last: number, subnet: number) => [0xfd, 0, 0, 0, 0, 0, 0, subnet, ...new Uint8Array(7), last];

test('no claim is learned for the address of our own VTEP, nor for one that a lease has: they win (H13)', (t) => {
  const vtep = { mac: 0x02_00_00_00_00_02, tunnel4: parseIpv4('10.244.2.0')!, tunnel6: parseIpv6('fd00:0:0:2::')! };
  const other = { ...vtep, mac: 0x02_00_00_00_00_03, tunnel4: parseIpv4('10.244.3.0')!, tunnel6: undefined };
  const peers = [
    { publicIp: PEER, prefixes: ['10.244.2.0/24', 'fd00:0:0:2::/64'], vtep },
    { publicIp: PEER + 1, prefixes: ['10.244.3.0/24'], vtep: other },
  ];
  const harness = new Harness({
    own4: '10.244.1.0/24',
    own6: 'fd00:0:0:1::/64',
    encapsulation: ENCAPSULATION_VXLAN,
    ethernet: { vni: 1, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
    peers,
  });
  const tables = new NeighborTables(harness.fastpath, harness.memory);
  for (const [subnet, last] of [
    [1, 0],
    [3, 0],
    [1, 9],
  ] as const)
    tables.learn(SEGMENT, claimOf([10, 244, subnet, last]), 1);
  for (const [last, subnet] of [
    [0, 1],
    [0, 2],
    [9, 1],
  ] as const)
    tables.learn(SEGMENT, advertisement(bytes6(last, subnet)), 1);
  const learned = tables.list(2).map(({ address }) => address);
  t.deepEqual(learned.toSorted(), ['10.244.1.9', 'fd00:0:0:1::9'], 'other addresses of our subnet may be anywhere');
});

test('what was learned is not listed any more once a lease has the address (H13)', (t) => {
  const vtep = { mac: 0x02_00_00_00_00_02, tunnel4: undefined, tunnel6: undefined };
  const peer = { address: PEER, socketAddress: socketAddress(PEER, 4789), prefixes: [parsePrefix('10.244.2.0/24')!] };
  const harness = new Harness({ own4: '10.244.1.0/24', encapsulation: ENCAPSULATION_VXLAN, peers: [] });
  const replace = (tunnel4: number | undefined): void => {
    harness.tables.replace([{ segment: SEGMENT, peers: [{ ...peer, vtep: { ...vtep, tunnel4 } }] }]);
    harness.fastpath.useTables(harness.words[CONFIG_TABLES_WANTED / 4]!);
  };
  replace(undefined);
  const tables = new NeighborTables(harness.fastpath, harness.memory);
  tables.learn(SEGMENT, claimOf([10, 244, 2, 0]), 1);
  t.is(tables.list(2).length, 1);
  replace(parseIpv4('10.244.2.0')!);
  t.is(tables.list(2).length, 0);
});
