/** Where the daemon is: whoever looks at its packets, or asks its peers, does so from its network namespace. */
import { readFileSync, readlinkSync } from 'node:fs';

export interface DaemonNetns {
  /** File of its network namespace; undefined when that is ours, or cannot be seen. */
  readonly path: string | undefined;
  /** False: its process cannot be seen from here, as in a container with process ids of its own. */
  readonly isKnown: boolean;
}

/** `pid`: as its status has it, which may be another process's here. */
export function netnsOfDaemon(pid: number): DaemonNetns {
  const path = `/proc/${pid}/ns/net`;
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('weftd')) return { path: undefined, isKnown: false };
    const isOurs = readlinkSync(path) === readlinkSync('/proc/self/ns/net');
    return { path: isOurs ? undefined : path, isKnown: true };
  } catch {
    return { path: undefined, isKnown: false };
  }
}
