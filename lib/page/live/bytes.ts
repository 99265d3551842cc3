/** The bytes of a packet's headers, cut into the parts that its fields are. Pure. */
import type { PacketDetail, PacketField, PacketHeader } from '../../ui/messages.ts';

/** A run of bytes in one row of a dump. */
interface Part {
  /** Of the row's bytes, "45 00". */
  readonly hex: string;
  /** The field that they belong to, counted over the header; -1: none. */
  readonly field: number;
}

export interface Row {
  /** Of its first byte in the packet. */
  readonly at: number;
  readonly parts: readonly Part[];
}

/** Where a header is: from the first byte of its fields to behind the last. */
export function extent({ fields }: PacketHeader): { readonly from: number; readonly to: number } {
  const known = fields.filter(({ length }) => length > 0);
  if (known.length === 0) return { from: 0, to: 0 };
  return {
    from: Math.min(...known.map(({ at }) => at)),
    to: Math.max(...known.map(({ at, length }) => at + length)),
  };
}

/** Stands for a byte that nobody knows. */
const UNKNOWN = '··';

/** Rows of `width` bytes. Where fields share a byte, as version and header length do, it is the first one's. */
export function dump(bytes: string, fields: readonly PacketField[], from: number, to: number, width: number): Row[] {
  const end = Math.min(to, bytes.length / 2);
  const rows: Row[] = [];
  for (let at = from; at < end; at += width) {
    const parts: { hex: string; field: number }[] = [];
    for (let k = at; k < Math.min(end, at + width); k++) {
      const field = fields.findIndex((each) => k >= each.at && k < each.at + each.length);
      const hex = fields[field]?.known === false ? UNKNOWN : bytes.slice(2 * k, 2 * k + 2);
      const last = parts.at(-1);
      if (last !== undefined && last.field === field) last.hex += ` ${hex}`;
      else parts.push({ hex, field });
    }
    rows.push({ at, parts });
  }
  return rows;
}

/** Where the payload begins: behind the last header. */
export function payloadAt({ headers }: PacketDetail): number {
  return Math.max(0, ...headers.map((header) => extent(header).to));
}

/** Printable ASCII of bytes; all others are dots. */
export function asciiOf(bytes: string, from: number, to: number): string {
  let text = '';
  for (let k = from; k < Math.min(to, bytes.length / 2); k++) {
    const code = Number.parseInt(bytes.slice(2 * k, 2 * k + 2), 16);
    text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '.';
  }
  return text;
}
