/**
 * Captured packets on their way from the capture process, one record after the other:
 *
 *   | u32 length | the packet |      big endian
 */

const HEADER = 4;

export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER + bytes.length);
  new DataView(record.buffer).setUint32(0, bytes.length);
  record.set(bytes, HEADER);
  return record;
}

/** Puts records together from chunks cut anywhere, and hands each packet over once it is whole. */
export class FrameReader {
  readonly #onPacket: (bytes: Uint8Array) => void;
  #rest: Uint8Array = new Uint8Array(0);

  /** `onPacket` gets views into the chunks that were pushed. */
  constructor(onPacket: (bytes: Uint8Array) => void) {
    this.#onPacket = onPacket;
  }

  push(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : concatenate(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const end = at + HEADER + view.getUint32(at);
      if (end > bytes.length) break;
      this.#onPacket(bytes.subarray(at + HEADER, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
