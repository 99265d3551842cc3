import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import {
  CONFIG_PROBE_ANSWERS,
  CONFIG_PROBE_ECHOES,
  CONFIG_PROBE_TOKEN,
  COUNT_IN_FORWARDED,
  COUNT_IN_RECEIVED,
  COUNT_PROBES_ANSWERED,
  COUNT_PROBES_RECEIVED,
  ECHO_AT,
  ECHO_LENGTH,
  PEER_MAX_DATAGRAM,
  PEER_PROBES,
  PEER_SIZE,
  PEERS,
  PROBE_ECHOES,
  TRAIN_NARROW,
} from '../../lib/fastpath/abi.ts';
import { pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { fillIcmpChecksum, icmpChecksumIsValid, parseIcmpHeader } from '../../lib/wire/icmp.ts';
import { checkIpv4, ipv4ChecksumIsValid, ipv4Destination, ipv4Source, ipv4TotalLength } from '../../lib/wire/ipv4.ts';
import { checkIpv6 } from '../../lib/wire/ipv6.ts';
import { isProbe, probe4, probe6 } from '../../lib/wire/probe.ts';
import { Harness } from './harness.ts';
import { frame, payload, udp4 } from './packets.ts';

const PEER = 0xc0000202;
const OURS = parseIpv4('10.244.1.0')!;
const THEIRS = parseIpv4('10.244.2.0')!;
const OURS6 = parseIpv6('fd00:1::')!;
const THEIRS6 = parseIpv6('fd00:2::')!;
const TOKEN = 0x1122334455667788n;

function given(): Harness {
  const harness = new Harness({
    own4: '10.244.1.0/24',
    own6: 'fd00:1::/64',
    peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24', 'fd00:2::/64'], device: { ipv4: THEIRS, ipv6: THEIRS6 } }],
  });
  harness.view.setBigUint64(CONFIG_PROBE_TOKEN, TOKEN);
  return harness;
}

function whole(head: Uint8Array, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(head);
  return bytes;
}

function request(size = 44, source = THEIRS, destination = OURS): Uint8Array {
  return whole(probe4(source, destination, { sequence: 7, token: 99n, size }), size);
}

function reply(token = TOKEN): Uint8Array {
  const bytes = whole(probe4(THEIRS, OURS, { sequence: 7, token, size: 60 }), 60);
  bytes[20] = 0;
  fillIcmpChecksum(new DataView(bytes.buffer), 20, bytes.length, 0);
  return bytes;
}

/** What comes of a packet from the peer. */
function receives(
  harness: Harness,
  bytes: Uint8Array,
): { written: number; echo: Uint8Array | undefined; answers: number } {
  harness.words[CONFIG_PROBE_ECHOES / 4] = 0;
  const before = harness.words[CONFIG_PROBE_ANSWERS / 4]!;
  const { writes } = harness.inbound([{ outerSource: PEER, bytes }]);
  const count = harness.words[CONFIG_PROBE_ECHOES / 4]!;
  const at = harness.words[(PROBE_ECHOES + ECHO_AT) / 4]!;
  const echo = count === 0 ? undefined : harness.bytes.slice(at, at + harness.words[(PROBE_ECHOES + ECHO_LENGTH) / 4]!);
  return { written: writes.length, echo, answers: harness.words[CONFIG_PROBE_ANSWERS / 4]! - before };
}

test("another node's probe is answered, counted apart, and no packet for the device", (t) => {
  for (const size of [44, 128, 129, 1472]) {
    const harness = given();
    const { written, echo, answers } = receives(harness, request(size));
    t.deepEqual({ written, answers }, { written: 0, answers: 0 });
    const view = new DataView(echo!.buffer);
    t.is(checkIpv4(view, 0, echo!.length), undefined);
    t.is(ipv4TotalLength(view, 0), Math.min(size, 128), 'a long one is answered in short');
    t.true(ipv4ChecksumIsValid(view, 0));
    t.deepEqual([ipv4Source(view, 0), ipv4Destination(view, 0)], [OURS, THEIRS]);
    t.true(icmpChecksumIsValid(view, 20, echo!.length, 0));
    t.like(parseIcmpHeader(view, 20), { type: 0, code: 0, rest: 0x77660007 });
    t.deepEqual(echo!.subarray(28, 44), request(size).subarray(28, 44));
    t.is(harness.counter(COUNT_PROBES_RECEIVED), 1);
    t.is(harness.counter(COUNT_IN_RECEIVED), 0);
    t.is(harness.words[(PEERS + PEER_SIZE + PEER_PROBES) / 4], 1);
  }
});

test('the same over IPv6', (t) => {
  const harness = given();
  const bytes = whole(probe6(THEIRS6, OURS6, { sequence: 7, token: 99n, size: 1280 }), 1280);
  const { written, echo } = receives(harness, bytes);
  t.is(written, 0);
  const view = new DataView(echo!.buffer);
  t.is(checkIpv6(view, 0, echo!.length), undefined);
  t.true(icmpChecksumIsValid(view, 40, echo!.length, pseudoHeaderSum6(OURS6, THEIRS6, 58, echo!.length - 40)));
  t.is(view.getUint8(40), 129);
  t.true(isProbe(echo!));
});

test('an answer to our own probe goes to the main thread', (t) => {
  const harness = given();
  t.deepEqual(receives(harness, reply()), { written: 0, echo: undefined, answers: 1 });
  t.is(harness.counter(COUNT_PROBES_ANSWERED), 1);
  t.is(harness.counter(COUNT_IN_RECEIVED), 0);
});

test('nothing else is taken: it is traffic, for the device', (t) => {
  const pod = parseIpv4('10.244.2.5')!;
  const broken = request();
  broken[43]! ^= 1;
  const aged = request();
  aged[30]! ^= 1;
  for (const [what, bytes] of [
    ['a pod behind the peer', request(44, pod)],
    ['to a pod of ours', request(44, THEIRS, OURS + 5)],
    ['an answer to the probe of somebody else', reply(TOKEN + 1n)],
    ['a bad checksum', broken],
    ['other data', aged],
    ['shorter than a probe', udp4({ source: '10.244.2.0', destination: '10.244.1.0', payload: payload(4), ttl: 63 })],
  ] as const) {
    const harness = given();
    t.deepEqual(receives(harness, bytes.slice()), { written: 1, echo: undefined, answers: 0 }, what);
    t.is(harness.counter(COUNT_IN_RECEIVED), 1, what);
    t.is(harness.counter(COUNT_IN_FORWARDED), 1, what);
  }
});

test('a train with a datagram too long for its path is to be sent one by one, and no other', (t) => {
  const harness = given();
  const send = (size: number): number => {
    const packet = udp4({ source: '10.244.1.2', destination: '10.244.2.2', payload: payload(size - 28), ttl: 63 });
    harness.bytes.set(frame(packet), 0x1000040);
    harness.fastpath.outboundFrame(1, 0x1000040, packet.length + 10);
    const total = harness.fastpath.trainsStaged();
    harness.fastpath.outboundMessages(0, total);
    const socket = harness.fastpath.messageSocket(0);
    harness.fastpath.outboundReset();
    return socket;
  };
  t.is(send(1472), 0, 'no limit');
  harness.tables.limit(1, PEER, 1372);
  t.is(harness.words[(PEERS + PEER_SIZE + PEER_MAX_DATAGRAM) / 4], 1372);
  t.is(send(1372), 0);
  t.is(send(1373), TRAIN_NARROW);
  harness.tables.limit(1, PEER, 0);
  t.is(send(1472), 0);
});
