/**
 * Watches for the kernel's own receivers of IP protocol 4. A raw socket and they get a copy of each packet, and where none of their
 * devices is for it, they answer with ICMP "port unreachable" (net/ipv4/tunnel4.c), in all network namespaces.
 */
import type { FaultSink } from '../faults.ts';
import { hasKernelModule } from '../sys/kernel-module.ts';
import { RouteNetlink } from '../sys/netlink/rtnetlink.ts';

/** Both register with tunnel4: sit carries IPv4 too (mode any). */
const MODULES = ['ipip', 'sit'];
const PART = "the kernel's own IP in IP";
/** Our choice: a module may be loaded at any time, and nothing says so. */
const LOOK_MS = 10_000;

export interface KernelTunnelsOptions {
  readonly faults: FaultSink;
  /** Names of the receivers there are now, of MODULES. */
  readonly find?: () => readonly string[];
  readonly everyMs?: number;
}

/** Says so as long as there are any. Returns what ends the watch. */
export function watchKernelTunnels({
  faults,
  find = findReceivers,
  everyMs = LOOK_MS,
}: KernelTunnelsOptions): () => void {
  const look = (): void => {
    const found = find();
    faults.report(PART, found.length === 0 ? [] : [{ text: sentence(found), blocks: false }]);
  };
  look();
  const timer = setInterval(() => {
    try {
      look();
    } catch {
      // The kernel did not answer this time, short of descriptors or memory: what was known stays, and it is asked again.
    }
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    faults.report(PART, []);
  };
}

function sentence(found: readonly string[]): string {
  const names = found.join(' and ');
  return (
    `The kernel's own tunnels (${names}) take IP in IP too: this host answers its peers' packets with ICMP "port unreachable", ` +
    'and pods behind a peer whose tunnel is the kernel\'s see "Destination Host Unreachable"; ' +
    `delete the tunnels of ${names} and unload: modprobe -r ${found.join(' ')}`
  );
}

/** Modules alone would do, but for a container that does not see /sys. */
function findReceivers(): string[] {
  const kinds = new Set(linkKinds());
  return MODULES.filter((name) => kinds.has(name) || hasKernelModule(name));
}

function linkKinds(): string[] {
  const netlink = RouteNetlink.open();
  try {
    return netlink.links().flatMap(({ kind }) => kind ?? []);
  } finally {
    netlink.close();
  }
}
