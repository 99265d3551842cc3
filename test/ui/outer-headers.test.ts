import test from 'ava';
import { formatIpv4 } from '../../lib/addr/ipv4.ts';
import type { Wire } from '../../lib/capture/checks.ts';
import { drawFrame } from '../../lib/headers/draw.ts';
import type { PacketHeader } from '../../lib/ui/messages.ts';
import { drawRecord, type Surroundings, surroundingsOf } from '../../lib/ui/outer-headers.ts';
import { ipv4Destination, ipv4Source } from '../../lib/wire/ipv4.ts';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { IPV4_HEADER_MIN } from '../../lib/wire/layout/ipv4.ts';
import { UDP_HEADER } from '../../lib/wire/layout/udp.ts';
import { VXLAN_HEADER } from '../../lib/wire/layout/vxlan.ts';
import { readVector } from '../capture/vectors.ts';
import { STATUS, TENANTS, WAITING } from '../cli/replies.ts';
import { viewOf } from '../wire/bytes.ts';
import { tapRecordOf } from './records.ts';

const fieldOf = (headers: readonly PacketHeader[], header: string, field: string) =>
  headers.find(({ name }) => name === header)!.fields.find(({ name }) => name === field)!;

for (const [vector, wire, behind] of [
  ['flanneld-vxlan/h1-underlay', { encapsulation: 'vxlan', port: 4789, vni: 1 }, UDP_HEADER + VXLAN_HEADER],
  ['flanneld-udp/h1-underlay', { encapsulation: 'ip-in-udp', port: 8285 }, UDP_HEADER],
] as const)
  test(`beside what flanneld sent: every field that is said to be known is as it was, the packet byte for byte: ${vector}`, (t) => {
    const outer = ETHERNET_HEADER + IPV4_HEADER_MIN + behind;
    const { packets } = readVector(vector);
    for (const [i, { bytes: frame }] of packets.entries()) {
      const view = viewOf(frame);
      const [source, destination] = [ipv4Source(view, ETHERNET_HEADER), ipv4Destination(view, ETHERNET_HEADER)].map(
        formatIpv4,
      );
      const direction = i % 2 === 0 ? 'outbound' : 'inbound';
      const [own, peer] = direction === 'outbound' ? [source!, destination!] : [destination!, source!];
      const around: Surroundings = { wire: wire as Wire, device: 'flannel', own, own6: null };
      const ethernet = wire.encapsulation === 'vxlan';
      const record = tapRecordOf({
        direction,
        peer,
        bytes: frame.slice(outer),
        length: frame.length - outer,
        ethernet,
      });
      const drawn = drawRecord(record, around);
      t.is(drawn.outer, outer);
      t.deepEqual(drawn.bytes.slice(outer), frame.slice(outer));
      const expected = drawFrame(frame, around.wire);
      t.deepEqual(
        drawn.headers.map(({ name }) => name),
        expected.map(({ name }) => name),
      );
      for (const [h, header] of drawn.headers.entries())
        for (const [f, field] of header.fields.entries()) {
          t.is(header.rebuilt, field.at < outer);
          const { name, value, at, length } = expected[h]!.fields[f]!;
          t.like(field, { name, at, length });
          if (field.known) t.is(field.value, value, `${header.name} ${name}`);
          // Version and header length share a byte with nothing that is not known.
          else
            t.true(
              drawn.bytes.subarray(at, at + length).every((byte) => byte === 0),
              `${header.name} ${name} is invented`,
            );
        }
      for (const [header, field] of [
        ['Ethernet', 'source'],
        ['IPv4', 'ID'],
        ['IPv4', 'checksum'],
        ['UDP', 'checksum'],
      ] as const)
        t.false(fieldOf(drawn.headers, header, field).known, `${header} ${field}`);
    }
  });

test('over IPv6 the outer header is IPv6; what shares bytes with the version leaves that', (t) => {
  const around: Surroundings = {
    wire: { encapsulation: 'vxlan', port: 4789, vni: 7 },
    device: 'flannel-v6.7',
    own: '192.0.2.1',
    own6: '2001:db8::1',
  };
  const frame = new Uint8Array(60).fill(0xff);
  const { headers, bytes, outer } = drawRecord(
    tapRecordOf({ peer: '2001:db8::2', bytes: frame, length: 1000, ethernet: true }),
    around,
  );
  t.is(outer, 14 + 40 + 8 + 8);
  t.is(bytes[14]! >> 4, 6);
  t.like(fieldOf(headers, 'IPv6', 'source'), { value: '2001:db8::1', known: true });
  t.like(fieldOf(headers, 'IPv6', 'payload length'), { value: '1016', known: true });
  t.like(fieldOf(headers, 'IPv6', 'hop limit'), { value: 'not known', known: false });
  t.like(fieldOf(headers, 'UDP', 'source port'), { value: 'one of eight, by the flow', known: false });
  t.like(fieldOf(headers, 'VXLAN', 'VNI'), { value: '7', known: true });
});

test('what never had outer headers, or whose network is not known, gets none', (t) => {
  const around = surroundingsOf(STATUS)!;
  t.deepEqual(around, {
    wire: { encapsulation: 'ip-in-udp', port: 8285 },
    device: 'flannel0',
    own: '192.0.2.1',
    own6: null,
  });
  for (const [record, known] of [
    [tapRecordOf({ verdict: 'dropped', reason: 'no-route', peer: null }), around],
    [tapRecordOf({ verdict: 'dropped', reason: 'too-big' }), around],
    [tapRecordOf({ verdict: 'flooded' }), around],
    [tapRecordOf({ verdict: 'answered' }), around],
    [tapRecordOf({ peer: '2001:db8::2' }), around],
    [tapRecordOf(), undefined],
  ] as const) {
    const { headers, outer, bytes } = drawRecord(record, known);
    t.deepEqual(
      headers.map(({ name }) => name),
      ['inner IPv4', 'ICMP'],
    );
    t.is(outer, 0);
    t.deepEqual(bytes, record.bytes);
    t.true(headers.every(({ rebuilt }) => !rebuilt));
  }
  t.is(
    drawRecord(tapRecordOf({ direction: 'inbound', verdict: 'dropped', reason: 'spoofed-source' }), around).outer,
    42,
  );
  t.is(surroundingsOf(WAITING), undefined);
});

test('a datagram without a VNI of ours is not said to have one', (t) => {
  const around = surroundingsOf(TENANTS)!;
  const dropped = { direction: 'inbound', verdict: 'dropped', ethernet: true, bytes: new Uint8Array(40) } as const;
  const unknown = drawRecord(tapRecordOf({ ...dropped, reason: 'unknown-vni' }), around).headers;
  t.like(fieldOf(unknown, 'VXLAN', 'VNI'), { value: 'none of this node', known: false });
  const bad = drawRecord(tapRecordOf({ ...dropped, reason: 'bad-vxlan-header' }), around).headers;
  t.false(fieldOf(bad, 'VXLAN', 'flags').known);
});
