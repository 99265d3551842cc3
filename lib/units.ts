/** Quantities as people read them. JSON output never goes through here. */

/** 1234567 is "1,234,567". */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** To so many decimal places; without any as formatCount has it. */
export function formatDecimal(value: number, digits: number): string {
  return digits === 0 ? formatCount(value) : value.toFixed(digits);
}

/** Decimal units, as in network rates: 1500 is "1.5 kB". */
export function formatBytes(value: number): string {
  return formatScaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

/** Bytes per second as a bit rate: 125 is "1.0 kb/s". */
export function formatBitRate(bytesPerSecond: number): string {
  return formatScaled(bytesPerSecond * 8, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s']);
}

function formatScaled(value: number, units: readonly string[]): string {
  let scaled = value;
  let index = 0;
  // 999.95 would print as 1000.0.
  while (scaled >= 999.95 && index < units.length - 1) {
    scaled /= 1000;
    index++;
  }
  return `${index === 0 ? Math.round(scaled) : scaled.toFixed(1)} ${units[index]}`;
}

/** Something per second, without "a second": "0.4", "12", "1,204"; what is more than nothing is not "0". */
export function formatRate(value: number): string {
  if (value === 0) return '0';
  if (value < 0.1) return '<0.1';
  return value < 9.95 ? value.toFixed(1) : formatCount(value);
}

/** "850 ns", "12.3 us", "4.1 ms". */
export function formatNanoseconds(value: number): string {
  if (value < 999.5) return `${Math.round(value)} ns`;
  return value < 999_950 ? `${(value / 1e3).toFixed(1)} us` : `${(value / 1e6).toFixed(1)} ms`;
}

/** Round-trip time, milliseconds: "0.21 ms", "12.3 ms", "120 ms". */
export function formatRtt(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** "12:31:07", local time, of milliseconds since the epoch. */
export function formatTimeOfDay(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** Whole seconds below a minute, then the two largest units: "42 s", "3 min 5 s", "23 h 0 min", "2 d 4 h". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Time from `nowMs` to an ISO 8601 instant: "in 23 h 59 min", "expired". null is "never". */
export function formatExpiry(expiresAt: string | null, nowMs: number): string {
  if (expiresAt === null) return 'never';
  const seconds = (Date.parse(expiresAt) - nowMs) / 1000;
  return seconds <= 0 ? 'expired' : `in ${formatDuration(seconds)}`;
}

/** Age of a table entry: "3 min 5 s"; null, for entries that do not age, is "-". */
export function formatAge(seconds: number | null): string {
  return seconds === null ? '-' : formatDuration(seconds);
}
