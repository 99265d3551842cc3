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
function fromPod(host: Harness, vtep: HarnessPeer): void {
  const frame = [2, 0, 0, 0, 0, 1, ...POD, 0x88, 0xb5, ...Array.from({ length: 46 }, () => 0)];
  const bytes = Uint8Array.from([8, 0, 0, 0, 0, 0, 1, 0, ...frame]);
  host.inbound([{ outerSource: vtep.publicIp, bytes }]);
}

const podPeer = (host: Harness): number => {
  host.fastpath.enterSegment(SEGMENT);
  return host.fastpath.fdbLookup(0x02_00_00_00_00_99n);
};
const numbers = (host: Harness): number[] => host.tables.peersOf(SEGMENT).map(({ number }) => number);

test('what was learned from a peer ends with its lease, before its number is given to another', (t) => {
  const host = harness([FIRST, SECOND]);
  fromPod(host, SECOND);
  t.is(podPeer(host), numbers(host)[1]!);
  host.setPeers([FIRST]);
  t.is(podPeer(host), 0);
  t.deepEqual(
    host.record.fdb(host.tables).map(({ origin }) => origin),
    ['lease'],
  );
});

test('a peer that keeps its lease keeps what was learned from it', (t) => {
  const host = harness([FIRST, SECOND]);
  fromPod(host, SECOND);
  host.setPeers([SECOND]);
  t.is(podPeer(host), numbers(host)[0]!);
});

test('what was learned from a peer is not inherited by the next with its number', (t) => {
  const host = harness([FIRST, SECOND]);
  fromPod(host, SECOND);
  const [, number] = numbers(host);
  host.setPeers([FIRST]);
  host.setPeers([FIRST, peer('192.0.2.4', 4)]);
  t.is(numbers(host)[1], number);
  t.is(podPeer(host), 0);
});

test('an address that moves after its VTEP went is no move to be counted', (t) => {
  const host = harness([FIRST, SECOND]);
  fromPod(host, SECOND);
  host.setPeers([FIRST]);
  fromPod(host, FIRST);
  t.is(podPeer(host), numbers(host)[0]!);
  t.deepEqual(
    host.record.fdb(host.tables).map(({ origin, moves }) => [origin, moves]),
    [
      ['lease', 0],
      ['learned', 0],
    ],
  );
});

test('one peer given twice takes one number', (t) => {
  const host = harness([FIRST, FIRST]);
  host.setPeers([FIRST, SECOND]);
  t.deepEqual(numbers(host), [1, 2]);
});
