import { bytesOf } from '../../lib/capture/byte-source.ts';
import { CaptureReader } from '../../lib/capture/capture-reader.ts';
import type { ReadPacket } from '../../lib/capture/captured-packet.ts';

export interface ReadCapture {
  readonly packets: readonly ReadPacket[];
  /** Of the first packet; undefined without one. */
  readonly linkType: number | undefined;
  readonly problem: string | undefined;
}

/** All packets of a capture file at once. */
export function readCapture(file: Uint8Array): ReadCapture {
  const reader = new CaptureReader(bytesOf(file), 'a test');
  const packets = [...reader.packets()];
  return { packets, linkType: packets[0]?.linkType, problem: reader.problem };
}
