// Linux's own questions (test/vectors/neighbors) must get the answers Linux gave; hostile ones must get none.
import test from 'ava';
import {
  answer,
  type KnownNeighbor,
  type NeighborLookup,
  snoop,
} from '../../../../lib/dataplane/worker/neighbor/answer.ts';
import { checkNdpPacket } from '../../../../lib/wire/ndp.ts';
import { printFrame } from '../../../../lib/wire/print.ts';
import { readVector } from '../../../capture/vectors.ts';
import { finishTransport } from '../../../golden/checksum.ts';
import { Dice } from '../../../golden/dice.ts';
import { concat, hex, toHex, viewOf } from '../../../wire/bytes.ts';

const frames = readVector('neighbors/linux').packets.map(({ bytes }) => bytes);
/** Frame `number` of the capture, as tshark counts. */
const captured = (number: number) => frames[number - 1]!.slice();

const A_MAC = 0x02000000000a;
const B_MAC = 0x02000000000b;
const A4 = 0x0af40701;
const B4 = 0x0af40702;
const A6 = 0xfd00_0244_0000_0007_0000_0000_0000_0001n;
const B6 = A6 + 1n;
const B_LINK_LOCAL = 0xfe80_0000_0000_0000_0000_00ff_fe00_000bn;
const SERVER: KnownNeighbor = { mac: B_MAC, router: true };

/** A table that knows these addresses. */
const knows =
  (...addresses: (number | bigint)[]): NeighborLookup =>
  (address) =>
    addresses.includes(address) ? SERVER : undefined;
const everything: NeighborLookup = () => ({ mac: 0x020000000099, router: false });
const nothing: NeighborLookup = () => undefined;

const ARP_QUESTION = captured(9);
const SOLICITATION = captured(11);

test('a question is answered as Linux answered it, byte for byte', (t) => {
  t.is(toHex(answer(ARP_QUESTION, knows(B4)) as Uint8Array), toHex(captured(10)));
  t.is(toHex(answer(SOLICITATION, knows(B6)) as Uint8Array), toHex(captured(12)));
});

test('a host that is no router is advertised as none', (t) => {
  const advertisement = answer(SOLICITATION, () => ({ mac: B_MAC, router: false })) as Uint8Array;
  t.regex(printFrame(advertisement), /is at 02:00:00:00:00:0b solicited override$/);
  t.is(checkNdpPacket(viewOf(advertisement), 14, advertisement.length), undefined);
});

// What is to be done with each frame of the capture, when every address is known, and what it teaches.
const LESSONS: readonly (readonly [answered: boolean, lesson: string])[] = [
  [false, '10.244.7.2 announced by b'],
  [false, ''],
  [false, ''],
  [false, ''],
  [false, ''],
  [false, 'b’s link-local address, a router'],
  [false, ''],
  [false, 'b, a router'],
  [true, '10.244.7.1 is a'],
  [false, '10.244.7.2 is b'],
  [true, 'a'],
  [false, 'b, a router'],
  [false, ''],
  [false, ''],
  [true, '10.244.7.1 is a'],
  [true, 'a'],
  [true, '10.244.7.1 is a'],
  [false, '10.244.7.1 is a, asking b alone'],
  [false, '10.244.7.2 is b'],
  [false, 'a’s link-local address, asking b alone'],
  [false, ''],
  [true, '10.244.7.1 is a'],
  [true, 'a'],
  [false, ''],
  [true, 'a'],
  [false, ''],
  [false, 'b, a router'],
];

test('of everything Linux said, only questions to all are answered', (t) => {
  t.is(frames.length, LESSONS.length);
  for (const [index, frame] of frames.entries()) {
    const verdict = answer(frame, everything);
    t.is(
      verdict instanceof Uint8Array ? 'answered' : verdict,
      LESSONS[index]![0] ? 'answered' : 'flood',
      `${index + 1}`,
    );
  }
});

test('of everything Linux said, requests, replies, announcements and advertisements teach', (t) => {
  for (const [index, frame] of frames.entries()) {
    const lesson = LESSONS[index]![1];
    const claim = snoop(frame);
    const name = `${index + 1}: ${lesson}`;
    t.is(claim !== undefined, lesson !== '', name);
    if (claim === undefined) continue;
    const byB = /\bb\b/.test(lesson) && !lesson.includes('asking');
    t.is(claim.mac, byB ? B_MAC : A_MAC, name);
    const linkLocal = byB ? B_LINK_LOCAL : B_LINK_LOCAL - 1n;
    const six = lesson.includes('link-local') ? linkLocal : byB ? B6 : A6;
    t.is(claim.address, lesson.startsWith('10.') ? (byB ? B4 : A4) : six, name);
    t.is(claim.router, lesson.includes('router') ? true : undefined, name);
  }
});

