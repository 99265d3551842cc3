import test from 'ava';
import { fillIcmpChecksum } from '../../lib/wire/icmp.ts';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { IPV6_HEADER } from '../../lib/wire/layout/ipv6.ts';
import { NDP_ADVERTISEMENT, NDP_SOLICITATION } from '../../lib/wire/layout/ndp.ts';
import { checkNdp, checkNdpPacket, emitNdp, formatNdp, type NdpMessage, parseNdp } from '../../lib/wire/ndp.ts';
import { printFrame } from '../../lib/wire/print.ts';
import type { WireProblem } from '../../lib/wire/problem.ts';
import { readVector } from '../capture/vectors.ts';
import { slowPseudoSum } from '../golden/checksum.ts';
import { concat, hex, toHex, viewOf } from './bytes.ts';

const frames = readVector('neighbors/linux').packets.map(({ bytes }) => bytes);
/** Frame `number` of the capture as tshark counts, from its IPv6 header. */
const packet = (number: number) => frames[number - 1]!.slice(ETHERNET_HEADER);
const messageOf = (bytes: Uint8Array) => bytes.subarray(IPV6_HEADER);

const TARGET = 0xfd00_0244_0000_0007_0000_0000_0000_0002n;
const NO_FLAGS = { router: false, solicited: false, override: false };

const EXAMPLES: readonly (readonly [name: string, number: number, message: NdpMessage, line: string])[] = [
  [
    'a solicitation',
    11,
    { type: NDP_SOLICITATION, ...NO_FLAGS, target: TARGET, mac: 0x02000000000a },
    'ICMPv6 neighbor solicitation for fd00:244:0:7::2 from 02:00:00:00:00:0a',
  ],
  [
    'the advertisement of a router that answers it',
    12,
    { type: NDP_ADVERTISEMENT, router: true, solicited: true, override: true, target: TARGET, mac: 0x02000000000b },
    'ICMPv6 neighbor advertisement fd00:244:0:7::2 is at 02:00:00:00:00:0b router solicited override',
  ],
  [
    'an advertisement without the MAC address, to one who has it already',
    21,
    { type: NDP_ADVERTISEMENT, router: true, solicited: true, override: false, target: TARGET, mac: undefined },
    'ICMPv6 neighbor advertisement fd00:244:0:7::2 router solicited',
  ],
];

for (const [name, number, message, line] of EXAMPLES) {
  test(`NDP: parses ${name}, as Linux sent it`, (t) => {
    const bytes = packet(number);
    t.is(checkNdpPacket(viewOf(bytes), 0, bytes.length), undefined);
    t.deepEqual(parseNdp(viewOf(bytes), IPV6_HEADER, bytes.length), message);
    t.is(formatNdp(message), line);
  });

  test(`NDP: emits ${name} byte for byte, and touches nothing else`, (t) => {
    const wanted = messageOf(packet(number));
    const target = new Uint8Array(3 + wanted.length + 3).fill(0xa5);
    t.is(emitNdp(viewOf(target), 3, message), wanted.length);
    t.is(toHex(target.subarray(5, 7)), '00 00', 'the checksum comes later');
    fillIcmpChecksum(viewOf(target), 3, 3 + wanted.length, slowPseudoSum(packet(number), 58, wanted.length));
    t.is(toHex(target), toHex(concat(hex('a5a5a5'), wanted, hex('a5a5a5'))));
  });

  test(`NDP: finds every truncation of ${name}`, (t) => {
    const message = messageOf(packet(number));
    for (let length = 0; length < message.length; length++) {
      // What has lost all its options is a message still.
      const wanted = length === 24 ? undefined : 'truncated';
      t.is(checkNdp(viewOf(message), 0, length), wanted, `cut to ${length} bytes`);
    }
    const whole = packet(number);
    for (let length = 0; length < whole.length; length++)
      t.is(checkNdpPacket(viewOf(whole), 0, length), 'truncated', `cut to ${length} bytes`);
  });
}

