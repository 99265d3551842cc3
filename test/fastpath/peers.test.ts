/** Peers that come, go and come twice: whose number is whose, and what was learned for those that went. */
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { ENCAPSULATION_VXLAN } from '../../lib/fastpath/abi.ts';
import { Harness, type HarnessPeer, SEGMENT } from './harness.ts';

const FIRST: HarnessPeer = peer('192.0.2.2', 2);
const SECOND: HarnessPeer = peer('192.0.2.3', 3);
const POD = [2, 0, 0, 0, 0, 0x99];

function peer(publicIp: string, n: number): HarnessPeer {
  const vtep = { mac: 0x02_00_00_00_00_00 + n, tunnel4: undefined, tunnel6: undefined };
  return { publicIp: parseIpv4(publicIp)!, prefixes: [`10.244.${n}.0/24`], vtep };
}

function harness(peers: readonly HarnessPeer[]): Harness {
  const ethernet = { vni: 1, family: 4, mac: 0x02_00_00_00_00_01, learning: true } as const;
  return new Harness({ own4: '10.244.1.0/24', encapsulation: ENCAPSULATION_VXLAN, ethernet, peers });
}

/** A frame of the local experimental type 0x88b5 from the pod behind a VTEP. */
function fromPod(bed: Harness, vtep: HarnessPeer): void {
  const frame = [2, 0, 0, 0, 0, 1, ...POD, 0x88, 0xb5, ...Array.from({ length: 46 }, () => 0)];
  const bytes = Uint8Array.from([8, 0, 0, 0, 0, 0, 1, 0, ...frame]);
  bed.inbound([{ outerSource: vtep.publicIp, bytes }]);
}

const podPeer = (bed: Harness): number => {
  bed.fastpath.enterSegment(SEGMENT);
  return bed.fastpath.fdbLookup(0x02_00_00_00_00_99n);
};
const numbers = (bed: Harness): number[] => bed.tables.peersOf(SEGMENT).map(({ number }) => number);

test('what was learned from a peer ends with its lease, before its number is given to another', (t) => {
  const bed = harness([FIRST, SECOND]);
  fromPod(bed, SECOND);
  t.is(podPeer(bed), numbers(bed)[1]!);
  bed.setPeers([FIRST]);
  t.is(podPeer(bed), 0);
  t.deepEqual(
    bed.record.fdb(bed.tables).map(({ origin }) => origin),
    ['lease'],
  );
});

test('a peer that keeps its lease keeps what was learned from it', (t) => {
  const bed = harness([FIRST, SECOND]);
  fromPod(bed, SECOND);
  bed.setPeers([SECOND]);
  t.is(podPeer(bed), numbers(bed)[0]!);
});

test('what was learned from a peer is not inherited by the next with its number', (t) => {
  const bed = harness([FIRST, SECOND]);
  fromPod(bed, SECOND);
  const [, number] = numbers(bed);
  bed.setPeers([FIRST]);
  bed.setPeers([FIRST, peer('192.0.2.4', 4)]);
  t.is(numbers(bed)[1], number);
  t.is(podPeer(bed), 0);
});

test('an address that moves after its VTEP went is no move to be counted', (t) => {
  const bed = harness([FIRST, SECOND]);
  fromPod(bed, SECOND);
  bed.setPeers([FIRST]);
  fromPod(bed, FIRST);
  t.is(podPeer(bed), numbers(bed)[0]!);
  t.deepEqual(
    bed.record.fdb(bed.tables).map(({ origin, moves }) => [origin, moves]),
    [
      ['lease', 0],
      ['learned', 0],
    ],
  );
});

test('one peer told twice takes one number', (t) => {
  const bed = harness([FIRST, FIRST]);
  bed.setPeers([FIRST, SECOND]);
  t.deepEqual(numbers(bed), [1, 2]);
});
