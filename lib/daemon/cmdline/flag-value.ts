/** Checks of single flag values. Each throws WeftError USAGE that names the flag, the value and what is allowed. */
import { posix } from 'node:path';
import { WeftError } from '../../error.ts';

/** `parse` gives undefined for what it cannot read; an empty text is "not given". */
export function addressValue<T>(name: string, text: string, parse: (text: string) => T | undefined): T | undefined {
  if (text === '') return undefined;
  const value = parse(text);
  if (value === undefined) throw usage(`invalid value ${quote(text)} for -${name}: not an address of its family`);
  return value;
}

export function integerValue(name: string, value: number, min: number, max: number): number {
  if (value < min || value > max) throw usage(`invalid value ${value} for -${name}: must be ${min} to ${max}`);
  return value;
}

export function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === text);
  if (found === undefined) throw usage(`invalid value ${quote(text)} for -${name}: must be ${allowed.join(', ')}`);
  return found;
}

export function fileValue(name: string, text: string): string {
  if (text === '' || text.includes('\0')) throw usage(`invalid value ${quote(text)} for -${name}: not a file name`);
  return text;
}

/**
 * As flanneld makes keys of it (Go's path.Join): no slash at the end, none doubled, and none in front if there is none, so
 * that coreos.com/network is not /coreos.com/network.
 */
export function etcdPrefixValue(name: string, text: string): string {
  const prefix = posix.normalize(text).replace(/\/$/, '');
  if (text === '' || prefix === '') throw usage(`-${name} is empty`, 'the default is /coreos.com/network');
  return prefix;
}

export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}

export function usage(message: string, hint = 'weftd -help lists all flags'): WeftError {
  return new WeftError('USAGE', message, { hint });
}
