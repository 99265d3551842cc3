import test from 'ava';
import { CHECKS, type CheckName, captureFilter, checkTitle, expectedTtl } from '../../lib/capture/checks.ts';
import type { Expectation } from '../../lib/capture/expectation.ts';
import { complementSum, internetSum, pseudoHeaderSum4 } from '../../lib/wire/checksum.ts';
import { emitIpv4Header, ipv4Protocol, ipv4TotalLength, parseIpv4Header } from '../../lib/wire/ipv4.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { random } from '../random.ts';
import {
  address,
  changed,
  failed,
  IPIP_EXPECTED,
  inspect,
  OUTER_IP,
  OUTER_UDP,
  PLAIN_EXPECTED,
  UDP_FRAMES,
  VXLAN_EXPECTED,
  VXLAN_FRAMES,
} from './frames.ts';

// VXLAN, IP in IP, and no encapsulation; the udp backend is in inspect.test.ts.

const VXLAN = OUTER_UDP + 8;
const INNER_ETHERNET = VXLAN + 8;
const INNER_IP = INNER_ETHERNET + 14;

/** Each wrong frame, and the one check that has to fail on it; every check of the encapsulation has one. */
type Wrongs = readonly (readonly [check: CheckName, change: (view: DataView) => void, hint?: string])[];

function testWrongFrames(
  name: string,
  frame: Uint8Array,
  headers: readonly number[],
  expected: Expectation,
  wrongs: Wrongs,
) {
  test(`${name}: each check fails on the frame that is wrong in just that`, (t) => {
    t.deepEqual(
      failed(
        changed(frame, headers, () => {}),
        expected,
      ),
      [],
      printFrame(frame),
    );
    for (const [check, change, hint] of wrongs)
      t.deepEqual(failed(changed(frame, headers, change), expected), [check], hint ?? check);
    const tried = new Set(wrongs.map(([check]) => check));
    t.deepEqual([...tried].toSorted(), Object.keys(CHECKS[expected.wire.encapsulation]).toSorted());
  });
}

/** The frame with the inner TCP or UDP checksum that the veth left unfinished. */
function finished(frame: Uint8Array): Uint8Array {
  return changed(frame, [], (view) => {
    const field = { 6: 16, 17: 6 }[ipv4Protocol(view, INNER_IP)];
    if (field === undefined) return;
    const start = INNER_IP + 20;
    // The field holds the pseudo-header's sum.
    const sum = internetSum(view, start, INNER_IP + ipv4TotalLength(view, INNER_IP));
    view.setUint16(start + field, complementSum(sum));
  });
}

test("flanneld's kernel VXLAN frames pass every check, once what the veth left unfinished is finished", (t) => {
  const checksums = new Map<string | undefined, number>();
  for (const unfinished of VXLAN_FRAMES) {
    const frame = finished(unfinished);
    const line = printFrame(frame);
    const { failed, outerChecksum, inner, outerSource } = inspect(frame, VXLAN_EXPECTED);
    // A ping with a small TTL, and the answer of the other host's device: test/vectors/README.md.
    const others: CheckName[] = / ttl [12] id \d+ DF \| ICMP echo/.test(line) ? ['inner-ttl'] : [];
    if (line.includes('ICMP time exceeded')) others.push('inner-addresses', 'inner-ttl');
    t.deepEqual([...failed], others, line);
    checksums.set(outerChecksum, (checksums.get(outerChecksum) ?? 0) + 1);
    t.is(inner.length, 1);
    t.true((outerSource?.port ?? 0) > 1024);
  }
  // Right where the kernel worked it out from the inner one to come, offloaded around super-packets and ICMP.
  t.deepEqual(new Set(checksums.keys()), new Set(['unfinished', 'right']));
});

