import test from 'ava';
import { encodeRecord, FrameReader } from '../../lib/capture/frame-stream.ts';
import { random } from '../random.ts';

test('records come out as they went in, wherever the pipe cuts them', (t) => {
  const rng = random();
  for (let round = 0; round < 50; round++) {
    const packets = Array.from({ length: 1 + rng.next(20) }, () =>
      Uint8Array.from({ length: rng.next(200) }, () => rng.next(256)),
    );
    const stream = Buffer.concat(packets.map(encodeRecord));
    const got: typeof packets = [];
    const reader = new FrameReader((bytes) => got.push(bytes.slice()));
    for (let at = 0; at < stream.length; ) {
      const length = 1 + rng.next(60);
      reader.push(Uint8Array.from(stream.subarray(at, at + length)));
      at += length;
    }
    t.deepEqual(got, packets, `seed ${rng.seed}`);
  }
});

test('a record is handed over only when it is whole', (t) => {
  let packets = 0;
  const reader = new FrameReader(() => packets++);
  const record = encodeRecord(Uint8Array.of(1, 2, 3));
  reader.push(record.subarray(0, -1));
  t.is(packets, 0);
  reader.push(record.subarray(-1));
  t.is(packets, 1);
});
