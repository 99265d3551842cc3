/**
 * The one error class of the control path. The data path never throws; it returns verdicts (lib/dataplane/drop.ts).
 *
 * `code` is stable: match on it, not on the message. `hint` is what the user can do next; the command line prints it
 * on a line of its own, so `message` stays one short sentence: action, object, the kernel's or etcd's own words.
 */
export class WeftError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'WeftError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The text of anything that was thrown, for messages and logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
