import test, { type ExecutionContext } from 'ava';
import type { Wire } from '../../lib/capture/checks.ts';
import { drawFrame, drawInner } from '../../lib/headers/draw.ts';
import type { WireHeader } from '../../lib/headers/fields.ts';
import { printFrame } from '../../lib/wire/print.ts';
import { readVector } from '../capture/vectors.ts';
import { Dice } from '../golden/dice.ts';
import { toHex } from '../wire/bytes.ts';

const VXLAN: Wire = { encapsulation: 'vxlan', port: 4789, vni: 1 };
const UDP: Wire = { encapsulation: 'ip-in-udp', port: 8285 };

const fieldsOf = (headers: readonly WireHeader[], name: string): Record<string, string> =>
  Object.fromEntries(headers.find((header) => header.name === name)!.fields.map((field) => [field.name, field.value]));

/** Every byte of every header belongs to a field, and no field reaches out of the bytes. */
function coversItsHeaders(t: ExecutionContext, headers: readonly WireHeader[], bytes: Uint8Array): void {
  let end = 0;
  for (const { name, fields } of headers) {
    for (const { at, length, name: field } of fields) {
      if (at > end || at + length > bytes.length || length <= 0)
        t.fail(`${name} ${field} at ${at}, ${length} bytes, after ${end}: ${toHex(bytes)}`);
      end = Math.max(end, at + length);
    }
  }
}

test('a frame of the kernel under flanneld with vxlan, drawn from the outside in', (t) => {
  const frames = readVector('flanneld-vxlan/h1-underlay').packets.map(({ bytes }) => bytes);
  const seen = new Set<string>();
  for (const frame of frames) {
    const headers = drawFrame(frame, VXLAN);
    coversItsHeaders(t, headers, frame);
    const names = headers.map(({ name }) => name);
    t.deepEqual(
      names.slice(0, 6),
      ['Ethernet', 'IPv4', 'UDP', 'VXLAN', 'inner Ethernet', 'inner IPv4'],
      printFrame(frame),
    );
    for (const name of names.slice(6)) seen.add(name);
    t.is(fieldsOf(headers, 'VXLAN').VNI, '1');
    // Names and values of another reader of the same bytes.
    const { source, destination } = fieldsOf(headers, 'inner IPv4');
    t.true(printFrame(frame).includes(`${source} > ${destination}`), printFrame(frame));
  }
  t.deepEqual([...seen].toSorted(), ['ICMP', 'TCP', 'inner UDP']);
});

test('a frame of flanneld with udp has its packet right behind the UDP header', (t) => {
  for (const { bytes } of readVector('flanneld-udp/h1-underlay').packets) {
    const headers = drawFrame(bytes, UDP);
    coversItsHeaders(t, headers, bytes);
    t.deepEqual(
      headers.slice(0, 4).map(({ name }) => name),
      ['Ethernet', 'IPv4', 'UDP', 'inner IPv4'],
    );
  }
});

test('ARP, neighbour discovery, and what has no name of ours', (t) => {
  const seen = new Set<string>();
  for (const { bytes } of readVector('neighbors/linux').packets) {
    const headers = drawInner(bytes, true);
    coversItsHeaders(t, headers, bytes);
    for (const { name } of headers) seen.add(name);
  }
  for (const name of ['inner Ethernet', 'ARP', 'inner IPv6', 'ICMPv6']) t.true(seen.has(name), [...seen].join());
  const arp = drawInner(readVector('neighbors/linux').packets.find(({ bytes }) => bytes[13] === 6)!.bytes, true)[1]!;
  t.regex(arp.fields.find(({ name }) => name === 'operation')!.value, /^(request|reply)$/);
  t.regex(arp.fields.find(({ name }) => name === 'target')!.value, /^\d+\.\d+\.\d+\.\d+$/);
});

test('options, fragments, VLAN tags and errors are drawn as what they are', (t) => {
  const ip = (hex: string) => drawInner(Buffer.from(hex.replaceAll(' ', ''), 'hex'), false);
  // Router alert, then IGMP: protocol 2 has no picture of ours.
  const options = ip('46000020 00000000 0102 0000 0a000001 e0000001 94040000 1600 0904 e0000001');
  t.deepEqual(
    options.map(({ name }) => name),
    ['inner IPv4'],
  );
  t.is(fieldsOf(options, 'inner IPv4').options, '0x94040000');
  const later = ip('45000024 00072001 4011 0000 0a000001 0a000002 00350035 00000000');
  t.deepEqual(
    later.map(({ name }) => name),
    ['inner IPv4'],
  );
  t.is(fieldsOf(later, 'inner IPv4')['fragment offset'], '8 bytes');
  const tooBig = ip('4500001c 00000000 4001 0000 0a000001 0a000002 0304 0000 0000 0578');
  t.is(fieldsOf(tooBig, 'ICMP').MTU, '1400');
  const tagged = drawInner(Buffer.from('020000000002020000000001810060', 'hex'), true);
  t.deepEqual(
    tagged.map(({ name }) => name),
    ['inner Ethernet'],
  );
  const whole = drawInner(Buffer.from('0200000000020200000000018100600508060001', 'hex'), true);
  t.deepEqual(
    whole.map(({ name }) => name),
    ['inner Ethernet', 'VLAN tag'],
  );
  t.is(fieldsOf(whole, 'VLAN tag').VLAN, '5');
});

test('any bytes at all: what is drawn lies within them', (t) => {
  const dice = new Dice();
  t.log(`WEFT_SEED=${dice.seed}`);
  const originals = (['flanneld-vxlan/h1-underlay', 'flanneld-udp/h1-underlay', 'neighbors/linux'] as const).flatMap(
    (name) => readVector(name).packets.map(({ bytes }) => bytes),
  );
  for (let i = 0; i < 20_000; i++) {
    const bytes = new Uint8Array(dice.pick(originals).slice(0, dice.below(120)));
    for (let times = dice.below(4); times > 0 && bytes.length > 0; times--)
      bytes[dice.below(bytes.length)] = dice.pick([0, 0xff, 0x45, 0x60, 6, 58, 44, dice.below(256)]);
    const wire = dice.pick<Wire>([VXLAN, UDP, { encapsulation: 'ipip' }, { encapsulation: 'none' }]);
    coversItsHeaders(t, drawFrame(bytes, wire), bytes);
    coversItsHeaders(t, drawInner(bytes, dice.below(2) === 1), bytes);
  }
  t.pass();
});
