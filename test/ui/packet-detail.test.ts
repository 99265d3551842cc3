import test from 'ava';
import type { TapRecord } from '../../lib/control/tap-client.ts';
import { surroundingsOf } from '../../lib/ui/outer-headers.ts';
import { packetDetail } from '../../lib/ui/packet-detail.ts';
import { packetLine } from '../../lib/ui/packet-line.ts';
import { STATUS, TENANTS } from '../cli/replies.ts';
import { ECHO, tapRecordOf } from './records.ts';

const REASONS = { 'no-route': 'No peer holds the subnet of the destination' };

const detailOf = (record: TapRecord, status = STATUS) =>
  packetDetail({ line: packetLine(record, 7), record, around: surroundingsOf(status) }, REASONS);

test('a packet that was sent: what became of it, where it was when, its headers and bytes', (t) => {
  const detail = detailOf(tapRecordOf({ train: { packets: 12, index: 2 }, superPacket: true, gsoSize: 1348 }));
  t.is(detail.line.id, 7);
  t.is(detail.sentence, 'Read from flannel0 and sent to 192.0.2.2 in UDP');
  t.deepEqual(detail.notes, [
    '3 of a train of 12',
    'part of a super-packet cut by 1,348 bytes',
    'the first 32 of its 84 bytes were kept',
  ]);
  t.deepEqual(
    detail.points.map(({ name, us }) => [name, us]),
    [
      ['read from flannel0', 0],
      ['sent to 192.0.2.2', 12.345],
    ],
  );
  t.regex(detail.points[0]!.time, /^\d\d:00:00\.000001$/);
  t.deepEqual(
    detail.headers.map(({ name, rebuilt }) => [name, rebuilt]),
    [
      ['Ethernet', true],
      ['IPv4', true],
      ['UDP', true],
      ['inner IPv4', false],
      ['ICMP', false],
    ],
  );
  t.is(detail.length, 14 + 20 + 8 + 84);
  t.is(detail.bytes.slice(-2 * ECHO.length), ECHO.toString('hex'));
});

test('sentences of all verdicts', (t) => {
  const inbound = { direction: 'inbound' } as const;
  const ends: readonly (readonly [Partial<TapRecord>, string])[] = [
    [inbound, 'Received from 192.0.2.2 in VXLAN, VNI 7 and written to flannel.7'],
    [
      { verdict: 'dropped', reason: 'no-route', peer: null },
      'Dropped on its way out of flannel.7: no-route. No peer holds the subnet of the destination',
    ],
    [
      { ...inbound, verdict: 'dropped', reason: 'new-one', peer: '198.51.100.9' },
      'Dropped on arrival from 198.51.100.9: new-one',
    ],
    [{ verdict: 'flooded', packets: 1, peer: null }, 'Read from flannel.7 and sent to all peers: 1 copy'],
    [{ verdict: 'flooded', packets: 2000, peer: null }, 'Read from flannel.7 and sent to all peers: 2,000 copies'],
    [
      { verdict: 'answered', peer: null },
      'Read from flannel.7 and answered by weftd in place of its target: nothing of it left this node',
    ],
  ];
  for (const [changes, sentence] of ends) t.is(detailOf(tapRecordOf(changes), TENANTS).sentence, sentence);
});

test('a dropped super-packet, and one that never got a time', (t) => {
  const detail = detailOf(
    tapRecordOf({ verdict: 'dropped', reason: 'no-route', packets: 44, superPacket: true, timeOut: null, length: 32 }),
  );
  t.deepEqual(detail.notes, [
    'a super-packet: it stands for 44 packets',
    'it had no outer headers yet: this is the packet as it was read',
  ]);
  t.is(detail.points.length, 1);
});
