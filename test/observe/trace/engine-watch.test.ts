import test from 'ava';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import type { TapRecord } from '../../../lib/control/tap-client.ts';
import { pointOf } from '../../../lib/observe/trace/engine-watch.ts';
import { type Probe, probePacket } from '../../../lib/observe/trace/probe.ts';
import { Recognizer } from '../../../lib/observe/trace/recognize.ts';

const PROBE: Probe = {
  source: parseIpv4('10.244.1.2')!,
  destination: parseIpv4('10.244.2.2')!,
  transport: 'icmp',
  port: 0,
  id: 0x4711,
  size: 1472,
};

function record(more: Partial<TapRecord> = {}): TapRecord {
  return {
    network: '',
    direction: 'outbound',
    verdict: 'forwarded',
    reason: null,
    peer: '192.0.2.2',
    train: { packets: 1, index: 0 },
    superPacket: false,
    gsoSize: 0,
    packets: 1,
    timeIn: 1_700_000_000_000_000_123n,
    timeOut: 1_700_000_000_000_012_623n,
    // As the tap cuts it.
    bytes: probePacket(PROBE).subarray(0, 128),
    length: PROBE.size,
    ethernet: false,
    ...more,
  };
}

const recognizer = new Recognizer(PROBE, undefined, new Map());
const noteOf = (more: Partial<TapRecord>): string | null | undefined => pointOf(record(more), recognizer)?.note;

test('a record of the probe is a point with the time it was read, its length and what was done', (t) => {
  t.like(pointOf(record(), recognizer), {
    place: 'weftd',
    direction: 'out',
    kind: 'probe',
    seconds: 1_700_000_000,
    nanoseconds: 123,
    bytes: 1472,
    note: 'sent to 192.0.2.2 in 12.5 us',
    dropped: null,
  });
  t.is(noteOf({ train: { packets: 8, index: 2 } }), 'sent to 192.0.2.2 in 12.5 us, 3 of a train of 8');
  t.is(noteOf({ timeOut: null }), 'sent to 192.0.2.2');
  t.is(noteOf({ verdict: 'flooded', peer: null, timeOut: null }), 'sent to all');
  t.is(noteOf({ direction: 'inbound' }), 'from 192.0.2.2, 12.5 us');
});

test('a drop has its reason', (t) => {
  const point = pointOf(record({ verdict: 'dropped', reason: 'no-route', peer: null, timeOut: null }), recognizer);
  t.like(point, { dropped: 'no-route', note: 'dropped: no-route' });
});

test("other packets are nobody's point", (t) => {
  t.is(pointOf(record({ bytes: probePacket({ ...PROBE, id: 0x4712 }) }), recognizer), undefined);
  for (let length = 0; length < 28; length++)
    t.notThrows(() => pointOf(record({ bytes: probePacket(PROBE).subarray(0, length) }), recognizer));
});