// Its outer checksum is partial, so it covers only the pseudo-header.
testWrongFrames('VXLAN', VXLAN_FRAMES[0]!, [OUTER_IP, INNER_IP], VXLAN_EXPECTED, [
  ['ethernet', (view) => view.setUint8(0, 0xfe)],
  ['ethernet', (view) => view.setUint8(6, 0xfe)],
  ['outer-ip', (view) => view.setUint8(OUTER_IP + 9, 4), 'IP in IP'],
  ['outer-tos', (view) => view.setUint8(OUTER_IP + 1, 0x10)],
  ['outer-ports', (view) => view.setUint16(OUTER_UDP + 2, 8472)],
  ['outer-length', (view) => view.setUint16(OUTER_UDP + 4, view.getUint16(OUTER_UDP + 4) + 1)],
  ['outer-checksum', (view) => view.setUint16(OUTER_UDP + 6, 0)],
  ['vxlan-header', (view) => view.setUint8(VXLAN, 0), 'no VNI'],
  ['vxlan-header', (view) => view.setUint8(VXLAN, 0x88), 'a reserved flag'],
  ['vxlan-header', (view) => view.setUint8(VXLAN + 1, 1), 'a reserved bit'],
  ['vxlan-header', (view) => view.setUint8(VXLAN + 6, 2), 'another VNI'],
  ['vxlan-header', (view) => view.setUint8(VXLAN + 7, 1), 'the last byte'],
  ['inner-ethernet', (view) => view.setUint8(INNER_ETHERNET + 5, 0)],
  ['inner-ethernet', (view) => view.setUint8(INNER_ETHERNET + 11, 0)],
  ['inner-ethernet', (view) => view.setUint16(INNER_ETHERNET + 12, 0x0806), 'ARP'],
  ['inner-ip', (view) => view.setUint8(INNER_IP, 0x65)],
  ['inner-addresses', (view) => view.setUint32(INNER_IP + 16, address('10.244.62.3'))],
  ['inner-ttl', (view) => view.setUint8(INNER_IP + 8, 62)],
  ['inner-checksum', (view) => view.setUint16(INNER_IP + 22, 0x1234)],
  [
    'outer-addresses',
    (view) => {
      const stranger = address('192.0.2.9');
      view.setUint32(OUTER_IP + 16, stranger);
      const sum = pseudoHeaderSum4(view.getUint32(OUTER_IP + 12), stranger, 17, view.getUint16(OUTER_UDP + 4));
      view.setUint16(OUTER_UDP + 6, sum);
    },
  ],
]);

test('VXLAN: a flow is known by protocol, addresses and ports, in each direction by itself', (t) => {
  const flows = new Set(VXLAN_FRAMES.flatMap((frame) => inspect(frame, VXLAN_EXPECTED).inner.map(({ flow }) => flow)));
  const [one, two] = [address('10.244.15.2'), address('10.244.62.2')];
  t.true(flows.has(`1 ${one} > ${two}`));
  t.true(flows.has(`1 ${two} > ${one}`));
  t.true([...flows].some((flow) => /^6 \d+:\d+ > \d+:\d+$/.test(flow)));
});

/** The echo of the udp capture, with another encapsulation, and the inner TTL that it has there. */
function reencapsulated(encapsulation: 'ipip' | 'none'): Uint8Array<ArrayBuffer> {
  const udpFrame = UDP_FRAMES[0]!;
  const inner = udpFrame.subarray(OUTER_UDP + 8);
  const start = encapsulation === 'ipip' ? OUTER_UDP : OUTER_IP;
  const frame = new Uint8Array(start + inner.length);
  frame.set(udpFrame.subarray(0, OUTER_IP));
  frame.set(inner, start);
  const view = new DataView(frame.buffer);
  if (encapsulation === 'ipip') {
    const outer = parseIpv4Header(new DataView(udpFrame.buffer), OUTER_IP);
    emitIpv4Header(view, OUTER_IP, { ...outer, protocol: 4, totalLength: frame.length - OUTER_IP });
  }
  return changed(frame, [start], (copy) => copy.setUint8(start + 8, 63));
}

const IPIP_INNER = OUTER_IP + 20;
testWrongFrames('IP in IP', reencapsulated('ipip'), [OUTER_IP, IPIP_INNER], IPIP_EXPECTED, [
  ['ethernet', (view) => view.setUint8(5, 0xfe)],
  ['outer-ip', (view) => view.setUint8(OUTER_IP + 9, 17)],
  ['outer-ip', (view) => view.setUint16(OUTER_IP + 6, 0x2000), 'a first fragment'],
  ['outer-tos', (view) => view.setUint8(OUTER_IP + 1, 1)],
  ['outer-addresses', (view) => view.setUint32(OUTER_IP + 12, address('192.0.2.9'))],
  ['inner-ip', (view) => view.setUint16(IPIP_INNER + 2, ipv4TotalLength(view, IPIP_INNER) - 8), 'does not fill'],
  ['inner-addresses', (view) => view.setUint32(IPIP_INNER + 12, address('10.244.30.3'))],
  ['inner-ttl', (view) => view.setUint8(IPIP_INNER + 8, 62)],
  ['inner-checksum', (view) => view.setUint16(IPIP_INNER + 22, 0x1234)],
]);

testWrongFrames('no encapsulation', reencapsulated('none'), [OUTER_IP], PLAIN_EXPECTED, [
  ['ethernet', (view) => view.setUint8(5, 0xfe), 'another next hop'],
  ['ethernet', (view) => view.setUint8(11, 0xfe)],
  ['inner-ip', (view) => view.setUint16(OUTER_IP + 6, 0x2000), 'a first fragment'],
  ['inner-ip', (view) => view.setUint16(12, 0x0806), 'ARP'],
  ['inner-addresses', (view) => view.setUint32(OUTER_IP + 16, address('10.244.99.3'))],
  ['inner-ttl', (view) => view.setUint8(OUTER_IP + 8, 64)],
  ['inner-checksum', (view) => view.setUint16(OUTER_IP + 22, 0x1234)],
]);

