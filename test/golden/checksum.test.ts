import test from 'ava';
import { internetSum, pseudoHeaderSum4, pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { hex, viewOf } from '../wire/bytes.ts';
import {
  addWords,
  finishIpv4Header,
  finishTransport,
  slowPseudoSum,
  slowSum,
  transportChecksumIsRight,
} from './checksum.ts';
import { Dice } from './dice.ts';
import { get16 } from './octets.ts';

test('sums the example of RFC 1071 §3', (t) => {
  t.is(slowSum(hex('0001 f203 f4f5 f6f7'), 0, 8), 0xddf2);
});

test('brings the carry round, and keeps the two zeros apart', (t) => {
  t.is(addWords(0xffff, 1), 1);
  t.is(addWords(0xffff, 0xffff), 0xffff);
  t.is(addWords(0xfffe, 1), 0xffff);
  t.is(addWords(0, 0), 0);
});

test('agrees with lib/wire, which adds word by word', (t) => {
  const dice = new Dice();
  for (let round = 0; round < 500; round++) {
    const bytes = dice.bytes(dice.between(0, 80));
    const start = dice.below(bytes.length + 1);
    const end = dice.between(start, bytes.length);
    t.is(slowSum(bytes, start, end), internetSum(viewOf(bytes), start, end), `seed ${dice.seed}, round ${round}`);
  }
  const long = dice.bytes(65535);
  t.is(slowSum(long, 0, 65535), internetSum(viewOf(long), 0, 65535), `seed ${dice.seed}`);
});

test('takes the pseudo-header from the packet of either family', (t) => {
  const four = hex('4500 0014 0000 0000 4011 0000 0af41e02 0af46302');
  t.is(slowPseudoSum(four, 17, 12), pseudoHeaderSum4(0x0af41e02, 0x0af46302, 17, 12));
  const six = hex('60000000 0000 11 40 fd000000000000000000000000000001 fd00000000000000000000000000beef');
  t.is(slowPseudoSum(six, 6, 40000), pseudoHeaderSum6((0xfdn << 120n) + 1n, (0xfdn << 120n) + 0xbeefn, 6, 40000));
});

// A datagram of iperf3 that flanneld carried: test/vectors/flanneld-udp/h1-overlay.pcap.
const DATAGRAM = hex('4500 0020 9454 4000 3f11 108d 0af41e02 0af46302  9278 1451 000c 51b2 39383736');

test('finishes the checksums the kernel computed', (t) => {
  const packet = DATAGRAM.slice();
  packet.fill(0xa5, 10, 12);
  packet.fill(0xa5, 26, 28);
  t.false(transportChecksumIsRight(packet, 17, 20, 6));
  finishIpv4Header(packet);
  finishTransport(packet, 17, 20, 6);
  t.deepEqual(packet, DATAGRAM);
  t.true(transportChecksumIsRight(packet, 17, 20, 6));
});

test('stores a computed 0 as 0xffff for UDP, where 0 means "none", and as 0 for TCP', (t) => {
  // The last word makes up for the sum of all others.
  const build = (protocol: number) => {
    const packet = hex(
      `4500 0020 0000 4000 3f${protocol === 17 ? '11' : '06'} 0000 0af41e02 0af46302  0001 0002 0000 0000 0000 0000`,
    );
    const sum = addWords(slowSum(packet, 20, 32), slowPseudoSum(packet, protocol, 12));
    packet[30] = (65535 - sum) >>> 8;
    packet[31] = (65535 - sum) & 255;
    return packet;
  };
  const udp = build(17);
  finishTransport(udp, 17, 20, 6);
  t.is(get16(udp, 26), 0xffff);
  t.true(transportChecksumIsRight(udp, 17, 20, 6));
  const other = build(6);
  finishTransport(other, 6, 20, 6);
  t.is(get16(other, 26), 0);
  t.true(transportChecksumIsRight(other, 6, 20, 6));
});
