/** etcd's and gRPC's errors as WeftErrors: a stable code, etcd's own words, and what to do. */
import { type ServiceError, status } from '@grpc/grpc-js';
import { messageOf, WeftError } from '../../error.ts';

/** grpc-js puts the time into the text of a failed connection; two failures for one reason shall read the same. */
const TIMESTAMP = / \(\d{4}-\d\d-\d\dT[0-9:.]+Z\)/g;

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** The connection, or the member behind it, is of no use: another endpoint may be. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof WeftError ? error.code === 'STORE_UNREACHABLE' : codeOf(error) === status.UNAVAILABLE;
}

/**
 * etcd does not know our token: simple tokens live in memory and end with a restart or after five idle minutes, and
 * changed users or roles void older ones ("revision of auth store is old").
 */
export function isTokenRefused(error: unknown): boolean {
  return codeOf(error) === status.UNAUTHENTICATED || isTokenRefusal(messageOf(error));
}

export function isTokenRefusal(text: string): boolean {
  return text.includes('invalid auth token') || text.includes('revision of auth store is old');
}

/** A user name was given, but this etcd has authentication switched off. */
export function isAuthNotEnabled(error: unknown): boolean {
  return messageOf(error).includes('authentication is not enabled');
}

/** Codes: STORE_UNREACHABLE, STORE_DENIED, STORE_REFUSED (etcd understood and said no for another reason). */
export function storeError(error: unknown, endpoint: string): WeftError {
  if (error instanceof WeftError) return error;
  const details = (isServiceError(error) ? error.details : messageOf(error)).replace(TIMESTAMP, '');
  if (codeOf(error) === status.UNAVAILABLE)
    return new WeftError('STORE_UNREACHABLE', `Etcd at ${endpoint} is unavailable: ${details}`, { cause: error });
  const hint = deniedHint(details);
  if (hint !== undefined || codeOf(error) === status.UNAUTHENTICATED || codeOf(error) === status.PERMISSION_DENIED)
    return new WeftError('STORE_DENIED', `Etcd at ${endpoint} denies access: ${details}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  const refusal = refusalHint(error, details);
  return new WeftError('STORE_REFUSED', `Etcd at ${endpoint} refuses: ${details}`, {
    cause: error,
    ...(refusal === undefined ? {} : { hint: refusal }),
  });
}

function codeOf(error: unknown): number | undefined {
  return isServiceError(error) ? error.code : undefined;
}

function deniedHint(details: string): string | undefined {
  if (details.includes('user name is empty'))
    return 'this etcd asks for a user: give --etcd-username and --etcd-password';
  if (details.includes('authentication failed')) return 'check --etcd-username and --etcd-password';
  if (details.includes('permission denied'))
    return 'the etcd role of this user needs read and write permission on the prefix: etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/';
  return undefined;
}

function refusalHint(error: unknown, details: string): string | undefined {
  if (details.includes('database space exceeded'))
    return 'etcd is full: compact and defragment it, then etcdctl alarm disarm';
  if (codeOf(error) === status.UNIMPLEMENTED) return 'this is not an etcd v3 server';
  return undefined;
}
