/** A report that `weft bench --json` wrote, read back: the file may be anything, and of an older run. Pure. */
import { type BenchReport, SCHEMA } from '../bench/report.ts';
import { WeftError } from '../error.ts';

export const READ_HINT = 'Name a file that weft bench --json wrote';

/** `name`: of the file, for the message. Throws WeftError REPORT_UNREADABLE. */
export function readReport(text: string, name: string): BenchReport {
  const problem = (what: string, cause?: unknown): WeftError =>
    new WeftError('REPORT_UNREADABLE', `${name} is no report of weft bench: ${what}`, {
      cause,
      hint: READ_HINT,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw problem('it is not JSON', cause);
  }
  const schema = isObject(value) ? value.schema : undefined;
  if (schema !== SCHEMA)
    throw problem(typeof schema === 'string' ? `its schema is ${schema}, not ${SCHEMA}` : `it has no schema ${SCHEMA}`);
  const wrong = mismatch(value, REPORT, '');
  if (wrong !== undefined) throw problem(wrong);
  // `mismatch` has seen all that the report's pages use.
  return value as BenchReport;
}

/** What a value has to be: a type, a list of one shape, names of keys with their shapes; `?` may be missing or null. */
type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | { readonly list: Shape }
  | { readonly values: Shape }
  | Keys
  | { readonly maybe: Shape };
interface Keys {
  readonly keys: Readonly<Record<string, Shape>>;
}

const list = (shape: Shape): Shape => ({ list: shape });
const maybe = (shape: Shape): Shape => ({ maybe: shape });
const keys = (shapes: Readonly<Record<string, Shape>>): Keys => ({ keys: shapes });
const NUMBERS = list('number');

const ROW = keys({
  setting: 'string',
  test: 'string',
  metric: 'string',
  unit: 'string',
  path: 'string',
  samples: NUMBERS,
  median: 'number',
  min: 'number',
  max: 'number',
  deviation: 'number',
  outliers: NUMBERS,
  ratioToKernelVxlan: maybe('number'),
  limits: maybe(list('string')),
});

const REPORT = keys({
  startedAt: 'string',
  durationSeconds: 'number',
  interrupted: 'boolean',
  budget: maybe(keys({ seconds: 'number', usedUp: 'boolean' })),
  notMeasured: list(keys({ setting: 'string', test: 'string', path: 'string', rounds: 'number' })),
  noise: keys({
    verdict: 'string',
    reasons: list('string'),
    stealShare: 'number',
    controls: list(keys({ loopMs: 'number', othersShare: 'number' })),
  }),
  environment: keys({
    kernel: 'string',
    cpu: 'string',
    cpus: 'number',
    memoryBytes: 'number',
    node: 'string',
    weft: 'string',
    commit: maybe('string'),
    loadAverage: 'number',
    defaultCongestionControl: 'string',
  }),
  method: keys({
    rounds: 'number',
    congestionControl: 'string',
    tcpSeconds: 'number',
    tcpOmittedSeconds: 'number',
    qdisc: 'string',
    underlayMtu: 'number',
    innerMtu: 'number',
    tcpMss: maybe('number'),
    maxLoss: 'number',
    udpTrialSeconds: 'number',
    generator: 'string',
    pings: 'number',
    pingIntervalSeconds: 'number',
    rttResolutionMs: 'number',
    oneCoreCpu: 'number',
  }),
  results: list(ROW),
  stages: maybe(
    list(
      keys({
        setting: 'string',
        test: 'string',
        path: 'string',
        side: 'string',
        stage: 'string',
        samples: NUMBERS,
        median: 'number',
        min: 'number',
        max: 'number',
        deviation: 'number',
      }),
    ),
  ),
  latencies: maybe(
    list(
      keys({
        setting: 'string',
        test: 'string',
        path: 'string',
        count: 'number',
        bucketsPerOctave: 'number',
        first: 'number',
        counts: NUMBERS,
      }),
    ),
  ),
  generatorCeiling: list(keys({ setting: 'string', sentPerSecond: 'number', receivedPerSecond: 'number' })),
  offloads: { values: list(keys({ name: 'string', active: 'boolean', reason: 'string' })) },
  fib: list(keys({ routes: 'number', nanosecondsPerLookup: 'number' })),
  fdb: list(keys({ entries: 'number', nanosecondsPerLookup: 'number' })),
  scale: keys({
    routes: list(keys({ routes: 'number', nanosecondsPerLookup: 'number', loadMs: 'number' })),
    peers: list(
      keys({
        peers: 'number',
        knownSeconds: 'number',
        packetsPerSecond: 'number',
        limit: 'string',
        residentBytes: 'number',
        restCpuShare: 'number',
      }),
    ),
    leases: list(keys({ perSecond: 'number', leases: 'number', gigabitsPerSecond: 'number', lastSeconds: 'number' })),
  }),
  daemon: maybe(keys({ readySeconds: NUMBERS, residentBytesOf: { values: 'number' } })),
  storm: maybe(keys({ framesPerSecond: 'number', offered: 'number', flooded: 'number', limited: 'number' })),
  fragments: { values: 'number' },
  thresholds: list(
    keys({
      name: 'string',
      comparison: 'string',
      limit: 'number',
      unit: 'string',
      measured: maybe('number'),
      state: 'string',
    }),
  ),
  failures: list(keys({ round: 'number', setting: 'string', test: 'string', path: 'string', message: 'string' })),
});

/** What is wrong with the first place that is not as the shape says; undefined: nothing. */
function mismatch(value: unknown, shape: Shape, path: string): string | undefined {
  if (typeof shape === 'string') {
    const fits = typeof value === shape && (shape !== 'number' || Number.isFinite(value));
    return fits ? undefined : `${path.slice(1)} is no ${shape}`;
  }
  if ('maybe' in shape) return value === undefined || value === null ? undefined : mismatch(value, shape.maybe, path);
  if ('list' in shape) {
    if (!Array.isArray(value)) return `${path.slice(1)} is no list`;
    return first(value.entries(), (key, item) => mismatch(item, shape.list, `${path}.${key}`));
  }
  if (!isObject(value)) return `${path === '' ? 'it' : path.slice(1)} is no object`;
  if ('values' in shape)
    return first(Object.entries(value), (key, item) => mismatch(item, shape.values, `${path}.${key}`));
  return first(Object.entries(shape.keys), (key, inner) => mismatch(value[key], inner, `${path}.${key}`));
}

function first<K, V>(entries: Iterable<[K, V]>, check: (key: K, value: V) => string | undefined): string | undefined {
  for (const [key, value] of entries) {
    const wrong = check(key, value);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
