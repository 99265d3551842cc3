import test from 'ava';
import { PacketKey } from '../../../lib/observe/overhead/packet-key.ts';

/** An IPv4 packet with DF: 20 bytes of header, then those of `rest`. */
function packet(rest: readonly number[], change: Readonly<Record<number, number>> = {}): Uint8Array {
  const bytes = new Uint8Array(20 + rest.length);
  bytes.set([0x45, 0, 0, bytes.length, 0x12, 0x34, 0x40, 0, 63, 6, 0xaa, 0xbb, 10, 1, 0, 2, 10, 2, 0, 2]);
  bytes.set(rest, 20);
  for (const [at, value] of Object.entries(change)) bytes[Number(at)] = value;
  return bytes;
}

function keyOf(bytes: Uint8Array, protocol = bytes[9]!): { readonly value: number; readonly id: number } {
  const key = new PacketKey();
  key.read(bytes, 0, bytes.length, false, bytes.length > 20 ? 20 : -1, protocol);
  return { value: key.value, id: key.id };
}

const TCP = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x50, 0x10, 0, 1, 0xcc, 0xcc, 0, 0];

test('what a hop or an offload changes is not in the key: TTL, TOS, checksums, TCP flags; the identification of DF packets is apart', (t) => {
  const plain = keyOf(packet(TCP));
  t.true(Number.isSafeInteger(plain.value));
  t.is(plain.id, 0x1234);
  for (const at of [1, 8, 10, 11, 33, 36, 37]) t.is(keyOf(packet(TCP, { [at]: 0x7e }), 6).value, plain.value, `${at}`);
  t.deepEqual(keyOf(packet(TCP, { 5: 0x35 })), { value: plain.value, id: 0x1235 });
});

test('addresses, length, ports, sequence and acknowledgement number are in it, and without DF the identification', (t) => {
  const plain = keyOf(packet(TCP)).value;
  for (const at of [3, 12, 15, 16, 19, 20, 23, 24, 27, 28, 31])
    t.not(keyOf(packet(TCP, { [at]: 0x7e }), 6).value, plain, `${at}`);
  const fragments = packet(TCP, { 6: 0 });
  t.is(keyOf(fragments).id, -1);
  t.not(keyOf(fragments).value, keyOf(packet(TCP, { 5: 0x35, 6: 0 })).value);
  t.not(keyOf(packet(TCP, { 6: 0x20 })).value, keyOf(fragments).value);
});

test('of an echo the identifier and the sequence count, its checksum does not', (t) => {
  const echo = [8, 0, 0xab, 0xcd, 0x11, 0x22, 0, 1];
  const plain = keyOf(packet(echo), 1).value;
  t.is(keyOf(packet(echo, { 22: 0 }), 1).value, plain);
  t.not(keyOf(packet(echo, { 27: 2 }), 1).value, plain);
  t.not(keyOf(packet(echo, { 20: 0 }), 1).value, plain, 'the reply');
});

test('packets of a flow have keys of their own: 200,000 sequence numbers', (t) => {
  const bytes = packet(TCP);
  const view = new DataView(bytes.buffer);
  const key = new PacketKey();
  const seen = new Set<number>();
  for (let i = 0; i < 200_000; i++) {
    view.setUint32(24, i * 1448);
    key.read(bytes, 0, bytes.length, false, 20, 6);
    seen.add(key.value);
  }
  t.is(seen.size, 200_000);
});
