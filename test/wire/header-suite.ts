import test from 'ava';
import type { WireProblem } from '../../lib/wire/problem.ts';
import { concat, toHex, viewOf } from './bytes.ts';

/** A file of lib/wire as the suite sees it. */
export interface HeaderCodec<Header> {
  readonly name: string;
  readonly check: (view: DataView, offset: number, end: number) => WireProblem | undefined;
  readonly parse: (view: DataView, offset: number) => Header;
  readonly emit: (view: DataView, offset: number, header: Header) => number;
}

export interface HeaderExample<Header> {
  /** Ends a test name: "an echo request that flanneld carried". */
  readonly name: string;
  /** The header and whatever its length field says belongs to it. */
  readonly bytes: Uint8Array;
  readonly header: Header;
  /** Where `emit` leaves zero for a later `fill...Checksum`: offset of the two bytes. */
  readonly checksumLater?: number;
}

// The examples stand at this offset between bytes of 0xa5, so a forgotten offset or a byte too many shows.
const BEFORE = 3;
const FILL = 0xa5;

/** What every header codec must do; the codecs add their own malformed cases. */
export function testHeaderCodec<Header>(codec: HeaderCodec<Header>, examples: readonly HeaderExample<Header>[]): void {
  for (const example of examples) {
    const { bytes, header } = example;
    const fill = new Uint8Array(BEFORE).fill(FILL);
    const placed = concat(fill, bytes, fill);
    const end = BEFORE + bytes.length;

    test(`${codec.name}: parses ${example.name}`, (t) => {
      t.is(codec.check(viewOf(placed), BEFORE, end), undefined);
      t.deepEqual(codec.parse(viewOf(placed), BEFORE), header);
    });

    test(`${codec.name}: emits ${example.name} and touches nothing else`, (t) => {
      const target = new Uint8Array(placed.length).fill(FILL);
      const length = codec.emit(viewOf(target), BEFORE, header);
      const wanted = concat(
        fill,
        bytes.subarray(0, length),
        new Uint8Array(placed.length - BEFORE - length).fill(FILL),
      );
      if (example.checksumLater !== undefined)
        wanted.fill(0, BEFORE + example.checksumLater, BEFORE + example.checksumLater + 2);
      t.is(toHex(target), toHex(wanted));
    });

    test(`${codec.name}: finds every truncation of ${example.name}`, (t) => {
      for (let length = 0; length < bytes.length; length++)
        t.is(codec.check(viewOf(placed), BEFORE, BEFORE + length), 'truncated', `cut to ${length} bytes`);
    });

    test(`${codec.name}: reads nothing beyond ${example.name}`, (t) => {
      // A view that ends where the example ends: an access behind it throws RangeError.
      const exact = concat(bytes);
      t.notThrows(() => {
        codec.check(viewOf(exact), 0, exact.length);
        codec.parse(viewOf(exact), 0);
      });
    });
  }
}
