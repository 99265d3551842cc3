/**
 * Reads classic capture files: a 24-byte file header, then records of 16 bytes and the packet.
 * draft-ietf-opsawg-pcap §4, §5. Microsecond and nanosecond files, either byte order.
 */
import { WeftError } from '../error.ts';

interface CapturedPacket {
  /** Nanoseconds since the epoch. */
  readonly timestampNs: bigint;
  /** The packet as far as it was captured: a view into the file's bytes, not a copy. */
  readonly bytes: Uint8Array;
  /** Its length on the wire; more than bytes.length when the capture's snap length cut it. */
  readonly originalLength: number;
}

export interface PcapFile {
  /** LINKTYPE_ETHERNET, LINKTYPE_RAW, ... */
  readonly linkType: number;
  readonly snapLength: number;
  readonly packets: readonly CapturedPacket[];
  /** The file ends in the middle of a record, as one does that is still being written. */
  readonly cutShort: boolean;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
// Above the low 16 bits the link type field describes frame check sequences. §4
const LINK_TYPE_MASK = 0xffff;

/** Reads a whole file. Throws WeftError PCAP_UNREADABLE when the bytes are not a capture file of this kind. */
export function readPcap(file: Uint8Array): PcapFile {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const { littleEndian, unitNs } = readMagic(view);
  const packets: CapturedPacket[] = [];
  let at = FILE_HEADER;
  while (file.length - at >= RECORD_HEADER) {
    const capturedLength = view.getUint32(at + 8, littleEndian);
    const start = at + RECORD_HEADER;
    if (capturedLength > file.length - start) break;
    const seconds = BigInt(view.getUint32(at, littleEndian));
    const fraction = BigInt(view.getUint32(at + 4, littleEndian));
    packets.push({
      timestampNs: seconds * 1_000_000_000n + fraction * unitNs,
      bytes: file.subarray(start, start + capturedLength),
      originalLength: view.getUint32(at + 12, littleEndian),
    });
    at = start + capturedLength;
  }
  return {
    linkType: view.getUint32(20, littleEndian) & LINK_TYPE_MASK,
    snapLength: view.getUint32(16, littleEndian),
    packets,
    cutShort: at !== file.length,
  };
}

function readMagic(view: DataView): { littleEndian: boolean; unitNs: bigint } {
  if (view.byteLength < FILE_HEADER)
    throw unreadable(`it has ${view.byteLength} bytes, fewer than the file header of ${FILE_HEADER}`);
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic === MAGIC_MICROSECONDS) return { littleEndian, unitNs: 1000n };
    if (magic === MAGIC_NANOSECONDS) return { littleEndian, unitNs: 1n };
  }
  throw unreadable(`it begins with 0x${view.getUint32(0).toString(16).padStart(8, '0')}`);
}

function unreadable(why: string): WeftError {
  return new WeftError('PCAP_UNREADABLE', `Cannot read the capture file: ${why}`, {
    hint: 'Classic pcap files are read; "editcap -F pcap in.pcapng out.pcap" converts others',
  });
}
