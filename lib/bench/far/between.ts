/** One run of `weft bench --peer`: every path between the two machines, interleaved, round after round. */
import { describeMethod } from '../method.ts';
import { type BetweenHost, type BetweenOptions, BetweenRun } from './between-run.ts';
import { FAR_SCHEMA, type FarReport, toFarRows } from './far-report.ts';
import type { Role } from './handshake.ts';
import { planPaths } from './plan.ts';
import type { Sides } from './two-sides.ts';

/** Resolves to a report also when the far side is lost on the way. Codes: those of a far side that is lost before anything is measured. */
export async function runBetween(
  options: BetweenOptions,
  host: BetweenHost & { readonly addresses: Readonly<Record<Role, string>> },
  sides: Sides,
): Promise<FarReport> {
  const startedAt = host.now();
  const startSeconds = host.clock();
  const plan = await planPaths(sides, options.tests);
  const run = new BetweenRun(options, host, sides, plan);
  await run.measureAll();
  const side = (role: Role) => {
    const { environment, isRoot } = plan.descriptions[role];
    return { address: host.addresses[role], isRoot, environment };
  };
  return {
    schema: FAR_SCHEMA,
    startedAt: startedAt.toISOString(),
    // Not by the wall clock, which may be set meanwhile.
    durationSeconds: Math.round(host.clock() - startSeconds),
    interrupted: host.signal.aborted,
    lost: host.signal.aborted ? null : run.lost,
    near: side('near'),
    far: side('far'),
    method: describeMethod(options.rounds, options),
    overlay: plan.overlay,
    tcpMss: Object.fromEntries(run.tcpMss),
    results: toFarRows(run.samples),
    residentBytes: Object.fromEntries(run.residentBytes),
    notMeasured: [...plan.notMeasured, ...run.notReached()],
    failures: run.failures,
  };
}
