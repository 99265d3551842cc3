import test from 'ava';
import { SampleChoice } from '../../lib/ui/sample.ts';

test('some hundred forwarded packets a second are asked for, at once when more pass, calmly when fewer do', (t) => {
  const choice = new SampleChoice(64);
  t.true(choice.rate(10));
  t.is(choice.sample, 1);
  // Up to four times as many are borne without opening the tap anew.
  for (const rate of [490, 800, 1100]) t.false(choice.rate(rate), `${rate}`);
  t.true(choice.rate(400_000));
  t.is(choice.sample, 1201);
  for (let i = 0; i < 4; i++) t.false(choice.rate(0), 'a pause is no news');
  t.true(choice.rate(0));
  t.is(choice.sample, 1);
});

test('a rate that wavers does not open the tap again and again', (t) => {
  const choice = new SampleChoice(64);
  let changes = 0;
  for (let i = 0; i < 100; i++) if (choice.rate(i % 3 === 0 ? 40_000 : 12_000)) changes++;
  t.true(changes <= 1, `${changes}`);
  t.true(choice.rate(1e12));
  t.is(choice.sample, 1_000_000);
});
