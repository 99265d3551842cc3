import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { echoRequest, readEchoAnswer } from '../../lib/measure/echo-message.ts';
import { random } from '../random.ts';

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

// Captured with tcpdump on a veth between two namespaces.
const REPLY = bytes(`
  4500 0054 9d3f 0000 4001 0000 0a09 0902 0a09 0901
  0000 0000 004d 0007 ${'00'.repeat(56)}`);
const HOST_UNREACHABLE = bytes(`
  45c0 0070 5b2b 0000 4001 0000 0a09 0901 0a09 0901
  0301 0000 0000 0000
  4500 0054 1c2f 4000 4001 0000 0a09 0901 0a09 094d
  0800 0000 004d 0009 ${'00'.repeat(56)}`);

/** Puts the right checksums of the outer IP header and the ICMP message in place. */
function withChecksums(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  const view = new DataView(copy.buffer);
  const sum = (start: number, end: number) => {
    let total = 0;
    for (let at = start; at < end; at += 2) total += view.getUint16(at);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return ~total & 0xffff;
  };
  view.setUint16(10, sum(0, 20));
  view.setUint16(22, sum(20, copy.length));
  return copy;
}

test('a request has type 8, identifier, sequence and a checksum that fits', (t) => {
  const request = echoRequest(0x1234, 0xfffe, 4);
  t.is(Buffer.from(request).toString('hex'), '0800e5cc1234fffe00000000');
});

test('a reply is read with who sent it', (t) => {
  t.deepEqual(readEchoAnswer(withChecksums(REPLY)), {
    kind: 'reply',
    from: parseIpv4('10.9.9.2')!,
    identifier: 77,
    sequence: 7,
  });
});

test('an ICMP error is read with the request it quotes, in words', (t) => {
  t.deepEqual(readEchoAnswer(withChecksums(HOST_UNREACHABLE)), {
    kind: 'error',
    from: parseIpv4('10.9.9.1')!,
    to: parseIpv4('10.9.9.77')!,
    identifier: 77,
    sequence: 9,
    text: 'ICMP unreachable (host)',
  });
});

test('an echo request of somebody else, a bad checksum and another protocol are no answers', (t) => {
  const request = REPLY.slice();
  request[20] = 8;
  t.is(readEchoAnswer(withChecksums(request)), undefined);
  const garbled = withChecksums(REPLY);
  garbled[40]! ^= 1;
  t.is(readEchoAnswer(garbled), undefined);
  const udp = REPLY.slice();
  udp[9] = 17;
  t.is(readEchoAnswer(withChecksums(udp)), undefined);
});

test('an error about something that is no echo request is no answer', (t) => {
  const aboutUdp = HOST_UNREACHABLE.slice();
  aboutUdp[28 + 9] = 17;
  t.is(readEchoAnswer(withChecksums(aboutUdp)), undefined);
});

test('no truncation and no garbage throws', (t) => {
  const rng = random();
  for (const packet of [withChecksums(REPLY), withChecksums(HOST_UNREACHABLE)]) {
    for (let length = 0; length < packet.length; length++)
      t.notThrows(() => readEchoAnswer(packet.subarray(0, length)), `cut to ${length}`);
    for (let round = 0; round < 500; round++) {
      const garbage = packet.map((byte) => (rng.next(10) === 0 ? rng.next(256) : byte));
      t.notThrows(() => readEchoAnswer(garbage), `seed ${rng.seed}`);
    }
  }
});
