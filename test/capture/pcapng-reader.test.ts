import test from 'ava';
import { enhancedPacket, interfaceDescription, sectionHeader, simplePacket } from '../../lib/capture/pcapng.ts';
import { Dice } from '../golden/dice.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { readCapture } from './read-capture.ts';

const section = sectionHeader('a test');
const overlay = interfaceDescription({ name: 'flannel0', linkType: 101, snapLength: 0 });
const underlay = interfaceDescription({ name: 'eth0', linkType: 1, snapLength: 128 });
const packet = (interfaceId: number, timestampNs: bigint, bytes: string, originalLength: number) =>
  enhancedPacket({ interfaceId, timestampNs, bytes: hex(bytes), originalLength, comment: 'forwarded' });

const read = (file: Uint8Array) =>
  readCapture(file).packets.map(({ number, interfaceName, linkType, timestampNs, bytes, length }) =>
    [number, interfaceName, linkType, timestampNs, toHex(bytes), length].join(' '),
  );

test('packets of several interfaces and sections come with their own name, link type and time', (t) => {
  const first = concat(section, overlay, underlay, packet(1, 1_000_000_007n, 'aabbcc', 1500), packet(0, 5n, '45', 1));
  // In the second section the numbers begin anew.
  const file = concat(first, section, underlay, packet(0, 9n, '01', 1), simplePacket(hex('0203'), 2));
  t.deepEqual(read(file), [
    '1 eth0 1 1000000007 aa bb cc 1500',
    '2 flannel0 101 5 45 1',
    '3 eth0 1 9 01 1',
    '4 eth0 1  02 03 2',
  ]);
});

test('the other byte order, microseconds by default, blocks nobody asked for, and the old packet block', (t) => {
  const file = hex(`
    0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000014 0001 0000 00040000 00000014
    00000bad 00000010 deadbeef 00000010
    00000006 00000024 00000000 00000000 000f4240 00000003 000005dc 010203 00 00000024
    00000002 00000024 0000 0007 00000000 00000002 00000001 00000001 ff000000 00000024`);
  t.deepEqual(read(file), ['1  1 1000000000 01 02 03 1500', '2  1 2000 ff 1']);
});

test('a block nobody asked for may be larger than any packet, and of a packet none is', (t) => {
  const block = (type: number, length: number) => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, true);
    for (const at of [4, length - 4]) view.setUint32(at, length, true);
    return bytes;
  };
  // Decryption secrets, 5 MiB of them.
  t.deepEqual(read(concat(section, underlay, block(10, 5 << 20), packet(0, 9n, '01', 1))), ['1 eth0 1 9 01 1']);
  const { problem } = readCapture(concat(section, underlay, block(6, 5 << 20)));
  t.is(problem, 'a block says it has 5242880 bytes: it is broken from there on (block 3)');
});

test('binary resolutions and an offset of the clock', (t) => {
  const file = hex(`
    0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000
    01000000 2c000000 6500 0000 00000000 0900 0100 8a000000 0e00 0800 0a00000000000000 0000 0000 2c000000
    06000000 24000000 00000000 00000000 00020000 01000000 01000000 45000000 24000000`);
  t.deepEqual(read(file), ['1  101 10500000000 45 1']);
});

test('a file cut anywhere gives the packets before the cut, and says so', (t) => {
  const packets = [packet(0, 1n, '4501', 2), packet(0, 2n, '450203', 3)];
  const whole = concat(section, overlay, ...packets);
  const heads = section.length + overlay.length;
  const ends = [heads, heads + packets[0]!.length, whole.length];
  for (let length = 4; length <= whole.length; length++) {
    const { packets: found, problem } = readCapture(whole.subarray(0, length));
    const before = ends.filter((end) => end <= length).length;
    t.is(found.length, Math.max(0, before - 1), `cut to ${length} bytes`);
    t.is(problem === undefined, length === section.length || ends.includes(length), `cut to ${length} bytes`);
  }
});

test('any bytes at all end the reading, and nothing else', (t) => {
  const dice = new Dice();
  let found = 0;
  for (let round = 0; round < 5000; round++) {
    const blocks = Array.from({ length: dice.below(6) }, () =>
      dice.pick([underlay, overlay, section, packet(dice.below(3), 7n, '450102', 3), simplePacket(hex('01'), 1)]),
    );
    let file = concat(section, underlay, overlay, ...blocks);
    for (let times = dice.below(4); times > 0; times--) file[4 + dice.below(file.length - 4)] = dice.below(256);
    if (dice.oneIn(3)) file = file.slice(0, 4 + dice.below(file.length - 3));
    t.notThrows(
      () => {
        found += readCapture(file).packets.length;
      },
      `WEFT_SEED=${dice.seed}: ${toHex(file)}`,
    );
  }
  t.true(found > 500, `only ${found} packets`);
});
