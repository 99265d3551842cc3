/** A header, field by field, as it stands in bytes. */

export interface WireField {
  readonly name: string;
  readonly value: string;
  /** Byte offset in what is drawn, and length. */
  readonly at: number;
  readonly length: number;
}

export interface WireHeader {
  readonly name: string;
  readonly fields: readonly WireField[];
}

/** "0x000000" */
function hexOf(view: DataView, at: number, length: number): string {
  return `0x${Buffer.from(view.buffer, view.byteOffset + at, length).toString('hex')}`;
}

export function hex16(view: DataView, at: number): string {
  return hexOf(view, at, 2);
}

/** Fields of one header, whose offsets count from `base`. */
export class Fields {
  readonly list: WireField[] = [];
  readonly #view: DataView;
  readonly #base: number;

  constructor(view: DataView, base: number) {
    this.#view = view;
    this.#base = base;
  }

  text(name: string, value: string, offset: number, length: number): this {
    this.list.push({ name, value, at: this.#base + offset, length });
    return this;
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  number(name: string, offset: number, length: 1 | 2 | 4): this {
    const at = this.#base + offset;
    const view = this.#view;
    const value = length === 1 ? view.getUint8(at) : length === 2 ? view.getUint16(at) : view.getUint32(at);
    return this.text(name, String(value), offset, length);
  }

  hex(name: string, offset: number, length: number): this {
    return this.text(name, hexOf(this.#view, this.#base + offset, length), offset, length);
  }
}