test('a frame of one encapsulation does not pass for another', (t) => {
  const samples = [
    [UDP_FRAMES[0]!, 'ip-in-udp'],
    [VXLAN_FRAMES[0]!, 'vxlan'],
    [reencapsulated('ipip'), 'ipip'],
    [reencapsulated('none'), 'none'],
  ] as const;
  for (const expected of [VXLAN_EXPECTED, IPIP_EXPECTED, PLAIN_EXPECTED])
    for (const [frame, encapsulation] of samples)
      t.is(failed(frame, expected).length === 0, expected.wire.encapsulation === encapsulation, encapsulation);
});

test('VXLAN: zeros that fill a short inner frame up to the shortest of Ethernet are no second packet', (t) => {
  const padded = (fill: number, innerLength: number) => {
    // An ACK without data: 40 bytes of IP in a frame of 54.
    const short = Uint8Array.from(VXLAN_FRAMES[0]!).subarray(0, INNER_IP + 40);
    const frame = new Uint8Array(INNER_ETHERNET + innerLength).fill(fill);
    frame.set(short);
    return changed(frame, [OUTER_IP, INNER_IP], (view) => {
      view.setUint16(OUTER_IP + 2, frame.length - OUTER_IP);
      const length = frame.length - OUTER_UDP;
      view.setUint16(OUTER_UDP + 4, length);
      view.setUint16(OUTER_UDP + 6, pseudoHeaderSum4(view.getUint32(26), view.getUint32(30), 17, length));
      view.setUint16(INNER_IP + 2, 40);
      // ICMP's sum over what is left of the echo.
      view.setUint16(INNER_IP + 22, 0);
      view.setUint16(INNER_IP + 22, complementSum(internetSum(view, INNER_IP + 20, INNER_IP + 40)));
    });
  };
  t.deepEqual(failed(padded(0, 60), VXLAN_EXPECTED), []);
  t.is(inspect(padded(0, 60), VXLAN_EXPECTED).inner.length, 1);
  t.deepEqual(failed(padded(1, 60), VXLAN_EXPECTED), ['vxlan-header'], 'no zeros');
  t.deepEqual(failed(padded(0, 64), VXLAN_EXPECTED), ['vxlan-header'], 'more than there is to be filled');
});

test('no encapsulation: a host without a device of the overlay asks pods from its own address', (t) => {
  const asks = (source: string) =>
    failed(
      changed(reencapsulated('none'), [OUTER_IP], (view) => view.setUint32(OUTER_IP + 12, address(source))),
      PLAIN_EXPECTED,
    );
  t.deepEqual(asks('192.0.2.1'), []);
  t.deepEqual(asks('192.0.2.2'), ['ethernet', 'inner-addresses'], "the receiver's own");
  t.deepEqual(asks('192.0.2.9'), ['inner-addresses']);
});

test('no truncation and no garbage throws or passes for whole', (t) => {
  const rng = random();
  const samples = [
    [VXLAN_FRAMES[0]!, VXLAN_EXPECTED],
    [reencapsulated('ipip'), IPIP_EXPECTED],
    [reencapsulated('none'), PLAIN_EXPECTED],
  ] as const;
  for (const [frame, expected] of samples) {
    for (let length = 0; length < frame.length; length++)
      t.true(failed(frame.subarray(0, length), expected).length > 0, `cut to ${length}`);
    for (let round = 0; round < 500; round++) {
      const garbage = frame.map((byte) => (rng.next(20) === 0 ? rng.next(256) : byte));
      t.notThrows(() => inspect(garbage, expected), `seed ${rng.seed}`);
    }
  }
});

test('only the udp backend lowers the TTL, as flanneld does; claims, filters and decoders know their encapsulation', (t) => {
  t.is(expectedTtl({ encapsulation: 'ip-in-udp', port: 8285 }), 62);
  for (const { wire } of [VXLAN_EXPECTED, IPIP_EXPECTED, PLAIN_EXPECTED]) t.is(expectedTtl(wire), 63);
  t.is(checkTitle('inner-ttl', VXLAN_EXPECTED.wire), 'inner ttl');
  t.is(checkTitle('inner-ttl', PLAIN_EXPECTED.wire), 'ttl');
  const plain = 'ip host 10.244.1.2 and ip host 10.244.2.2';
  t.is(captureFilter(VXLAN_EXPECTED.wire, plain), 'udp port 4789');
  t.is(captureFilter(IPIP_EXPECTED.wire, plain), 'ip proto 4');
  t.is(captureFilter(PLAIN_EXPECTED.wire, plain), plain);
});
