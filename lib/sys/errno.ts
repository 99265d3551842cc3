import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { WeftError } from '../error.ts';
import { errno } from './ffi.ts';

/** Linux errno values that node:os does not name. include/uapi/asm-generic/errno.h */
const EBADFD = 77;
const ENOTUNIQ = 76;
const ENONET = 64;
const EHOSTDOWN = 112;

export const Errno = { ...constants.errno, EBADFD, ENOTUNIQ, ENONET, EHOSTDOWN } as const;

/** Second names of the same value: the kernel's own documentation says EAGAIN and EOPNOTSUPP. */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP']);

const NAMES = new Map<number, string>(
  Object.entries(Errno)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, value]) => [value, name]),
);

/** The symbolic name of an errno: 16 is "EBUSY". Unknown values print as "errno 4242". */
export function errnoName(value: number): string {
  return NAMES.get(value) ?? `errno ${value}`;
}

/** The kernel's words for an errno: 16 is "resource busy or locked". */
export function errnoText(value: number): string {
  return getSystemErrorMap().get(-value)?.[1] ?? (value === EBADFD ? 'file descriptor in bad state' : 'unknown error');
}

/** A failed system call: which one, on which object, and the errno. `code` is the errno's name ("EBUSY"). */
export class SyscallError extends WeftError {
  readonly syscall: string;
  readonly errno: number;
  readonly object: string;

  constructor(syscall: string, object: string, value: number, hint?: string) {
    super(
      errnoName(value),
      `${syscall} on ${object} failed: ${errnoName(value)} (${errnoText(value)})`,
      hint === undefined ? {} : { hint },
    );
    this.name = 'SyscallError';
    this.syscall = syscall;
    this.errno = value;
    this.object = object;
  }
}

/** Returns `result` unless it is negative; then throws a SyscallError with the current errno. */
export function check(result: number, syscall: string, object: string): number {
  if (result < 0) throw new SyscallError(syscall, object, errno());
  return result;
}
