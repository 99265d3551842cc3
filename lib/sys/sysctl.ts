import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf, WeftError } from '../error.ts';

/**
 * Sets net.<family>.conf.<device>.<key>, unless it is so already: /proc/sys is read-only in many containers. Nothing is done
 * where the kernel has no such setting, as without IPv6. Code: SYSCTL_FAILED. Documentation/networking/ip-sysctl.rst.
 */
export function setInterfaceSysctl(family: 'ipv4' | 'ipv6', device: string, key: string, value: string): void {
  const path = `/proc/sys/net/${family}/conf/${device}/${key}`;
  try {
    if (readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new WeftError('SYSCTL_FAILED', `Cannot set net.${family}.conf.${device}.${key}: ${messageOf(error)}`, {
      cause: error,
      hint: `mount /proc/sys writable, or set it from outside: echo ${value} > ${path}`,
    });
  }
}
