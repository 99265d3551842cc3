// Any bytes at all as a capture file.
import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { readCapture } from '../capture/read-capture.ts';
import { Dice } from '../golden/dice.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';

const dice = new Dice();
const MAGICS = ['d4c3b2a1', 'a1b2c3d4', '4d3cb2a1', 'a1b23c4d'].map(hex);

test('reads a damaged capture as far as it goes, or refuses it in words', (t) => {
  let read = 0;
  for (let round = 0; round < 5000; round++) {
    // Records with short lengths, so that several fit and a damaged length can point anywhere.
    const records = Array.from({ length: dice.below(5) }, () => {
      const length = dice.below(30);
      const head = concat(dice.bytes(8), Uint8Array.of(length, 0, 0, 0, length, 0, 0, 0));
      return concat(head, dice.bytes(length));
    });
    let file = concat(dice.pick(MAGICS), dice.bytes(20), ...records);
    for (let times = dice.below(3); times > 0; times--) file[dice.below(file.length)] = dice.below(256);
    if (dice.oneIn(3)) file = file.slice(0, dice.below(file.length + 1));
    const because = `WEFT_SEED=${dice.seed}: ${toHex(file)}`;
    try {
      const capture = readCapture(file);
      read++;
      const bytes = capture.packets.reduce((sum, packet) => sum + 16 + packet.bytes.length, 24);
      t.true(capture.problem === undefined ? bytes === file.length : bytes < file.length || file.length < 24, because);
    } catch (error) {
      t.true(error instanceof WeftError && error.code === 'CAPTURE_UNREADABLE', because);
    }
  }
  t.true(read > 1000, `only ${read} of 5000 were read`);
});
