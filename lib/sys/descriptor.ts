import { check } from './errno.ts';
import { close } from './ffi.ts';

/** Closes a descriptor; `object` names it in the error. */
export function closeFd(fd: number, object: string): void {
  check(close(fd), 'close', object);
}
