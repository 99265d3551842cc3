import { existsSync } from 'node:fs';

/**
 * Is this module of the kernel loaded, or built in and one with parameters? The others that are built in cannot be told from
 * those that are missing. The kernel is the host's, whatever the network namespace. sysfs(5).
 */
export function hasKernelModule(name: string): boolean {
  return existsSync(`/sys/module/${name}`);
}
