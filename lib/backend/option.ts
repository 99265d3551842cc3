/** Reads the options of the configuration's Backend object as flannel's Go code does, and refuses what Go would. Pure. */
import { WeftError } from '../error.ts';
import { type BackendObject, findOption } from '../lease/backend-option.ts';
import { quoteText } from '../lease/go-json.ts';

export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

/** A whole number; undefined when not given. Throws WeftError CONFIG_INVALID naming field, value and range. */
export function integerOption(backend: BackendObject, name: string, range: IntegerRange): number | undefined {
  const value = findOption(backend, name);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  throw invalidOption(name, value, `allowed are ${range.min} to ${range.max}`);
}

/** False when not given. Throws WeftError CONFIG_INVALID. */
export function booleanOption(backend: BackendObject, name: string): boolean {
  const value = findOption(backend, name) ?? false;
  if (typeof value === 'boolean') return value;
  throw invalidOption(name, value, 'allowed are true and false');
}

export function invalidOption(name: string, value: unknown, allowed: string): WeftError {
  return new WeftError('CONFIG_INVALID', `Backend.${name} is ${quotePlain(value)}: ${allowed}`, {
    hint: 'correct the network configuration in etcd and start again',
  });
}

/** A value from outside, for messages: on one line, cut, harmless on a terminal. */
export function quotePlain(value: unknown): string {
  if (typeof value === 'string') return quoteText(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
