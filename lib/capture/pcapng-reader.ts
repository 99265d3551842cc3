/**
 * Reads pcapng files, block by block: either byte order, several sections and interfaces, any resolution of time.
 * draft-ietf-opsawg-pcapng §3, §4. Blocks and options that are not looked at are passed over.
 */
import type { ByteSource } from './byte-source.ts';
import { CaptureProblem, MAX_CAPTURED } from './capture-problem.ts';
import type { ReadPacket } from './captured-packet.ts';
import {
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  IF_NAME,
  IF_TIMESTAMP_OFFSET,
  IF_TIMESTAMP_RESOLUTION,
  INTERFACE_DESCRIPTION_BLOCK,
  OPTION_END,
  PACKET_BLOCK,
  SECTION_HEADER_BLOCK,
  SIMPLE_PACKET_BLOCK,
} from './pcapng-format.ts';

const LOOKED_AT: ReadonlySet<number> = new Set([
  INTERFACE_DESCRIPTION_BLOCK,
  PACKET_BLOCK,
  SIMPLE_PACKET_BLOCK,
  ENHANCED_PACKET_BLOCK,
]);
const NOTHING = new DataView(new ArrayBuffer(0));

/** Type and length before the body, and the length again behind it. */
const BLOCK_HEAD = 8;
const BLOCK_TAIL = 4;
/** Our choice: a packet, its options, and room; a larger block of these is a broken length. */
const MAX_BLOCK = 4 * MAX_CAPTURED;
/** Bytes at once of a block that is passed over: keys and names may come in many MiB. */
const PIECE = 1 << 16;
/** Our choice: more than any capture has. */
const MAX_INTERFACES = 4096;

const MICROSECONDS = 6;

interface Interface {
  readonly name: string | undefined;
  readonly linkType: number;
  readonly snapLength: number;
  /** Nanoseconds since the epoch of a time stamp. */
  readonly toNs: (ticks: bigint) => bigint;
}

export function isPcapngMagic(magic: Uint8Array): boolean {
  return magic.length === 4 && new DataView(magic.buffer, magic.byteOffset, 4).getUint32(0) === SECTION_HEADER_BLOCK;
}

/** The packets; `first`: the four bytes that were read already. Throws CaptureProblem. */
export function* pcapngPackets(source: ByteSource, first: Uint8Array): Generator<ReadPacket> {
  const blocks = new Blocks(source, first);
  let interfaces: Interface[] = [];
  let number = 0;
  for (let block = blocks.next(); block !== undefined; block = blocks.next()) {
    switch (block.type) {
      case SECTION_HEADER_BLOCK:
        interfaces = [];
        break;
      case INTERFACE_DESCRIPTION_BLOCK:
        if (interfaces.length === MAX_INTERFACES) throw blocks.broken('it describes too many interfaces');
        interfaces.push(readInterface(block));
        break;
      case PACKET_BLOCK:
      case SIMPLE_PACKET_BLOCK:
      case ENHANCED_PACKET_BLOCK: {
        const packet = readPacket(block, interfaces, ++number);
        if (packet === undefined) throw blocks.broken(`packet ${number} does not fit its block or names no interface`);
        yield packet;
      }
    }
  }
}

interface Block {
  readonly type: number;
  readonly body: DataView;
  readonly littleEndian: boolean;
}

class Blocks {
  readonly #source: ByteSource;
  #first: Uint8Array | undefined;
  #littleEndian = true;
  #read = 0;

  constructor(source: ByteSource, first: Uint8Array) {
    this.#source = source;
    this.#first = first;
  }

  broken(why: string): CaptureProblem {
    return new CaptureProblem(`${why} (block ${this.#read})`);
  }

  next(): Block | undefined {
    const type = this.#type();
    if (type === undefined) return undefined;
    this.#read++;
    if (type === SECTION_HEADER_BLOCK) return this.#section();
    const length = this.#take(4).getUint32(0, this.#littleEndian);
    const body = LOOKED_AT.has(type) ? this.#body(length, BLOCK_HEAD) : this.#passOver(length);
    return { type, body, littleEndian: this.#littleEndian };
  }

  /** The type of a section reads the same in either byte order. */
  #type(): number | undefined {
    const bytes = this.#first ?? this.#source.take(4);
    this.#first = undefined;
    if (bytes.length === 0) return undefined;
    if (bytes.length < 4) throw this.broken('it is cut short');
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, this.#littleEndian);
  }

