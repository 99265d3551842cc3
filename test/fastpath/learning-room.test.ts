/** Room for learned addresses: a flood of them in one network leaves the others theirs. */
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { SegmentRecord } from '../../lib/dataplane/main/segment-record.ts';
import { CONFIG_NOW, CONFIG_TABLES_WANTED, ENCAPSULATION_VXLAN, MAX_LEARNED } from '../../lib/fastpath/abi.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { Harness, type ReceivedMessage } from './harness.ts';

const PEER = parseIpv4('192.0.2.2')!;
/** 63 networks keep room for 64 each. */
const ROOM = MAX_LEARNED - 63 * 64;

function network(vni: number) {
  return {
    own: { ipv4: undefined, ipv6: undefined },
    tunnel4: undefined,
    tunnel6: undefined,
    ethernet: { vni, family: 4, mac: 0x02_00_00_00_00_01, learning: true },
    onDeviceLost: () => undefined,
  } as const;
}

function learningHost(): Harness {
  const harness = new Harness({
    own4: '10.244.1.0/24',
    encapsulation: ENCAPSULATION_VXLAN,
    ethernet: network(1).ethernet,
    peers: [],
  });
  new SegmentRecord(harness.memory, 2, network(2));
  const peer = { address: PEER, socketAddress: socketAddress(PEER, 4789), prefixes: [], vtep: undefined };
  harness.tables.replace([1, 2].map((segment) => ({ segment, peers: [peer] })));
  harness.fastpath.useTables(harness.words[CONFIG_TABLES_WANTED / 4]!);
  return harness;
}

/** A frame from each of `count` addresses in a network. */
function flood(harness: Harness, vni: number, count: number): void {
  const messages = Array.from({ length: count }, (_, n): ReceivedMessage => {
    const source = [2, 0x99, 0, n >> 16, (n >> 8) & 255, n & 255];
    const frame = [2, 0, 0, 0, 0, 1, ...source, 0x88, 0xb5, ...new Array<number>(46).fill(0)];
    return { outerSource: PEER, bytes: Uint8Array.from([8, 0, 0, 0, 0, 0, vni, 0, ...frame]) };
  });
  harness.inbound(messages, 64);
}

function learned(harness: Harness, segment: number, count: number): number {
  harness.fastpath.enterSegment(segment);
  let found = 0;
  for (let n = 0; n < count; n++) if (harness.fastpath.fdbLookup(0x02_99_00_00_00_00n + BigInt(n)) !== 0) found++;
  return found;
}

test('a network that fills the table leaves 64 addresses to each other one', (t) => {
  const harness = learningHost();
  flood(harness, 1, MAX_LEARNED);
  t.is(learned(harness, 1, MAX_LEARNED), ROOM + 64);
  flood(harness, 2, 100);
  t.is(learned(harness, 2, 100), 64);
});

test('room that ages away, or ends with its network, is there again', (t) => {
  for (const clear of ['age', 'forget']) {
    const harness = learningHost();
    flood(harness, 1, MAX_LEARNED);
    flood(harness, 2, 10);
    if (clear === 'age') {
      harness.words[CONFIG_NOW / 4] = 301;
      harness.fastpath.fdbSweep();
    } else {
      harness.fastpath.enterSegment(1);
      harness.fastpath.fdbForget();
    }
    flood(harness, 2, MAX_LEARNED);
    t.is(learned(harness, 2, MAX_LEARNED), ROOM + 64, clear);
    t.is(learned(harness, 1, MAX_LEARNED), 0, clear);
  }
});
