/** What a run measures, in order: known as a whole before anything is measured, so that what is left can be told. Pure. */
import { SCALES, type ScaleName, SETTINGS, type Setting, TESTS, type TestName } from './matrix.ts';
import { isWanted, PATHS, type PathName, type Selection } from './paths.ts';

/** One path in one setting: its daemons start, its tests run one after the other, its daemons stop. */
export interface Visit {
  /** From 1. */
  readonly round: number;
  readonly setting: Setting;
  readonly path: PathName;
  readonly tests: readonly TestName[];
}

/** The paths of a selection that are measured anywhere, in the order of the tables. */
export function pathsOf(selection: Selection): PathName[] {
  return PATHS.filter((path) => SETTINGS.some((setting) => testsOf(selection, setting, path).length > 0));
}

export function testsOf(selection: Selection, setting: Setting, path: PathName): TestName[] {
  return TESTS.filter((test) => isWanted(selection, setting, test, path));
}

/** A run without a selection measures all of them, but for --quick; with one, those that it names. */
export function scalesOf({ settings, paths, tests, quick }: Selection): ScaleName[] {
  if (tests !== undefined) return SCALES.filter((scale) => tests.includes(scale));
  return settings === undefined && paths === undefined && quick !== true ? [...SCALES] : [];
}

/** Round after round, in each the settings, in each the paths. `rounds`: from 1. */
export function planRun(selection: Selection, rounds: number): Visit[] {
  const paths = pathsOf(selection);
  const visits: Visit[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const setting of SETTINGS)
      for (let i = 0; i < paths.length; i++) {
        // Every round begins with another path: none always comes first after a pause, or after the same neighbour.
        const path = paths[(i + round - 1) % paths.length]!;
        const tests = testsOf(selection, setting, path);
        if (tests.length > 0) visits.push({ round, setting, path, tests });
      }
  return visits;
}

/** What was planned and not measured, and in how many rounds. */
export interface NotMeasured {
  readonly setting: Setting;
  readonly test: TestName | ScaleName;
  readonly path: PathName;
  readonly rounds: number;
}

/** `tried`: what was measured, or failed. */
export function notMeasured(
  plan: readonly Visit[],
  tried: readonly (Omit<NotMeasured, 'rounds'> & { readonly round: number })[],
): NotMeasured[] {
  const left = new Map<string, NotMeasured>();
  const done = new Set(tried.map(({ round, setting, test, path }) => `${round} ${setting} ${test} ${path}`));
  for (const { round, setting, path, tests } of plan)
    for (const test of tests) {
      if (done.has(`${round} ${setting} ${test} ${path}`)) continue;
      const key = `${setting} ${test} ${path}`;
      left.set(key, { setting, test, path, rounds: (left.get(key)?.rounds ?? 0) + 1 });
    }
  return [...left.values()];
}
