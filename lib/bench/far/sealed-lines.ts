/** Lines between the two sides once they know each other: "<MAC in hex> <JSON>". Who sits between them can cut, and nothing else. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { WeftError } from '../../error.ts';

/** Bytes of a line. The longest of ours describes a machine, in less than 4 KiB. */
export const LINE_BYTES = 16 * 1024;
const MAC_HEX = 64;

/** Of line number `count` of a direction: one that is left out, repeated or moved does not fit. */
function macOf(key: Buffer, count: number, text: string): Buffer {
  return createHmac('sha256', key).update(`${count}\n`).update(text).digest();
}

/** Makes the lines of one direction. */
export class Sealer {
  readonly #key: Buffer;
  #count = 0;

  constructor(key: Buffer) {
    this.#key = key;
  }

  seal(value: unknown): string {
    const text = JSON.stringify(value);
    return `${macOf(this.#key, this.#count++, text).toString('hex')} ${text}`;
  }
}

/** Reads the lines of the other direction. */
export class Opener {
  readonly #key: Buffer;
  #count = 0;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Code: FAR_PROTOCOL for a line that the other side has not sent, or not now. */
  open(line: string): unknown {
    const mac = Buffer.from(line.slice(0, MAC_HEX), 'hex');
    const text = line.slice(MAC_HEX + 1);
    const expected = macOf(this.#key, this.#count++, text);
    const isOurs = line[MAC_HEX] === ' ' && mac.length === expected.length && timingSafeEqual(mac, expected);
    if (!isOurs) throw new WeftError('FAR_PROTOCOL', 'A line of the connection has been changed on its way');
    // Only who has the token can have written it, but it may be wrong all the same.
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new WeftError('FAR_PROTOCOL', 'A line of the connection is no JSON', { cause });
    }
  }
}
