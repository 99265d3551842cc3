/** Why a socket could not be bound, in words that help. */
import { WeftError } from '../error.ts';
import { Errno, SyscallError } from './errno.ts';
import type { Family } from './netlink/ip.ts';

/** The error for `value` of bind(2). `object` is "UDP 192.0.2.1:4789". Codes: PORT_BUSY, ADDRESS_NOT_LOCAL, or the errno's name. */
export function bindFailed(object: string, _family: Family, port: number, value: number): WeftError {
  const cause = new SyscallError('bind', object, value);
  if (value === Errno.EADDRINUSE) {
    return new WeftError('PORT_BUSY', `Cannot bind ${object}: the port is in use`, {
      cause,
      hint: `see who holds it with "ss -lunp 'sport = :${port}'"; a kernel VXLAN device holds its port without a process`,
    });
  }
  if (value === Errno.EADDRNOTAVAIL) {
    return new WeftError('ADDRESS_NOT_LOCAL', `Cannot bind ${object}: this host has no such address`, {
      cause,
      hint: 'choose the interface with --iface',
    });
  }
  return cause;
}
