import test from 'ava';
import { NO_REASON, type RawTapRecord, TapDecoder, type TapMessage } from '../../lib/control/tap-messages.ts';
import { Reader, widest } from '../../lib/tap/reader.ts';
import { tapRecord } from '../control/tap-record.ts';
import { Dice } from '../golden/dice.ts';

const PLAIN: RawTapRecord = {
  network: 1,
  inbound: false,
  verdict: 0,
  reason: NO_REASON,
  peer: new Uint8Array(0),
  trainPackets: 0,
  trainIndex: 0,
  superPacket: false,
  gsoSize: 0,
  packets: 1,
  timeIn: 1_000_000n,
  timeOut: 2_000_000n,
  bytes: new Uint8Array(200),
  length: 1500,
  ethernet: false,
};
const FORWARDED = tapRecord(PLAIN);
const DROPPED = tapRecord({ ...PLAIN, verdict: 1, reason: 5 });

const ASKED = { sample: 100, snapLength: 128, droppedOnly: false };

function messages(bytes: Uint8Array | undefined): TapMessage[] {
  return bytes === undefined ? [] : (new TapDecoder().take(bytes) ?? []);
}

test('each reader gets its own sample of what is recorded for the one who wants most', (t) => {
  const dice = new Dice();
  for (let round = 0; round < 50; round++) {
    const least = dice.between(1, 50);
    const wanted = least + dice.below(200);
    const reader = new Reader({ ...ASKED, sample: wanted }, undefined);
    const records = 2000;
    let taken = 0;
    for (let i = 0; i < records; i++) {
      reader.offer(FORWARDED, 0, least, 0);
      if (i % 500 === 499) taken += messages(reader.take(0)).length;
    }
    t.is(reader.loss.sent, Math.floor((records * least) / wanted), `WEFT_SEED=${dice.seed}`);
    t.is(taken, reader.loss.sent);
  }
});

test('dropped packets come always, and alone where nothing else was asked for', (t) => {
  const reader = new Reader(ASKED, undefined);
  const strict = new Reader({ ...ASKED, droppedOnly: true }, undefined);
  for (let i = 0; i < 50; i++) {
    for (const one of [reader, strict]) {
      one.offer(DROPPED, 0, 1, 0);
      one.offer(FORWARDED, 0, 100, 0);
    }
  }
  t.is(reader.loss.sent, 100);
  t.is(strict.loss.sent, 50);
});

test('a reader of one network sees no other, and no more bytes than it asked for', (t) => {
  const reader = new Reader({ ...ASKED, sample: 1, snapLength: 10 }, 2);
  reader.offer(FORWARDED, 0, 1, 0);
  reader.setClock(77n);
  reader.offer(tapRecord({ ...PLAIN, network: 2 }), 0, 1, 0);
  const [message, ...more] = messages(reader.take(0));
  t.is(more.length, 0);
  const record = { ...PLAIN, network: 2, bytes: PLAIN.bytes.subarray(0, 10) };
  t.deepEqual(message, { type: 'record', record: { ...record, timeIn: 1_000_077n, timeOut: 2_000_077n } });
});

test('what a reader does not take is lost, bounded, and said when there is room again and at the end', (t) => {
  const reader = new Reader({ ...ASKED, sample: 1 }, undefined);
  for (let i = 0; i < 10_000; i++) reader.offer(FORWARDED, 0, 1, 0);
  const first = reader.take(0)!;
  t.true(first.length < 300 * 1024, `${first.length} bytes`);
  const { lost, sent } = reader.loss;
  t.is(lost + sent, 10_000);
  t.is(messages(first).filter(({ type }) => type === 'record').length, sent);
  // Nothing is taken while the first waits.
  reader.offer(FORWARDED, 0, 1, first.length);
  t.is(reader.take(first.length), undefined);
  reader.offer(FORWARDED, 0, 1, 0);
  t.deepEqual(
    messages(reader.take(0)).map(({ type }) => type),
    ['lost', 'record'],
  );
  reader.missed(5);
  t.deepEqual(messages(reader.end()), [{ type: 'end', lost: lost + 6, sent: sent + 1 }]);
});

test('the rings are filled for the widest of the readers', (t) => {
  t.deepEqual(widest([ASKED, { sample: 7, snapLength: 64 }]), { sample: 7, snapLength: 128 });
  const drops = { sample: 1, snapLength: 500, droppedOnly: true };
  t.deepEqual(widest([ASKED, drops]), { sample: 100, snapLength: 500 });
  t.deepEqual(widest([drops]), { sample: undefined, snapLength: 500 });
});
