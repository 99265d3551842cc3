/** Why a socket could not be bound, in words that help. */
import type { Family } from '../addr/ip.ts';
import { WeftError } from '../error.ts';
import { Errno, SyscallError } from './errno.ts';
import { type Link, RouteNetlink } from './netlink/rtnetlink.ts';

/**
 * The error for `value`, the errno of bind(2), whose socket is described by `object` ("UDP 192.0.2.1:4789").
 * Codes: PORT_BUSY, ADDRESS_NOT_LOCAL, or the errno's name.
 */
export function bindFailed(object: string, family: Family, port: number, value: number): WeftError {
  const cause = new SyscallError('bind', object, value);
  if (value === Errno.EADDRINUSE) return portBusy(object, port, cause, vxlanDevices(family, port));
  if (value === Errno.EADDRNOTAVAIL) {
    return new WeftError('ADDRESS_NOT_LOCAL', `Cannot bind ${object}: this host has no such address`, {
      cause,
      hint: 'choose the interface with --iface',
    });
  }
  return cause;
}

/** Kernel VXLAN devices hold their port without a process, so that ss(8) shows an entry that belongs to nobody. */
function portBusy(object: string, port: number, cause: SyscallError, holders: readonly Link[]): WeftError {
  if (holders.length === 0) {
    return new WeftError('PORT_BUSY', `Cannot bind ${object}: the port is in use`, {
      cause,
      hint: `see who holds it with "ss -lunp 'sport = :${port}'"`,
    });
  }
  const names = holders.map(({ name, vxlan }) => `"${name}" (VNI ${vxlan?.vni})`).join(', ');
  const which = holders.length === 1 ? `device ${names} holds` : `devices ${names} hold`;
  const removal = holders.map(({ name }) => `ip link del ${name}`).join('; ');
  return new WeftError('PORT_BUSY', `Cannot bind ${object}: kernel VXLAN ${which} the port`, {
    cause,
    hint: `if it is left over from flanneld, which is stopped: ${removal}; else give one of the two another Backend.Port`,
  });
}

/** Only devices that are up have a socket. None if the kernel does not say: the error is complete without them. */
function vxlanDevices(family: Family, port: number): Link[] {
  try {
    const netlink = RouteNetlink.open();
    try {
      return netlink.links().filter(({ up, vxlan }) => up && vxlan?.port === port && vxlan.families.includes(family));
    } finally {
      netlink.close();
    }
  } catch (error) {
    if (error instanceof WeftError) return [];
    throw error;
  }
}
