import test from 'ava';
import { judgeNoise, type NoiseInput } from '../../lib/bench/noise.ts';

const QUIET: NoiseInput = {
  controls: [
    { loopMs: 10, othersShare: 0.01 },
    { loopMs: 10.5, othersShare: 0.3 },
    { loopMs: 11, othersShare: 0.02 },
  ],
  stealShare: 0.01,
  direct: [
    { setting: 'free', samples: [10, 14, 18, 20] },
    { setting: 'one-core', samples: [20, 21, 19] },
  ],
};

test('a machine whose figures repeat is quiet; one busy moment in a rest is no neighbour', (t) => {
  t.deepEqual(judgeNoise(QUIET), { ...QUIET, verdict: 'quiet', reasons: [] });
  t.is(judgeNoise({ controls: [], stealShare: 0, direct: [] }).verdict, 'quiet');
});

test('steal, neighbours, a CPU that changes its speed, and a direct path that does not repeat are each a reason', (t) => {
  const because = (more: Partial<NoiseInput>): readonly string[] => {
    const { verdict, reasons } = judgeNoise({ ...QUIET, ...more });
    t.is(verdict, reasons.length === 0 ? 'quiet' : 'noisy');
    return reasons;
  };
  t.deepEqual(because({ stealShare: 0.052 }), ['the hypervisor gave 5.2 % of the CPU time to others (at most 3.0 %)']);
  const busy = QUIET.controls.map((control) => ({ ...control, othersShare: 0.4 }));
  t.deepEqual(because({ controls: busy }), ['other programs used 40 % of a CPU while the run rested (at most 10 %)']);
  const slow = [...QUIET.controls, { loopMs: 15, othersShare: 0 }];
  t.deepEqual(because({ controls: slow }), [
    'a fixed calculation took 1.50 times as long in one round as in another (at most 1.25)',
  ]);
  t.deepEqual(because({ direct: [{ setting: 'one-core', samples: [20, 15, 25] }] }), [
    'the direct path, one-core, varied by 25 % from round to round (at most 12 %)',
  ]);
  t.deepEqual(because({ direct: [{ setting: 'one-core', samples: [20, 5] }] }), [], 'two repeats say nothing');
});
