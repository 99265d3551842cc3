import { writeFileSync } from 'node:fs';
import { messageOf, WeftError } from '../error.ts';

/** Sets net.<family>.conf.<device>.<key>. Code: SYSCTL_FAILED. Documentation/networking/ip-sysctl.rst. */
export function writeInterfaceSysctl(family: 'ipv4' | 'ipv6', device: string, key: string, value: string): void {
  const path = `/proc/sys/net/${family}/conf/${device}/${key}`;
  try {
    writeFileSync(path, value);
  } catch (error) {
    throw new WeftError('SYSCTL_FAILED', `Cannot set net.${family}.conf.${device}.${key}: ${messageOf(error)}`, {
      cause: error,
      hint: `mount /proc/sys writable, or set it from outside: echo ${value} > ${path}`,
    });
  }
}
