import test from 'ava';
import {
  formatBitRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatExpiry,
  formatNanoseconds,
  formatRate,
  formatRtt,
  formatTimeOfDay,
} from '../lib/units.ts';

const rows: readonly (readonly [actual: string, expected: string])[] = [
  [formatCount(0), '0'],
  [formatCount(999), '999'],
  [formatCount(1000), '1,000'],
  [formatCount(1234567.6), '1,234,568'],
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(1000), '1.0 kB'],
  [formatBytes(999_949), '999.9 kB'],
  [formatBytes(999_950), '1.0 MB'],
  [formatBytes(2 ** 53), '9.0 PB'],
  [formatBitRate(125), '1.0 kb/s'],
  [formatBitRate(1.25e9), '10.0 Gb/s'],
  [[0, 0.01, 0.4, 9.94, 9.96, 1204].map(formatRate).join(), '0,<0.1,0.4,9.9,10,1,204'],
  [[850, 999.7, 12_300, 999_960].map(formatNanoseconds).join(), '850 ns,1.0 us,12.3 us,1.0 ms'],
  [[0.2, 12.34, 120].map(formatRtt).join(), '0.20 ms,12.3 ms,120 ms'],
  [formatTimeOfDay(new Date(2026, 10, 29, 12, 31, 7).getTime()), '12:31:07'],
  [formatDuration(-1), '0 s'],
  [formatDuration(59.9), '59 s'],
  [formatDuration(60), '1 min 0 s'],
  [formatDuration(3599), '59 min 59 s'],
  [formatDuration(3600), '1 h 0 min'],
  [formatDuration(86399), '23 h 59 min'],
  [formatDuration(86400 * 3 + 7200), '3 d 2 h'],
  [formatExpiry(null, 0), 'never'],
  [formatExpiry('1970-01-01T00:01:00.000Z', 0), 'in 1 min 0 s'],
  [formatExpiry('1970-01-01T00:00:00.000Z', 1), 'expired'],
];
test('quantities print as people read them', (t) => {
  for (const [actual, expected] of rows) t.is(actual, expected);
});
