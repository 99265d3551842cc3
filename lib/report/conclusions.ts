/** Thresholds, what failed, what was left out, and what the names mean: tables without a picture. Pure. */
import { PATHS, pathText } from '../bench/paths.ts';
import type { BenchReport } from '../bench/report.ts';
import { formatCount } from '../units.ts';
import { notMeasured, type Section } from './figure.ts';
import { type Html, html, table } from './html.ts';
import { figure } from './numbers.ts';
import { byPath, groupBy } from './rows.ts';

export function thresholdsSection({ thresholds }: BenchReport): Section {
  const section = { id: 'thresholds', title: 'Thresholds' };
  const measured = thresholds.filter((threshold) => threshold.measured !== null);
  if (measured.length === 0) return { ...section, parts: [notMeasured('any figure that has a threshold')] };
  const missed = measured.filter(({ state }) => state === 'MISSED').length;
  const others = thresholds.length - measured.length;
  const text = `${missed === 0 ? `All ${measured.length} thresholds of what was measured are kept` : `${missed} of ${measured.length} thresholds are missed`}${others === 0 ? '' : `; ${others} more are of what was not measured`}.`;
  const rows = measured.map(({ name, comparison, limit, unit, measured: value, state }) => {
    const sign = comparison === 'at least' ? '≥' : '≤';
    const word = state === 'MISSED' ? html`<strong class="bad">missed</strong>` : 'kept';
    return [name, `${sign} ${limit}${unit === '' ? '' : ` ${unit}`}`, figure(value ?? 0), word];
  });
  const columns = [{ title: 'Threshold' }, { title: 'Wanted' }, { title: 'Measured', number: true }, { title: '' }];
  return {
    ...section,
    parts: [
      html`<p class="finding">${text}</p>${table('Thresholds', [...columns.slice(0, 3), { title: 'State' }], rows)}`,
    ],
  };
}

export function missingSection({ failures, notMeasured: missing }: BenchReport): Section {
  const failed = [...groupBy(failures, ({ message }) => message)].map(([message, group]) => [
    [...new Set(group.map(({ setting, test, path }) => `${setting} ${test} ${path}`))].join(', '),
    [...new Set(group.map(({ round }) => round))].join(', '),
    // What a daemon logged follows on lines of its own: the JSON has it.
    message.includes('\n') ? `${message.slice(0, message.indexOf('\n'))} …` : message,
  ]);
  const left = missing.map(({ setting, test, path, rounds }) => [`${setting} ${test} ${path}`, String(rounds)]);
  const body = html`${
    failed.length === 0
      ? html`<p>No measurement failed.</p>`
      : html`<p class="finding">${failures.length === 1 ? 'One measurement' : `${failures.length} measurements`} failed.</p>${table(
          'Failed',
          [{ title: 'Measurement' }, { title: 'Round', number: true }, { title: 'Why' }],
          failed,
        )}`
  }${
    left.length === 0
      ? html`<p>All that was planned was tried.</p>`
      : html`<p class="finding">Planned and not measured:</p>${table(
          'Not measured',
          [{ title: 'Measurement' }, { title: 'Rounds', number: true }],
          left,
        )}`
  }`;
  return { id: 'missing', title: 'What is missing', parts: [body] };
}

/** What the figures rest on beside the method, and the paths by name. */
export function notesSection(report: BenchReport): Section {
  const paths = [...new Set(report.results.map(({ path }) => path))].toSorted(byPath);
  const known = paths.map((path) => [
    path,
    PATHS.includes(path) ? pathText(path) : 'a path that this version does not know',
  ]);
  const rows = notes(report);
  const body = html`${
    known.length === 0 ? undefined : table('What each path is', [{ title: 'Path' }, { title: 'What it is' }], known)
  }${rows.length === 0 ? undefined : table('Notes', [{ title: 'What' }, { title: 'Value' }], rows)}`;
  return { id: 'notes', title: 'Paths and notes', parts: [body] };
}

function notes({ offloads, generatorCeiling, fib, fdb, storm, fragments, results }: BenchReport): (string | Html)[][] {
  const broken = Object.entries(fragments).filter(([, count]) => count > 0);
  return [
    ...Object.entries(offloads).flatMap(([path, statuses]) =>
      statuses.length === 0 ? [] : [[`Offloads of ${path}`, offloadText(statuses)]],
    ),
    ...generatorCeiling.map(({ setting, sentPerSecond, receivedPerSecond }) => [
      `UDP generator, ${setting}`,
      `floods the direct path with ${formatCount(sentPerSecond)} packets/s, ${formatCount(receivedPerSecond)} arrive`,
    ]),
    ...fib.map(({ routes, nanosecondsPerLookup }) => [
      `FIB lookup, ${formatCount(routes)} routes`,
      `${figure(nanosecondsPerLookup)} ns`,
    ]),
    ...fdb.map(({ entries, nanosecondsPerLookup }) => [
      `FDB lookup, ${formatCount(entries)} leases`,
      `${figure(nanosecondsPerLookup)} ns`,
    ]),
    ...(storm === null
      ? []
      : [
          [
            'Storm',
            `${formatCount(storm.framesPerSecond)} broadcasts a second; of ${formatCount(storm.offered)} offered the limiter dropped ${formatCount(storm.limited)}, ${formatCount(storm.flooded)} BUM frames left`,
          ],
        ]),
    ...(results.length === 0
      ? []
      : [
          [
            'IP fragments made',
            broken.length === 0 ? 'none' : broken.map(([path, count]) => `${path} ${count}`).join(', '),
          ],
        ]),
  ];
}

function offloadText(statuses: NonNullable<BenchReport['offloads']['weft-udp']>): string {
  const names = (active: boolean): string =>
    [
      ...new Set(
        statuses
          .filter((status) => status.active === active)
          .map(({ name, reason }) => (active ? name : `${name} (${reason})`)),
      ),
    ].join(', ');
  return `in use: ${names(true) || 'none'}${names(false) === '' ? '' : `; off: ${names(false)}`}`;
}
