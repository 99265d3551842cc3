import test from 'ava';
import { type ByteSource, bytesOf } from '../../lib/capture/byte-source.ts';
import { CaptureReader } from '../../lib/capture/capture-reader.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../lib/capture/pcapng.ts';
import { concat, hex } from '../wire/bytes.ts';

const PCAP = hex(
  'd4c3b2a1 0200 0400 00000000 00000000 00000400 65000000  01000000 02000000 04000000 04000000 01020304',
);
const PCAPNG = concat(
  sectionHeader('a test'),
  interfaceDescription({ name: 'eth0', linkType: 1, snapLength: 0 }),
  enhancedPacket({ interfaceId: 0, timestampNs: 1n, bytes: hex('01020304'), originalLength: 4 }),
);

/** `bytes`, and then a disk that fails. */
function failingAfter(bytes: Uint8Array): ByteSource {
  const source = bytesOf(bytes);
  let left = bytes.length;
  return {
    take: (count) => {
      if (count > left) throw new Error('EIO: i/o error, read');
      left -= count;
      return source.take(count);
    },
  };
}

for (const [name, file] of [
  ['pcap', PCAP],
  ['pcapng', PCAPNG],
] as const)
  test(`${name}: a disk that fails in the middle ends the reading, and what came before is there`, (t) => {
    const reader = new CaptureReader(failingAfter(file), 'a test');
    t.deepEqual(
      [...reader.packets()].map(({ length }) => length),
      [4],
    );
    t.is(reader.problem, 'it cannot be read further: EIO: i/o error, read');
  });

test('a file of which nothing can be read is an error', (t) => {
  const reader = new CaptureReader(failingAfter(hex('')), 'a test');
  t.throws(() => [...reader.packets()], { code: 'CAPTURE_UNREADABLE', message: /EIO/ });
  t.throws(() => [...CaptureReader.open('/').packets()], { code: 'CAPTURE_UNREADABLE', message: /EISDIR/ });
});
