/**
 * Command-line flags as Go's `flag` package reads them, because flanneld's users write them that way: one or two dashes,
 * `-name value` or `-name=value`, booleans as `-name` or `-name=false`, repeatable lists, `--` ends the flags.
 * https://pkg.go.dev/flag#hdr-Command_line_flag_syntax. Left out: underscores inside numbers.
 */
import type { WeftError } from '../../error.ts';
import { usage } from './flag-value.ts';

interface BoolFlag {
  readonly kind: 'bool';
  readonly default: boolean;
  readonly usage: string;
}
interface StringFlag {
  readonly kind: 'string';
  readonly default: string;
  readonly usage: string;
}
interface IntFlag {
  readonly kind: 'int';
  readonly default: number;
  readonly usage: string;
}
/** A flag that may be given several times; each use adds one entry. */
interface ListFlag {
  readonly kind: 'list';
  readonly usage: string;
}

type Flag = BoolFlag | StringFlag | IntFlag | ListFlag;
export type FlagSet = Readonly<Record<string, Flag>>;
type FlagValue = boolean | string | number | readonly string[];

type ValueOf<F extends Flag> = F extends BoolFlag
  ? boolean
  : F extends StringFlag
    ? string
    : F extends IntFlag
      ? number
      : readonly string[];

/** One value per flag of the set, under the flag's own name. */
export type FlagValues<S extends FlagSet> = { readonly [Name in keyof S]: ValueOf<S[Name]> };

export interface ParsedFlags<S extends FlagSet> {
  readonly values: FlagValues<S>;
  /** Where each value that is not a default came from: "-iface" or "FLANNELD_IFACE". */
  readonly origins: ReadonlyMap<string, string>;
  /** -h, -help or their two-dash forms were given and are not flags of the set. */
  readonly help: boolean;
}

/**
 * Reads `argv`, then the environment for flags not given there: variable `<prefix><NAME_IN_UPPER_CASE>` of the first
 * prefix that has a non-empty one. Throws WeftError USAGE with Go's own words for what is wrong.
 */
export function parseFlags<S extends FlagSet>(
  flags: S,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
  prefixes: readonly string[] = [],
): ParsedFlags<S> {
  const values: Record<string, FlagValue> = {};
  for (const [name, flag] of Object.entries(flags)) values[name] = flag.kind === 'list' ? [] : flag.default;
  const origins = new Map<string, string>();
  const help = parseArguments(flags, argv, values, origins);
  for (const [name, flag] of Object.entries(flags)) {
    if (origins.has(name)) continue;
    for (const prefix of prefixes) {
      const variable = environmentVariable(prefix, name);
      const text = environment[variable];
      if (text === undefined || text === '') continue;
      values[name] = readValue(flag, text, undefined, `environment variable ${variable}`);
      origins.set(name, variable);
      break;
    }
  }
  // The loop above gave every name of S a value of its own kind.
  return { values: values as unknown as FlagValues<S>, origins, help };
}

/** The environment variable of a flag: FLANNELD_ and etcd-endpoints give FLANNELD_ETCD_ENDPOINTS. */
export function environmentVariable(prefix: string, name: string): string {
  return prefix + name.toUpperCase().replaceAll('-', '_');
}

/**
 * Returns true when help was asked for; parsing stops there, as in Go. Empty arguments at the end, where a unit file has
 * variables that are not set, count for nothing; before a flag they would end Go's parsing, so there they are refused.
 */
