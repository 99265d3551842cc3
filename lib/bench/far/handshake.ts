/**
 * How the two sides of `weft bench --peer` know each other: both show that they have the token, and neither sends it.
 *
 *   near                                                      far
 *   {"weftBench":1,"nonce":N}                          ->
 *                                                      <-     {"weftBench":1,"nonce":F}
 *   {"proof":HMAC(key, "near" 1 N F)}                  ->
 *                                                      <-     {"proof":HMAC(key, "far" 1 N F)}
 *
 * HMAC-SHA256 (RFC 2104). A proof names its role, so that nobody can hand the near side's back, and holds both nonces, so that
 * one of another connection is worth nothing. The far side proves last: it tells nothing to who has not shown the token. All
 * lines that follow carry a MAC with a key of their direction and their number (sealed-lines.ts).
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Of the protocol: both sides speak the same one, or say so and stop. */
export const PROTOCOL_VERSION = 1;
/** Bytes. */
export const NONCE_BYTES = 32;
/** Bytes of a line before both have proved themselves; the longest of ours has 101. */
export const GREETING_BYTES = 256;

export type Role = 'near' | 'far';

/** Why the far side goes no further; it says so in place of its line. */
export type Refusal = 'version' | 'token' | 'busy' | 'ending';
const REFUSALS: readonly string[] = ['version', 'token', 'busy', 'ending'] satisfies Refusal[];

export interface Nonces {
  readonly near: Buffer;
  readonly far: Buffer;
}

/** `token` normalized. */
function hmac(key: string | Buffer, label: string, { near, far }: Nonces): Buffer {
  return createHmac('sha256', key)
    .update(`weft-bench ${PROTOCOL_VERSION} ${label}\n`)
    .update(near)
    .update(far)
    .digest();
}

export function proofOf(token: string, role: Role, nonces: Nonces): Buffer {
  return hmac(token, `proof ${role}`, nonces);
}

/** Takes as long for every proof of the right length. */
export function isProof(proof: Buffer, token: string, role: Role, nonces: Nonces): boolean {
  const expected = proofOf(token, role, nonces);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
}

/** For the lines that `role` sends. */
export function lineKeyOf(token: string, role: Role, nonces: Nonces): Buffer {
  return hmac(token, `lines ${role}`, nonces);
}

export type Greeting =
  | { readonly kind: 'hello'; readonly version: number; readonly nonce: Buffer }
  | { readonly kind: 'proof'; readonly proof: Buffer }
  | { readonly kind: 'refused'; readonly version: number; readonly why: Refusal };

export function helloLine(nonce: Buffer): string {
  return JSON.stringify({ weftBench: PROTOCOL_VERSION, nonce: nonce.toString('hex') });
}

export function proofLine(proof: Buffer): string {
  return JSON.stringify({ proof: proof.toString('hex') });
}

export function refusalLine(why: Refusal): string {
  return JSON.stringify({ weftBench: PROTOCOL_VERSION, refused: why });
}

/** Undefined for everything that is no line of the handshake, of any version. */
export function readGreeting(line: string): Greeting | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { weftBench: version, nonce, proof, refused } = value as Readonly<Record<string, unknown>>;
  if (isHex(proof)) return { kind: 'proof', proof: Buffer.from(proof, 'hex') };
  if (typeof version !== 'number' || !Number.isSafeInteger(version)) return undefined;
  if (typeof refused === 'string' && REFUSALS.includes(refused))
    return { kind: 'refused', version, why: refused as Refusal };
  // What another version says beside its number is its own affair.
  if (version !== PROTOCOL_VERSION) return { kind: 'hello', version, nonce: Buffer.alloc(0) };
  return isHex(nonce) ? { kind: 'hello', version, nonce: Buffer.from(nonce, 'hex') } : undefined;
}

/** 32 bytes: a nonce, or a SHA-256. */
function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
