import test from 'ava';
import {
  encodeTapClock,
  encodeTapLoss,
  NO_REASON,
  namedRecord,
  type RawTapRecord,
  TapDecoder,
  type TapMessage,
} from '../../lib/control/tap-messages.ts';
import { MAX_TAP_SNAP } from '../../lib/control/tap-protocol.ts';
import { Dice } from '../golden/dice.ts';
import { tapRecord } from './tap-record.ts';

const dice = new Dice();
const because = `WEFT_SEED=${dice.seed}`;

/** The time of day when a data plane's own clock began. */
const CLOCK = 1_764_000_000_123_456_789n;

function randomRecord(): RawTapRecord {
  const dropped = dice.oneIn(2);
  return {
    network: dice.below(65536),
    inbound: dice.oneIn(2),
    verdict: dropped ? 1 : dice.pick([0, 2, 3]),
    reason: dropped ? dice.below(21) : NO_REASON,
    peer: dice.bytes(dice.pick([0, 4, 16])),
    trainPackets: dice.below(65536),
    trainIndex: dice.below(65536),
    superPacket: dice.oneIn(2),
    gsoSize: dice.below(65536),
    packets: dice.next(),
    timeIn: CLOCK + BigInt(dice.between(1, 2 ** 31)) * 1000n,
    timeOut: dice.oneIn(3) ? 0n : CLOCK + BigInt(dice.between(1, 2 ** 31)) * 1000n,
    bytes: dice.bytes(dice.below(MAX_TAP_SNAP + 1)),
    length: dice.next(),
    ethernet: dice.oneIn(2),
  };
}

/** The stream in pieces of random length. */
function feed(stream: Uint8Array): TapMessage[] | undefined {
  const decoder = new TapDecoder();
  const messages: TapMessage[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = Math.min(stream.length, at + dice.between(1, 3000));
    const taken = decoder.take(stream.subarray(at, end));
    if (taken === undefined) return undefined;
    messages.push(...taken);
    at = end;
  }
  return messages;
}

test('what is encoded is what is decoded, however the stream is cut', (t) => {
  for (let round = 0; round < 50; round++) {
    const expected: TapMessage[] = Array.from({ length: dice.below(20) }, () =>
      dice.oneIn(5)
        ? { type: dice.pick(['lost', 'end'] as const), lost: dice.next(), sent: dice.next() }
        : { type: 'record', record: randomRecord() },
    );
    const encoded = expected.map((message) =>
      message.type === 'record' ? tapRecord(message.record, CLOCK) : encodeTapLoss(message.type, message),
    );
    t.deepEqual(feed(Buffer.concat([encodeTapClock(CLOCK), ...encoded])), expected, because);
  }
});

test('bytes that are no messages are refused, or are messages: nothing throws, and little is kept', (t) => {
  for (let round = 0; round < 3000; round++) {
    const bytes = dice.bytes(dice.between(8, 200));
    // Lengths that may be believed.
    if (dice.oneIn(2)) new DataView(bytes.buffer).setUint32(0, dice.below(25) * 8, true);
    if (dice.oneIn(2)) bytes[4] = dice.pick([0, 1, 252, 253, 254]);
    for (const message of feed(bytes) ?? [])
      if (message.type === 'record')
        t.notThrows(() => namedRecord(message.record, { networks: [], reasons: [] }), because);
  }
  t.is(new TapDecoder().take(Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0)), undefined);
});

test('numbers become the names that the reply gave', (t) => {
  const record = randomRecord();
  const raw: RawTapRecord = { ...record, verdict: 1, reason: 5, network: 2, trainPackets: 0, timeOut: 0n };
  const reasons = ['a', 'b', 'c', 'd', 'e', 'no-route'];
  const networks = [
    { number: 1, name: 'red', linkType: 1 },
    { number: 2, name: 'blue', linkType: 101 },
  ] as const;
  const named = namedRecord({ ...raw, inbound: false, peer: Uint8Array.of(192, 0, 2, 2) }, { networks, reasons });
  t.like(named, { network: 'blue', reason: 'no-route', peer: '192.0.2.2', verdict: 'dropped', direction: 'outbound' });
  t.like(named, { train: null, timeOut: null });
  const six = new Uint8Array(16);
  six.set([0x20, 0x01, 0x0d, 0xb8]);
  six[15] = 7;
  const other = { ...raw, verdict: 0, reason: NO_REASON, peer: six, trainPackets: 40, trainIndex: 3 };
  t.like(namedRecord(other, { networks, reasons }), {
    reason: null,
    peer: '2001:db8::7',
    train: { packets: 40, index: 3 },
  });
});
