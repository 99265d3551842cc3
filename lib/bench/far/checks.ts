/** Checks of values that the other side sent. Pure. */
export type Check = (value: unknown) => boolean;

export const oneOf =
  (values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);

export const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;

export const between =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most;

export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

export const matching =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);

/** Text of at most so many characters. */
export const text =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= most;

export const listOf =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every((item) => check(item));

/** An object that has these keys of its own; others do no harm. */
export const having =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(checks).every(
      ([key, check]) => Object.hasOwn(value, key) && check((value as Readonly<Record<string, unknown>>)[key]),
    );

const QUAD = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;

/** "192.0.2.1" */
export const address4: Check = matching(new RegExp(`^${QUAD}$`));
/** "10.244.7.0/24" */
export const prefix4: Check = matching(new RegExp(String.raw`^${QUAD}/\d{1,2}$`));
/** Of a VTEP; null where the backend has none. */
export const vtepMac: Check = orNull(matching(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/));
