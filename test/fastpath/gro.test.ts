import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { Harness, type HarnessOptions, type TunWrite } from './harness.ts';
import { ACK, DF, FIN, PSH, payload, readVnet, tcp4, udp4 } from './packets.ts';

const PEER = parseIpv4('192.0.2.2')!;
const OPTIONS: HarnessOptions = {
  own4: '10.244.1.0/24',
  peers: [{ publicIp: PEER, prefixes: ['10.244.2.0/24', 'fd00:2::/64'] }],
  own6: 'fd00:1::/64',
};

function deliver(packets: readonly Uint8Array[], options: Partial<HarnessOptions> = {}): TunWrite[] {
  const harness = new Harness({ ...OPTIONS, ...options });
  const { writes, drops } = harness.inbound(
    packets.map((bytes) => ({ outerSource: PEER, bytes })),
    32,
  );
  if (drops.length > 0) throw new Error(`dropped: ${drops.join()}`);
  return writes;
}

/** How many packets each write carries. */
const counts = (writes: readonly TunWrite[]): number[] => writes.map((write) => write.count);

/** Three TCP packets of 100 bytes that follow each other, with whatever is to differ. */
function stream(change: (index: number) => Parameters<typeof tcp4>[0] = () => ({})): Uint8Array[] {
  return [0, 1, 2].map((i) =>
    tcp4({ sequence: 1000 + i * 100, id: 7 + i, payload: payload(100, i), flags: ACK, ...change(i) }),
  );
}

test('consecutive TCP packets become one super-packet with the meta-data the kernel needs', (t) => {
  const packets = stream((i) => (i === 2 ? { flags: ACK | PSH } : {}));
  const writes = deliver(packets);
  t.deepEqual(counts(writes), [3]);
  const { vnet, packet } = writes[0]!;
  t.deepEqual(readVnet(vnet), {
    flags: 1,
    gsoType: 1,
    headerLength: 40,
    gsoSize: 100,
    checksumStart: 20,
    checksumOffset: 16,
  });
  const view = new DataView(packet.buffer, packet.byteOffset);
  t.is(packet.length, 340);
  t.is(view.getUint16(2), 340);
  t.is(packet[8], 62, 'TTL goes down by one at the receiving end too');
  t.is(packet[33], ACK | PSH);
  t.deepEqual(packet.subarray(40, 140), packets[0]!.subarray(40));
  t.deepEqual(packet.subarray(240), packets[2]!.subarray(40));
  // pseudo-header: 10.244.2.2, 10.244.1.2, protocol 6, length 320, not complemented
  let sum = 0x0af4 + 0x0202 + 0x0af4 + 0x0102 + 6 + 320;
  sum = (sum & 0xffff) + (sum >>> 16);
  t.is(view.getUint16(36), sum);
});

const apart: readonly { name: string; packets: Uint8Array[]; expected: number[] }[] = [
  {
    name: 'a gap in the sequence numbers',
    packets: stream((i) => ({ sequence: 1000 + i * 200 })),
    expected: [1, 1, 1],
  },
  { name: 'another acknowledgment', packets: stream((i) => ({ acknowledgment: i })), expected: [1, 1, 1] },
  { name: 'another window', packets: stream((i) => ({ window: i })), expected: [1, 1, 1] },
  { name: 'another TTL', packets: stream((i) => ({ ttl: 60 + i })), expected: [1, 1, 1] },
  { name: 'another TOS', packets: stream((i) => ({ tos: i })), expected: [1, 1, 1] },
  { name: 'DF only on one', packets: stream((i) => ({ fragment: i === 1 ? 0 : DF })), expected: [1, 1, 1] },
  { name: 'ids out of step without DF', packets: stream((i) => ({ fragment: 0, id: 7 + 2 * i })), expected: [1, 1, 1] },
  {
    name: 'other timestamps',
    packets: stream((i) => ({ options: [1, 1, 8, 10, 0, 0, 0, i, 0, 0, 0, 1] })),
    expected: [1, 1, 1],
  },
  { name: 'FIN', packets: stream((i) => ({ flags: i === 1 ? ACK | FIN : ACK })), expected: [1, 1, 1] },
  {
    name: 'a PSH in the middle ends an item',
    packets: stream((i) => ({ flags: i === 1 ? ACK | PSH : ACK })),
    expected: [2, 1],
  },
  { name: 'a bad checksum on the first', packets: stream((i) => ({ badChecksum: i === 0 })), expected: [1, 2] },
  { name: 'a bad checksum in the middle', packets: stream((i) => ({ badChecksum: i === 1 })), expected: [1, 1, 1] },
  { name: 'a bad checksum on the last', packets: stream((i) => ({ badChecksum: i === 2 })), expected: [2, 1] },
  {
    name: 'a shorter packet ends an item',
    packets: [
      tcp4({ sequence: 0, payload: payload(100) }),
      tcp4({ sequence: 100, payload: payload(60) }),
      tcp4({ sequence: 160, payload: payload(100) }),
    ],
    expected: [2, 1],
  },
  {
    name: 'a longer packet starts an item',
    packets: [tcp4({ sequence: 0, payload: payload(60) }), tcp4({ sequence: 60, payload: payload(100) })],
    expected: [1, 1],
  },
  {
    name: 'a pure ACK between two packets is not overtaken',
    packets: [stream()[0]!, tcp4({ sequence: 1100, acknowledgment: 6000 }), stream()[1]!],
    expected: [1, 1, 1],
  },
  {
    name: 'a fragment seals what came before',
    packets: [stream()[0]!, udp4({ fragment: 0x2000, payload: payload(8) }), stream()[1]!],
    expected: [1, 1, 1],
  },
  {
    name: 'packets inside IP fragments are never joined',
    packets: stream(() => ({ fragment: 0x2000 })),
    expected: [1, 1, 1],
  },
];

