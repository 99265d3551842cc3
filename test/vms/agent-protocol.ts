/**
 * How a command gets into a guest: a TCP connection on the underlay. The client sends the command and half-closes; the guest
 * answers with what the command writes, then a last line with its exit code.
 */

/** Our choice: captures leave this port out. */
export const AGENT_PORT = 7777;

const TRAILER = '\nexit ';

export function trailer(code: number): string {
  return `${TRAILER}${code}\n`;
}

export interface CommandResult {
  /** What a shell would say: 128 and the signal's number for what a signal ended. */
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

/** Undefined when the answer broke off. */
export function readAnswer(text: string): CommandResult | undefined {
  const at = text.lastIndexOf(TRAILER);
  const code = /^(\d+)\n$/.exec(text.slice(at + TRAILER.length))?.[1];
  if (at < 0 || code === undefined) return undefined;
  return { code: Number(code), output: text.slice(0, at) };
}