test('NDP: every solicitation and advertisement in the capture is valid, and printed as one', (t) => {
  const lines = frames.map((frame) => printFrame(frame)).filter((line) => line.includes('ICMPv6 neighbor'));
  t.is(lines.length, 15);
  const valid = frames.filter((frame) => checkNdpPacket(viewOf(frame), ETHERNET_HEADER, frame.length) === undefined);
  t.deepEqual(
    valid.map((frame) => printFrame(frame)),
    lines,
  );
});

test('NDP: reads a probe of Linux, which holds a nonce and no MAC address', (t) => {
  const probe = packet(5);
  t.is(probe[IPV6_HEADER + 24], 14, 'the option is a nonce');
  t.is(parseNdp(viewOf(probe), IPV6_HEADER, probe.length).mac, undefined);
});

/** The solicitation with bytes changed, and its checksum right again. */
function changed(number: number, change: (bytes: Uint8Array) => Uint8Array | undefined): Uint8Array {
  const before = packet(number);
  const bytes = change(before) ?? before;
  fillIcmpChecksum(
    viewOf(bytes),
    IPV6_HEADER,
    bytes.length,
    slowPseudoSum(bytes, bytes[6]!, bytes.length - IPV6_HEADER),
  );
  return bytes;
}
const set = (at: number, byte: number) => (bytes: Uint8Array) => bytes.with(at, byte);

const REFUSED: readonly (readonly [name: string, bytes: Uint8Array, problem: WireProblem])[] = [
  ['a hop limit of 254: it has crossed a router', changed(11, set(7, 254)), 'bad-hop-limit'],
  ['another ICMPv6 type', changed(11, set(IPV6_HEADER, 133)), 'wrong-type'],
  ['a code that is not 0', changed(11, set(IPV6_HEADER + 1, 1)), 'wrong-type'],
  ['a packet that is not ICMPv6', changed(11, set(6, 17)), 'wrong-type'],
  ['an option of length 0', changed(11, set(IPV6_HEADER + 25, 0)), 'bad-length'],
  ['an option longer than the message', changed(11, set(IPV6_HEADER + 25, 2)), 'truncated'],
  ['a multicast target', changed(11, set(IPV6_HEADER + 8, 0xff)), 'bad-address'],
  ['a solicited advertisement to many', changed(12, set(24, 0xff)), 'bad-address'],
  ['a probe that tells a MAC address', changed(5, set(IPV6_HEADER + 24, 1)), 'bad-address'],
  ['a probe to a single host', changed(5, set(24, 0xfd)), 'bad-address'],
  ['version 4', packet(11).with(0, 0x45), 'wrong-version'],
  ['a wrong checksum', packet(11).with(IPV6_HEADER + 3, 0), 'bad-checksum'],
  ['a wrong bit in the target', packet(12).with(IPV6_HEADER + 23, 3), 'bad-checksum'],
];

for (const [name, bytes, problem] of REFUSED)
  test(`NDP: refuses ${name}`, (t) => t.is(checkNdpPacket(viewOf(bytes), 0, bytes.length), problem));

test('NDP: takes an unsolicited advertisement to all, and padding behind the packet', (t) => {
  const padded = concat(packet(27), new Uint8Array(9));
  t.is(checkNdpPacket(viewOf(padded), 0, padded.length), undefined);
});

test('NDP: passes over options it does not know, and takes the first of its own', (t) => {
  const mac = (type: number, last: string) => hex(`0${type} 01 0200000000${last}`);
  const options = concat(hex('0e02'), new Uint8Array(14), mac(2, '11'), mac(1, '22'), mac(1, '33'));
  const message = concat(messageOf(packet(11)).subarray(0, 24), options);
  t.is(checkNdp(viewOf(message), 0, message.length), undefined);
  t.is(parseNdp(viewOf(message), 0, message.length).mac, 0x020000000022);
});

test('NDP: an address option of another length is no MAC address', (t) => {
  const message = concat(messageOf(packet(11)).subarray(0, 24), hex('0102'), new Uint8Array(14));
  t.is(parseNdp(viewOf(message), 0, message.length).mac, undefined);
});