test('an advertisement without the MAC address teaches nothing', (t) => t.is(snoop(captured(21)), undefined));

/** Changes bytes, then makes the ICMPv6 checksum right again. */
function reSummed(frame: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  change(frame);
  const packet = frame.slice(14);
  finishTransport(packet, 58, 40, 2);
  return concat(frame.subarray(0, 14), packet);
}
const setByte = (at: number, byte: number) => (bytes: Uint8Array) => bytes.set([byte], at);
const withTag = (frame: Uint8Array, tag: string) => concat(frame.subarray(0, 12), hex(tag), frame.subarray(12));
const arp = (at: number, ...bytes: number[]) => {
  const frame = ARP_QUESTION.slice();
  frame.set(bytes, 14 + at);
  return frame;
};
const SENDER_ADDRESS = 14;
const TARGET_ADDRESS = 24;
const both = (frame: Uint8Array, mac: string) => {
  frame.set(hex(mac), 6);
  frame.set(hex(mac), 14 + 8);
  return frame;
};

const FLOODED: readonly (readonly [name: string, frame: Uint8Array, lookup: NeighborLookup])[] = [
  ['an ARP request for an unknown address', ARP_QUESTION, knows(B4 + 1)],
  ['a solicitation for an unknown address', SOLICITATION, nothing],
  ['an IPv6 question while only an IPv4 address is known', SOLICITATION, knows(B4)],
  ['an ARP probe for a duplicate, RFC 5227', arp(SENDER_ADDRESS, 0, 0, 0, 0), everything],
  ['an ARP request in which a host asks for its own address', arp(TARGET_ADDRESS, 10, 244, 7, 1), everything],
  ['an ARP request from a multicast address', arp(SENDER_ADDRESS, 224, 0, 0, 1), everything],
  ['an ARP operation that is neither request nor reply', arp(6, 0, 8), everything],
  ['an ARP request for an address the asker itself is known by', ARP_QUESTION, () => ({ mac: A_MAC, router: false })],
  ['a solicitation for an address the asker itself is known by', SOLICITATION, () => ({ mac: A_MAC, router: false })],
  [
    'a solicitation for one of whom it is not known if he is a router',
    SOLICITATION,
    () => ({ mac: B_MAC, router: undefined }),
  ],
  ['a probe for a duplicate, RFC 4862', captured(26), everything],
  ['a tagged ARP request', withTag(ARP_QUESTION, '8100 0005'), everything],
  ['a tagged solicitation', withTag(SOLICITATION, '8100 0005'), everything],
  ['one with two tags', withTag(ARP_QUESTION, '88a8 0005 8100 0006'), everything],
  ['a frame of another type', hex('ffffffffffff 02000000000a 88cc 0102'), everything],
  ['a frame without payload', hex('ffffffffffff 02000000000a 0800'), everything],
  ['an IPv6 packet that is cut', SOLICITATION.slice(0, 50), everything],
];

for (const [name, frame, lookup] of FLOODED)
  test(`not answered, but passed on: ${name}`, (t) => t.is(answer(frame, lookup), 'flood'));

const BAD: readonly (readonly [name: string, frame: Uint8Array])[] = [
  ['no frame at all', new Uint8Array(0)],
  ['13 bytes', ARP_QUESTION.slice(0, 13)],
  ['an ARP packet of 27 bytes', ARP_QUESTION.slice(0, 41)],
  ['ARP for another hardware', arp(0, 0, 6)],
  ['ARP for another protocol', arp(2, 0x86, 0xdd)],
  ['ARP with MAC addresses of 8 bytes', arp(4, 8)],
  ['ARP with IPv4 addresses of 16 bytes', arp(5, 16)],
  ['an ARP sender that did not send the frame', arp(8, 2, 0, 0, 0, 0, 0x0b)],
  ['ARP from a multicast MAC address', both(captured(9), '03000000000a')],
  ['ARP from the broadcast address', both(captured(9), 'ffffffffffff')],
  ['ARP from 00:00:00:00:00:00', both(captured(9), '000000000000')],
  ['an ARP reply from a multicast MAC address', both(captured(10), '01005e000001')],
  ['a solicitation with hop limit 254', reSummed(captured(11), setByte(14 + 7, 254))],
  ['a solicitation with a wrong checksum', captured(11).with(14 + 42, 0)],
  ['a solicitation with an option of length 0', reSummed(captured(11), setByte(14 + 65, 0))],
  ['a solicitation for a multicast address', reSummed(captured(11), setByte(14 + 48, 0xff))],
  ['a solicitation with the MAC address of another', reSummed(captured(11), setByte(14 + 71, 0x0b))],
  ['an advertisement of the MAC address of another', reSummed(captured(12), setByte(14 + 71, 0x0a))],
  ['a probe that tells a MAC address', reSummed(captured(26), setByte(14 + 64, 1))],
];

