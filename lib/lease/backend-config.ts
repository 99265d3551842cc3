import { WeftError } from '../error.ts';
import { plainField, quoteText } from './go-json.ts';
import type { NetworkConfig } from './network-config.ts';

/**
 * Reads a whole number from the config's Backend object, whatever the case of its key. Absent and `null` give `fallback`.
 * Throws WeftError CONFIG_INVALID for anything that is not a whole number in `min`..`max`.
 */
export function backendInteger(
  config: NetworkConfig,
  field: string,
  range: { readonly min: number; readonly max: number; readonly fallback: number },
): number {
  const value = plainField(config.backend, field) ?? range.fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  const found = typeof value === 'string' ? quoteText(value) : typeof value === 'number' ? `${value}` : 'not a number';
  throw new WeftError(
    'CONFIG_INVALID',
    `Backend.${field} is ${found}: must be a whole number from ${range.min} to ${range.max}`,
  );
}
