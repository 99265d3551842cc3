/** Other programs that a run needs, looked for before anything is built. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { WeftError } from '../error.ts';
import { toolMissing } from '../lab/command.ts';
import { isTcp, isUdp, LOADS } from './matrix.ts';
import { setupOf } from './paths.ts';
import type { Visit } from './plan.ts';

/** The programs of a plan; `scales`: whether something is measured that grows with the network. */
export function programsOf(plan: readonly Visit[], scales: boolean): string[] {
  const tests = plan.flatMap((visit) => visit.tests);
  // A path with daemons is asked by ping whether it is there.
  const daemons =
    scales || plan.some(({ path }) => !['direct', 'kernel-vxlan', 'plain-routing'].includes(setupOf(path).kind));
  const iperf3 = scales || tests.some((test) => isTcp(test) || (!isUdp(test) && LOADS[test] > 0));
  const ping = daemons || tests.some((test) => !isTcp(test) && !isUdp(test));
  return [
    'ip',
    'tc',
    'ethtool',
    ...(daemons ? ['etcd', 'etcdctl'] : []),
    ...(iperf3 ? ['iperf3'] : []),
    ...(ping ? ['ping'] : []),
  ];
}

/** Throws WeftError TOOL_MISSING for the first that is not in the folders of `path`, a PATH. */
export function requirePrograms(names: readonly string[], path: string): void {
  for (const name of names) if (findProgram(name, path) === undefined) throw toolMissing(name);
}

/** Where a program is, by the folders of a PATH; undefined: nowhere. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => whyNotExecutable(file) === undefined);
}

/** Throws WeftError FLANNELD_MISSING, naming the file, unless it can be run. */
export function checkFlanneld(file: string): void {
  const problem = whyNotExecutable(file);
  if (problem === undefined) return;
  throw new WeftError('FLANNELD_MISSING', `Cannot run flanneld: "${file}" ${problem}`, {
    hint: 'Give the path of flanneld with --flanneld, or leave it out: the other paths need none',
  });
}

function whyNotExecutable(file: string): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return 'does not exist';
  if (!stats.isFile()) return 'is not a file';
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch {
    return 'is not executable';
  }
}
