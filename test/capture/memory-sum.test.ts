import test from 'ava';
import { fold, MemorySum } from '../../lib/capture/memory-sum.ts';
import { internetSum } from '../../lib/wire/checksum.ts';
import { Dice } from '../golden/dice.ts';

test('bytes anywhere in a memory have the sum that the definition gives them', (t) => {
  const dice = new Dice();
  const buffer = new ArrayBuffer(4097);
  const sum = new MemorySum();
  for (let round = 0; round < 300; round++) {
    // Also views that begin at an odd byte, and another memory in between.
    const memory = new Uint8Array(round % 7 === 0 ? new ArrayBuffer(4097) : buffer, round % 3);
    const start = dice.below(2000);
    const end = start + dice.below(2000);
    for (let at = start; at < end; at++) memory[at] = dice.oneIn(4) ? 0xff : dice.below(256);
    const expected = internetSum(new DataView(memory.buffer, memory.byteOffset), start, end);
    t.is(fold(sum.of(memory, start, end)) % 0xffff, expected % 0xffff, `WEFT_SEED=${dice.seed} round ${round}`);
  }
});
