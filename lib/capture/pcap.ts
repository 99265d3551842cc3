/**
 * Reads classic capture files: a 24-byte file header, then records of 16 bytes and the packet.
 * draft-ietf-opsawg-pcap §4, §5. Microsecond and nanosecond files, either byte order.
 */
import type { ByteSource } from './byte-source.ts';
import { CaptureProblem, MAX_CAPTURED } from './capture-problem.ts';
import type { ReadPacket } from './captured-packet.ts';

export interface PcapFormat {
  readonly littleEndian: boolean;
  /** What a record's fraction of a second counts, in nanoseconds. */
  readonly unitNs: bigint;
}

const FILE_HEADER = 24;
const MAGIC_BYTES = 4;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
// Above the low 16 bits the link type field describes frame check sequences. §4
const LINK_TYPE_MASK = 0xffff;

/** Of the first four bytes of a file; undefined where it is none of these. */
export function readPcapMagic(magic: Uint8Array): PcapFormat | undefined {
  if (magic.length < MAGIC_BYTES) return undefined;
  const view = new DataView(magic.buffer, magic.byteOffset, magic.length);
  for (const littleEndian of [true, false]) {
    const number = view.getUint32(0, littleEndian);
    if (number === MAGIC_MICROSECONDS) return { littleEndian, unitNs: 1000n };
    if (number === MAGIC_NANOSECONDS) return { littleEndian, unitNs: 1n };
  }
  return undefined;
}

/** The packets behind the magic. Throws CaptureProblem where the file is cut short, or a length is none. */
export function* pcapPackets(source: ByteSource, { littleEndian, unitNs }: PcapFormat): Generator<ReadPacket> {
  const header = source.take(FILE_HEADER - MAGIC_BYTES);
  if (header.length < FILE_HEADER - MAGIC_BYTES) throw new CaptureProblem('it is cut short in its file header');
  const linkType = viewOf(header).getUint32(FILE_HEADER - 2 * MAGIC_BYTES, littleEndian) & LINK_TYPE_MASK;
  for (let number = 1; ; number++) {
    const record = source.take(RECORD_HEADER);
    if (record.length === 0) return;
    if (record.length < RECORD_HEADER) throw cutShort(number);
    const view = viewOf(record);
    const seconds = view.getUint32(0, littleEndian);
    const fraction = view.getUint32(4, littleEndian);
    const captured = view.getUint32(8, littleEndian);
    const length = view.getUint32(12, littleEndian);
    if (captured > MAX_CAPTURED)
      throw new CaptureProblem(`packet ${number} says it has ${captured} bytes: it is broken from there on`);
    const bytes = source.take(captured);
    if (bytes.length < captured) throw cutShort(number);
    const timestampNs = BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * unitNs;
    // Some writers leave the length on the wire at 0.
    yield { number, timestampNs, bytes, length: Math.max(length, captured), linkType, interfaceName: undefined };
  }
}

function cutShort(number: number): CaptureProblem {
  return new CaptureProblem(`it is cut short in packet ${number}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
