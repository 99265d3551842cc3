import test from 'ava';
import { packetLine } from '../../lib/ui/packet-line.ts';
import { probe4 } from '../../lib/wire/probe.ts';
import { readVector } from '../capture/vectors.ts';
import { tapRecordOf } from './records.ts';

test('a record is a line of numbers and words', (t) => {
  const line = packetLine(tapRecordOf(), 3);
  t.like(line, {
    id: 3,
    direction: 'outbound',
    verdict: 'forwarded',
    reason: null,
    peer: '192.0.2.2',
    source: '10.244.1.2',
    destination: '10.244.2.2',
    words: 'echo request 9',
    length: 84,
    microseconds: 12.345,
  });
  t.regex(line.time, /^\d\d:00:00\.000001$/);
  t.is(packetLine(tapRecordOf({ timeOut: null }), 4).microseconds, null);
});

test('what is no IP packet has words and no addresses', (t) => {
  const arp = readVector('neighbors/linux').packets.find(({ bytes }) => bytes[13] === 6)!.bytes;
  const line = packetLine(tapRecordOf({ bytes: arp, length: arp.length, ethernet: true }), 1);
  t.deepEqual([line.source, line.destination], [null, null]);
  t.regex(line.words, /^ARP /);
  t.is(packetLine(tapRecordOf({ bytes: new Uint8Array(0), length: 40 }), 1).words, '40 bytes that are no IP packet');
});

test("weftd's own probes are named, as nobody's ping", (t) => {
  const bytes = probe4(0x0af40100, 0x0af40200, { sequence: 12, token: 1n, size: 100 });
  const { words } = packetLine(tapRecordOf({ bytes, length: bytes.length }), 1);
  t.regex(words, /^weftd's own probe, echo (request|reply) \d+$/);
});
