import test from 'ava';
import { parseIpv4 } from '../../../../lib/addr/ipv4.ts';
import { parsePrefix } from '../../../../lib/addr/prefix.ts';
import { NeighborTables } from '../../../../lib/dataplane/worker/neighbor/tables.ts';
import { CONFIG_TABLES_WANTED, ENCAPSULATION_VXLAN, MAX_LEARNED } from '../../../../lib/fastpath/abi.ts';
import { socketAddress } from '../../../../lib/sys/socket-address.ts';
import { Harness } from '../../../fastpath/harness.ts';

const PEER = parseIpv4('192.0.2.2')!;
const VTEP = [2, 0, 0, 0, 0, 2];

/** An ARP reply in which the VTEP's host claims address number `n` of 10.0.0.0/8. */
function claim(n: number): Uint8Array {
  const address = [10, (n >> 16) & 255, (n >> 8) & 255, n & 255];
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