function parseArguments(
  flags: FlagSet,
  argv: readonly string[],
  values: Record<string, FlagValue>,
  origins: Map<string, string>,
): boolean {
  const end = argv.findLastIndex((argument) => argument !== '') + 1;
  for (let index = 0; index < end; index++) {
    const argument = argv[index] ?? '';
    if (argument.length < 2 || argument[0] !== '-') throw strayArgument(argument, argv[index - 1], flags);
    if (argument === '--') {
      const stray = argv[index + 1];
      if (index + 1 < end && stray !== undefined) throw strayArgument(stray, undefined, flags);
      return false;
    }
    const body = argument.slice(argument[1] === '-' ? 2 : 1);
    if (body === '' || body[0] === '-' || body[0] === '=') throw usage(`bad flag syntax: ${argument}`);
    const equals = body.indexOf('=', 1);
    const name = equals < 0 ? body : body.slice(0, equals);
    let text = equals < 0 ? undefined : body.slice(equals + 1);
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      if (name === 'help' || name === 'h') return true;
      throw usage(`flag provided but not defined: -${name}`, suggestion(name, flags));
    }
    if (text === undefined && flag.kind === 'bool') text = 'true';
    if (text === undefined) text = argv[++index];
    if (text === undefined) throw usage(`flag needs an argument: -${name}`);
    values[name] = readValue(flag, text, values[name], `flag -${name}`);
    origins.set(name, `-${name}`);
  }
  return false;
}

function readValue(flag: Flag, text: string, before: FlagValue | undefined, where: string): FlagValue {
  if (flag.kind === 'string') return text;
  if (flag.kind === 'list') return [...(Array.isArray(before) ? (before as readonly string[]) : []), text];
  const value = flag.kind === 'bool' ? parseGoBool(text) : parseGoInt(text);
  if (value !== undefined) return value;
  const kind = flag.kind === 'bool' ? 'boolean ' : '';
  throw usage(`invalid ${kind}value ${JSON.stringify(text)} for ${where}: parse error`);
}

/** Go's strconv.ParseBool. */
function parseGoBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}

/** Go's strconv.ParseInt with base 0: a sign, then decimal, 0x, 0o or 0, 0b. Undefined past 2^53. */
function parseGoInt(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  let digits = text.replace(/^[+-]/, '');
  if (/^0[0-7]+$/.test(digits)) digits = `0o${digits.slice(1)}`;
  if (!/^(0x[0-9a-f]+|0o[0-7]+|0b[01]+|0|[1-9][0-9]*)$/i.test(digits)) return undefined;
  const value = sign * Number(digits);
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

function strayArgument(argument: string, before: string | undefined, flags: FlagSet): WeftError {
  const name = before?.replace(/^--?/, '') ?? '';
  if (argument === '') return usage('unexpected argument ""', 'is a variable before the next flag empty? Leave it out');
  const isBool = before?.startsWith('-') === true && Object.hasOwn(flags, name) && flags[name]?.kind === 'bool';
  return usage(
    `unexpected argument ${JSON.stringify(argument)}`,
    isBool ? `a boolean takes its value after "=": -${name}=${argument}` : undefined,
  );
}

/** A hint naming the flag that was probably meant, for a name that differs in one place only. */
function suggestion(name: string, flags: FlagSet): string | undefined {
  const close = Object.keys(flags).find((candidate) => withinOneEdit(candidate, name));
  return close === undefined ? undefined : `did you mean -${close}?`;
}

function withinOneEdit(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return Math.max(a.length, b.length) - start - end <= 1;
}

/** The help text of one group of flags in the layout of Go's PrintDefaults. */
export function formatFlags(flags: FlagSet): string {
  const kinds = { bool: '', string: ' string', int: ' int', list: ' value' };
  let text = '';
  for (const [name, flag] of Object.entries(flags)) {
    let fallback = '';
    if (flag.kind === 'string' && flag.default !== '') fallback = ` (default ${JSON.stringify(flag.default)})`;
    if (flag.kind === 'int' && flag.default !== 0) fallback = ` (default ${flag.default})`;
    if (flag.kind === 'bool' && flag.default) fallback = ' (default true)';
    if (flag.kind === 'list') fallback = '; may be given several times';
    text += `  -${name}${kinds[flag.kind]}\n        ${flag.usage}${fallback}\n`;
  }
  return text;
}
