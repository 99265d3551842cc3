import test from 'ava';
import { judgeNoise } from '../../../lib/bench/noise.ts';
import type { BenchReport } from '../../../lib/bench/report.ts';
import { formatRun } from '../../../lib/cli/commands/bench-run.ts';

/** What one stream over the direct path came to. */
const direct = (rounds: number) => ({ setting: 'free', samples: Array.from({ length: rounds }, () => 10) });

function run(more: Partial<BenchReport> = {}, rounds = 5): string {
  const report = {
    results: [direct(rounds)],
    interrupted: false,
    budget: null,
    notMeasured: [],
    estimate: null,
    noise: judgeNoise({ controls: [], stealShare: 0, direct: [direct(rounds)] }),
    method: { rounds: 5 },
    ...more,
  };
  // What it does not read is left out.
  return formatRun(report as unknown as BenchReport);
}

test('a whole run says that it can be believed, a run of one round that it cannot tell', (t) => {
  t.is(run(), 'The machine was quiet enough: its figures repeat.\n');
  t.regex(run({}, 1), /^The machine was quiet, as far as one round can tell: /);
});

test('that figures repeat is said only where the direct path was measured often enough, also of a run broken off', (t) => {
  const UNKNOWN =
    /^The machine was quiet\. Whether its figures repeat, only tcp1 of the direct path\nin 3 rounds tells\.\n$/;
  t.regex(run({}, 2), UNKNOWN);
  t.regex(run({ noise: judgeNoise({ controls: [], stealShare: 0, direct: [] }) }), UNKNOWN);
  t.regex(run({ results: [] }), /as far as one round can tell/, 'scales alone are measured once');
});

test('one that was broken off says so, what it left out and how good its estimate was', (t) => {
  const text = run({
    interrupted: true,
    estimate: { atSeconds: 300, leftSeconds: 270, tookSeconds: 300, error: -0.1 },
    notMeasured: [
      { setting: 'free', test: 'tcp1', path: 'weft-ipip', rounds: 1 },
      { setting: 'free', test: 'tcp1', path: 'direct', rounds: 3 },
      { setting: 'nic-like', test: 'rtt', path: 'direct', rounds: 1 },
    ],
    noise: judgeNoise({ controls: [], stealShare: 0.2, direct: [] }),
  });
  t.is(
    text,
    `At half of the run 4 min 30 s were said to be left, and it took 5 min 0 s: 10 %
too little.
Not measured: free tcp1 weft-ipip, direct (3 rounds); nic-like rtt direct
INTERRUPTED: this is what was measured before.
TOO NOISY TO BELIEVE: the hypervisor gave 20 % of the CPU time to others (at
most 3.0 %).
`,
  );
  t.regex(run({ budget: { seconds: 60, usedUp: true } }), /^The 60 s of this run are used up: a longer --budget /);
  t.notRegex(run({ budget: { seconds: 60, usedUp: false } }), /used up/);
});
