import test from 'ava';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../lib/capture/pcapng.ts';
import { INBOUND, OUTBOUND, PcapngWriter } from '../../lib/capture/pcapng-writer.ts';
import { random } from '../random.ts';

const INTERFACES = [{ name: 'flannel0', linkType: 101, snapLength: 128, description: 'overlay', filter: 'udp' }];

test('blocks are those of the slow writer, with the direction as an option of its own', (t) => {
  const { next, seed } = random();
  const written: Uint8Array[] = [];
  const writer = new PcapngWriter('weft', INTERFACES, (bytes) => written.push(Uint8Array.from(bytes)));
  const expected = [sectionHeader('weft'), interfaceDescription(INTERFACES[0]!)];
  for (let round = 0; round < 300; round++) {
    const memory = Uint8Array.from({ length: next(next(10) === 0 ? 70_000 : 300) }, () => next(256));
    const start = next(memory.length + 1);
    const seconds = next(2) === 0 ? 1_796_000_000 + next(3) : next(0xffff_ffff);
    const nanoseconds = next(1e9);
    const comment = next(2) === 0 ? '' : `peer 192.0.2.${next(255)}`;
    const length = memory.length - start + next(5);
    const source = { memory, start, end: memory.length, length };
    writer.packet(
      0,
      seconds,
      nanoseconds,
      source,
      next(2) === 0 ? INBOUND : OUTBOUND,
      new TextEncoder().encode(comment),
    );
    expected.push(
      enhancedPacket({
        interfaceId: 0,
        timestampNs: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
        bytes: memory.subarray(start),
        originalLength: length,
        ...(comment !== '' && { comment }),
      }),
    );
  }
  writer.flush();
  t.is(writer.pending, 0);
  const blocks = blocksOf(Buffer.concat(written));
  t.is(blocks.length, expected.length);
  for (const [index, block] of blocks.entries())
    t.is(withoutFlags(block), Buffer.from(expected[index]!).toString('hex'), `seed ${seed} block ${index}`);
});

test('counts of an interface, above 32 bits', (t) => {
  const written: Uint8Array[] = [];
  const writer = new PcapngWriter('weft', INTERFACES, (bytes) => written.push(Uint8Array.from(bytes)));
  writer.statistics(0, 1, 5, 2 ** 33 + 7, 9);
  writer.flush();
  const block = blocksOf(Buffer.concat(written)).at(-1)!;
  t.deepEqual([block.readUInt32LE(0), block.readBigUInt64LE(24), block.readBigUInt64LE(36)], [5, 2n ** 33n + 7n, 9n]);
  t.is((BigInt(block.readUInt32LE(12)) << 32n) | BigInt(block.readUInt32LE(16)), 1_000_000_005n);
});

function blocksOf(file: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    const length = file.readUInt32LE(at + 4);
    blocks.push(file.subarray(at, at + length));
  }
  return blocks;
}

/** The block as it would be without its epb_flags, in hex. */
function withoutFlags(block: Buffer): string {
  if (block.readUInt32LE(0) !== 6) return block.toString('hex');
  const at = 28 + ((block.readUInt32LE(20) + 3) & ~3);
  const hasComment = block.readUInt32LE(at + 8) !== 0;
  // Without a comment the slow writer has no options, and so no end of them.
  const rest = hasComment ? block.subarray(at + 8) : block.subarray(at + 12);
  const shorter = Buffer.concat([block.subarray(0, at), rest]);
  shorter.writeUInt32LE(shorter.length, 4);
  shorter.writeUInt32LE(shorter.length, shorter.length - 4);
  return shorter.toString('hex');
}
