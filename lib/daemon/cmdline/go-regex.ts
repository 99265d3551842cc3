/**
 * A user's regular expression in the part of Go's syntax that JavaScript shares, kept from running for ever.
 *
 * Go matches in linear time; JavaScript backtracks, so that a pattern such as (a+)+$ on a 40-character address can take
 * hours. Matching therefore runs under a deadline.
 */
import { createContext, Script } from 'node:vm';
import { WeftError } from '../../error.ts';

/** Longest pattern accepted; our choice. */
const MAX_LENGTH = 512;
const DEADLINE_MS = 200;
/** What JavaScript would read in silence as something else. */
const GO_ONLY = /\\[AzpPQEC]|\[\[:|\(\?[imsU-]/;

export interface GoRegex {
  /** Whether the pattern matches anywhere in `subject`. Throws WeftError INVALID_REGEX when it takes too long. */
  test(subject: string): boolean;
}

/** Understands Go's leading flag group, such as (?i). Throws WeftError INVALID_REGEX. */
export function compileGoRegex(pattern: string): GoRegex {
  if (pattern.length > MAX_LENGTH) throw invalid(`longer than ${MAX_LENGTH} characters`);
  const [, flags = '', body = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? [];
  const foreign = GO_ONLY.exec(body);
  if (foreign !== null) throw invalid(`${foreign[0]} is Go syntax that Weft does not support`);
  let regex: RegExp;
  try {
    // Go names groups (?P<name>...); JavaScript knows the newer form only.
    regex = new RegExp(body.replaceAll('(?P<', '(?<'), [...new Set(flags)].join(''));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  const context = createContext({ regex, subject: '' });
  const script = new Script('regex.test(subject)');
  return {
    test(subject) {
      context.subject = subject;
      try {
        return script.runInContext(context, { timeout: DEADLINE_MS }) === true;
      } catch {
        throw invalid(`${JSON.stringify(pattern)} takes too long on ${JSON.stringify(subject)}`);
      }
    },
  };

  function invalid(why: string): WeftError {
    return new WeftError('INVALID_REGEX', `Invalid interface pattern: ${why}`, {
      hint: 'use a simple pattern such as -iface-regex=^eth1$ or -iface-regex=^192\\.168\\.',
    });
  }
}