for (const [name, frame] of BAD)
  test(`dropped as bad, and teaches nothing: ${name}`, (t) => {
    t.is(answer(frame, everything), 'bad');
    t.is(snoop(frame), undefined);
  });

const TEACHES_NOTHING: readonly (readonly [name: string, frame: Uint8Array])[] = [
  ['an ARP probe', arp(SENDER_ADDRESS, 0, 0, 0, 0)],
  ['ARP from 127.0.0.1', arp(SENDER_ADDRESS, 127, 0, 0, 1)],
  ['ARP from 224.0.0.1', arp(SENDER_ADDRESS, 224, 0, 0, 1)],
  ['ARP from 255.255.255.255', arp(SENDER_ADDRESS, 255, 255, 255, 255)],
  ['a tagged ARP reply', withTag(captured(10), '8100 0005')],
  ['an advertisement for ::1', reSummed(captured(27), (bytes) => bytes.fill(0, 14 + 48, 14 + 63).set([1], 14 + 63))],
  ['an ARP operation it does not know', arp(6, 0, 3)],
];

for (const [name, frame] of TEACHES_NOTHING) test(`teaches nothing: ${name}`, (t) => t.is(snoop(frame), undefined));

test('padding to 60 bytes changes nothing', (t) => {
  const padded = concat(ARP_QUESTION, new Uint8Array(18));
  t.is(toHex(answer(padded, knows(B4)) as Uint8Array), toHex(captured(10)));
  const six = concat(SOLICITATION, new Uint8Array(7));
  t.is(toHex(answer(six, knows(B6)) as Uint8Array), toHex(captured(12)));
  t.deepEqual(snoop(padded), snoop(ARP_QUESTION));
});

test('any truncation is dropped or passed on, and teaches nothing', (t) => {
  for (const [index, frame] of frames.entries())
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.slice(0, length);
      t.is(typeof answer(cut, everything), 'string', `frame ${index + 1} cut to ${length}`);
      t.is(snoop(cut), undefined);
    }
});

test('any bytes at all get a verdict, and an answer is always a sound one to the asker', (t) => {
  const dice = new Dice();
  let answers = 0;
  for (let round = 0; round < 20_000; round++) {
    const frame = dice.oneIn(20) ? dice.bytes(dice.below(120)) : mutated(dice);
    const before = frame.slice();
    const because = `WEFT_SEED=${dice.seed}: ${toHex(frame)}`;
    const verdict = answer(frame, everything);
    const claim = snoop(frame);
    if (toHex(frame) !== toHex(before)) t.fail(`the frame was changed, ${because}`);
    if (claim !== undefined && (claim.mac === 0 || toHex(frame.subarray(6, 12)) !== hexMac(claim.mac)))
      t.fail(`learned the MAC address of another, ${because}`);
    if (!(verdict instanceof Uint8Array)) continue;
    answers++;
    const line = printFrame(verdict);
    if (toHex(verdict.subarray(0, 6)) !== toHex(frame.subarray(6, 12)) || /bad|truncated/.test(line))
      t.fail(`${line}, ${because}`);
  }
  t.true(answers > 1000, `${answers}`);
});

const hexMac = (mac: number) => toHex(hex(mac.toString(16).padStart(12, '0')));

/** A captured frame with a byte or two changed; half of the ICMPv6 ones get a right checksum again. */
function mutated(dice: Dice): Uint8Array {
  const frame = dice.pick(frames).slice();
  for (let times = dice.below(3); times > 0; times--)
    frame[dice.below(frame.length)] = dice.pick([0, 1, 0xff, dice.below(256)]);
  if (frame[12] === 0x86 && dice.oneIn(2)) return reSummed(frame, () => undefined);
  return dice.oneIn(5) ? frame.slice(0, dice.below(frame.length)) : frame;
}
