import test from 'ava';
import { MINUTE_TICKS, Minute } from '../../lib/watch/minute.ts';
import type { Tick } from '../../lib/watch/tick.ts';
import { random } from '../random.ts';

const DIRECTION = { packets: 0, bytes: 0, packetsPerRead: null, packetsPerWrite: null };

function tick(bytes: Readonly<Record<string, number>>): Tick {
  return {
    at: '2026-01-01T00:00:00.000Z',
    seconds: 1,
    outbound: DIRECTION,
    inbound: DIRECTION,
    drops: {},
    socketOverflow: 0,
    peers: Object.entries(bytes).map(([publicIp, each]) => ({
      publicIp,
      outboundPackets: 1,
      outboundBytes: each,
      inboundPackets: 0,
      inboundBytes: 0,
    })),
    cpu: null,
    stages: null,
  };
}

test('each peer has the bytes of the last minute, as if all of them were kept', (t) => {
  const { seed, next } = random();
  t.log(`WEFT_SEED=${seed}`);
  const names = ['192.0.2.2', '192.0.2.3', '192.0.2.4'];
  const minute = new Minute();
  const all: Readonly<Record<string, number>>[] = [];
  for (let n = 0; n < 4 * MINUTE_TICKS; n++) {
    // Silent for minutes at times.
    const busy = names.filter((_, index) => next(100) < ([90, 2, 0][index] ?? 0));
    all.push(Object.fromEntries(busy.map((name) => [name, 1 + next(1000)])));
    minute.push(tick(all.at(-1)!));
    for (const name of names) {
      const wanted = all.slice(-MINUTE_TICKS).map((each) => each[name] ?? 0);
      t.deepEqual(minute.of(name).bytes, wanted);
      t.is(minute.of(name).now?.outboundBytes ?? 0, wanted.at(-1)!);
    }
  }
  t.is(minute.ticks.length, MINUTE_TICKS);
  minute.clear();
  t.deepEqual(minute.of('192.0.2.2'), { bytes: [], now: undefined });
});