  /** Its byte order magic, behind the length, says how the length is to be read. */
  #section(): Block {
    const head = this.#take(8);
    const isLittle = head.getUint32(4, true) === BYTE_ORDER_MAGIC;
    if (!isLittle && head.getUint32(4) !== BYTE_ORDER_MAGIC) throw this.broken('a section has no byte order');
    this.#littleEndian = isLittle;
    const body = this.#body(head.getUint32(0, isLittle), BLOCK_HEAD + 4);
    return { type: SECTION_HEADER_BLOCK, body, littleEndian: isLittle };
  }

  /** `head`: what of the block was read. */
  #body(length: number, head: number): DataView {
    if (!isLength(length, head) || length > MAX_BLOCK) throw this.#brokenLength(length);
    const rest = this.#take(length - head);
    this.#checkTail(rest, length);
    return new DataView(rest.buffer, rest.byteOffset, rest.byteLength - BLOCK_TAIL);
  }

  #passOver(length: number): DataView {
    if (!isLength(length, BLOCK_HEAD)) throw this.#brokenLength(length);
    let left = length - BLOCK_HEAD - BLOCK_TAIL;
    for (; left > 0; left -= PIECE) this.#take(Math.min(left, PIECE));
    this.#checkTail(this.#take(BLOCK_TAIL), length);
    return NOTHING;
  }

  #checkTail(rest: DataView, length: number): void {
    if (rest.getUint32(rest.byteLength - BLOCK_TAIL, this.#littleEndian) !== length)
      throw this.broken('the two lengths of a block differ: it is broken from there on');
  }

  #brokenLength(length: number): CaptureProblem {
    return this.broken(`a block says it has ${length} bytes: it is broken from there on`);
  }

  #take(count: number): DataView {
    const bytes = this.#source.take(count);
    if (bytes.length < count) throw this.broken('it is cut short');
    return new DataView(bytes.buffer, bytes.byteOffset, count);
  }
}

function isLength(length: number, head: number): boolean {
  return length >= head + BLOCK_TAIL && length % 4 === 0;
}

function readInterface({ body, littleEndian }: Block): Interface {
  if (body.byteLength < 8) return { name: undefined, linkType: -1, snapLength: 0, toNs: (ticks) => ticks };
  let name: string | undefined;
  let resolution = MICROSECONDS;
  let offsetSeconds = 0n;
  for (const [code, value] of options(body, 8, littleEndian)) {
    if (code === IF_NAME) name = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
    else if (code === IF_TIMESTAMP_RESOLUTION && value.byteLength >= 1) resolution = value.getUint8(0);
    else if (code === IF_TIMESTAMP_OFFSET && value.byteLength >= 8) offsetSeconds = value.getBigInt64(0, littleEndian);
  }
  const perSecond = (resolution & 0x80) === 0 ? 10n ** BigInt(resolution) : 1n << BigInt(resolution & 0x7f);
  return {
    name,
    linkType: body.getUint16(0, littleEndian),
    snapLength: body.getUint32(4, littleEndian),
    toNs: (ticks) => (ticks * 1_000_000_000n) / perSecond + offsetSeconds * 1_000_000_000n,
  };
}

function* options(body: DataView, start: number, littleEndian: boolean): Generator<[code: number, value: DataView]> {
  let at = start;
  while (at + 4 <= body.byteLength) {
    const code = body.getUint16(at, littleEndian);
    const length = body.getUint16(at + 2, littleEndian);
    if (code === OPTION_END || at + 4 + length > body.byteLength) return;
    yield [code, new DataView(body.buffer, body.byteOffset + at + 4, length)];
    at += 4 + ((length + 3) & ~3);
  }
}

function readPacket(
  { type, body, littleEndian }: Block,
  interfaces: readonly Interface[],
  number: number,
): ReadPacket | undefined {
  const u32 = (at: number) => body.getUint32(at, littleEndian);
  if (type === SIMPLE_PACKET_BLOCK) {
    const [only] = interfaces;
    if (body.byteLength < 4 || only === undefined) return undefined;
    const length = u32(0);
    const limit = only.snapLength === 0 ? length : Math.min(length, only.snapLength);
    return packetOf(only, number, undefined, { body, at: 4, captured: limit, length });
  }
  if (body.byteLength < 20) return undefined;
  const owner = interfaces[type === PACKET_BLOCK ? body.getUint16(0, littleEndian) : u32(0)];
  if (owner === undefined) return undefined;
  const ticks = (BigInt(u32(4)) << 32n) | BigInt(u32(8));
  return packetOf(owner, number, owner.toNs(ticks), { body, at: 20, captured: u32(12), length: u32(16) });
}

interface Extent {
  readonly body: DataView;
  readonly at: number;
  readonly captured: number;
  readonly length: number;
}

function packetOf(
  { name, linkType }: Interface,
  number: number,
  timestampNs: bigint | undefined,
  { body, at, captured, length }: Extent,
): ReadPacket | undefined {
  if (at + captured > body.byteLength) return undefined;
  const bytes = new Uint8Array(body.buffer, body.byteOffset + at, captured);
  return { number, timestampNs, bytes, length: Math.max(length, captured), linkType, interfaceName: name };
}
