import test from 'ava';
import { stageShares } from '../../../lib/page/live/stage-sums.ts';
import { tick } from './scene.ts';

test('a turn is the sum of its stages, over all ticks that measured one', (t) => {
  const ticks = [tick(0, 1), { ...tick(1, 1), stages: null }, tick(2, 1)];
  const shares = stageShares(ticks, 'outbound')!;
  t.deepEqual(
    shares.stages.map(({ name }) => name),
    ['wake-up', 'read', 'our code', 'send'],
  );
  t.is(shares.turns, 16);
  t.is(shares.packets, 80);
  const { sum, packets } = {
    sum: ticks[0]!.stages!.outbound.send.sum + ticks[2]!.stages!.outbound.send.sum,
    packets: 80,
  };
  t.is(shares.stages[3]!.perTurn, sum / 16);
  t.is(shares.stages[3]!.perPacket, sum / packets);
  t.is(shares.stages[0]!.perPacket, null, 'waking up is for no packet in particular');
  t.is(
    shares.perTurn,
    shares.stages.reduce((all, { perTurn }) => all + perTurn, 0),
  );
  t.is(stageShares(ticks, 'inbound')!.packets, 64);
});

test('without a turn there is nothing to say', (t) => {
  t.is(stageShares([], 'outbound'), undefined);
  t.is(stageShares([tick(0, 0)], 'inbound'), undefined);
});