for (const { name, packets, expected } of apart) {
  test(`TCP is kept apart: ${name}`, (t) => {
    t.deepEqual(counts(deliver(packets)), expected);
  });
}

test('packets that are not joined are written as they came, but for the TTL', (t) => {
  const packets = stream((i) => ({ badChecksum: i === 1, ttl: 10 + i }));
  const writes = deliver(packets);
  for (const [i, write] of writes.entries()) {
    t.deepEqual(
      [...write.vnet],
      Array.from({ length: 10 }, () => 0),
    );
    t.is(write.packet[8], 9 + i);
    t.deepEqual(write.packet.subarray(12), packets[i]!.subarray(12));
  }
});

test('two flows that alternate are joined each for itself, in order of their first packets', (t) => {
  const a = stream(() => ({ sourcePort: 1 }));
  const b = stream(() => ({ sourcePort: 2 }));
  const writes = deliver([b[0]!, a[0]!, b[1]!, a[1]!, a[2]!, b[2]!]);
  t.deepEqual(counts(writes), [3, 3]);
  t.is(new DataView(writes[0]!.packet.buffer, writes[0]!.packet.byteOffset).getUint16(20), 2);
});

test('equal-sized UDP datagrams of a flow become one super-packet, a shorter one ends it', (t) => {
  const sizes = [50, 50, 20, 50];
  const writes = deliver(sizes.map((size, i) => udp4({ id: i, payload: payload(size, i) })));
  t.deepEqual(counts(writes), [3, 1]);
  t.deepEqual(readVnet(writes[0]!.vnet), {
    flags: 1,
    gsoType: 5,
    headerLength: 28,
    gsoSize: 50,
    checksumStart: 20,
    checksumOffset: 6,
  });
  const { packet } = writes[0]!;
  t.is(new DataView(packet.buffer, packet.byteOffset).getUint16(24), 8 + 120);
});

test('a UDP datagram without a checksum is never joined', (t) => {
  const bare = [0, 1].map((i) => {
    const packet = udp4({ id: i, payload: payload(50) });
    packet.fill(0, 26, 28);
    return packet;
  });
  t.deepEqual(counts(deliver(bare)), [1, 1]);
});

test('a long stream is joined up to 65,535 bytes and goes on in the next write', (t) => {
  const packets = Array.from({ length: 32 }, (_, i) => tcp4({ sequence: i * 4000, id: i, payload: payload(4000, i) }));
  const writes = deliver(packets);
  t.deepEqual(counts(writes), [16, 16]);
  t.true(writes.every((write) => write.packet.length <= 65535));
});

test('with joining switched off every packet is written alone', (t) => {
  t.deepEqual(counts(deliver(stream(), { tunGro: false })), [1, 1, 1]);
  t.deepEqual(
    counts(deliver([udp4({ payload: payload(9) }), udp4({ payload: payload(9) })], { tunUso: false })),
    [1, 1],
  );
});

test('a train received whole (UDP_GRO) is cut at its gso_size', (t) => {
  const harness = new Harness(OPTIONS);
  const packets = stream();
  const { writes } = harness.inbound([
    {
      outerSource: PEER,
      bytes: Buffer.concat([...packets, tcp4({ sequence: 1300, payload: payload(10) })]),
      gsoSize: 140,
    },
  ]);
  t.deepEqual(counts(writes), [4]);
});

test('a joined packet the TUN refuses can be written packet by packet as it came', (t) => {
  const harness = new Harness(OPTIONS);
  const packets = stream();
  harness.fastpath.inboundPrepare(1);
  // Feed through the harness, then ask for the parts instead of the joined write.
  const { fastpath } = harness;
  const originals = packets.map((packet) => packet.slice());
  const parts = harness.partsOf([{ outerSource: PEER, bytes: Buffer.concat(packets), gsoSize: 140 }]);
  t.is(parts.length, 3);
  for (const [i, part] of parts.entries()) {
    t.is(part[8], 62);
    t.deepEqual(part.subarray(12), originals[i]!.subarray(12), `part ${i}`);
  }
  t.is(fastpath.inboundItems(), 0);
});

test('DHCP replies are written one by one, with finished checksums, for clients that read raw frames (H10)', (t) => {
  for (const destinationPort of [67, 68, 546, 547]) {
    const replies = (ttl: number) =>
      [0, 1, 2].map((i) => udp4({ id: i, ttl, destinationPort, payload: payload(300, i) }));
    const writes = deliver(replies(64));
    t.deepEqual(
      writes.map(({ vnet, packet }) => [readVnet(vnet).flags, Buffer.from(packet).toString('hex')]),
      replies(63).map((packet) => [0, Buffer.from(packet).toString('hex')]),
    );
  }
  const others = [0, 1, 2].map((i) => udp4({ id: i, destinationPort: 69, payload: payload(300, i) }));
  t.deepEqual(counts(deliver(others)), [3]);
});
