/** The network namespace of this machine that has an address. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { WeftError } from '../../error.ts';
import { RouteNetlink } from '../../sys/netlink/rtnetlink.ts';
import { netnsIdOf, withinNetns } from '../../sys/netns.ts';

export interface FoundPod {
  /** File of its namespace. */
  readonly netns: string;
  readonly device: string;
  /** Of that device, in its namespace. */
  readonly index: number;
  readonly mtu: number;
  /** Index of the other end of its veth, in the host's namespace; undefined for other devices. */
  readonly hostIndex: number | undefined;
}

/**
 * Looks into every namespace that has a name or a process, but for the host's own (undefined: this process's), whose addresses
 * are no pod's. Throws WeftError POD_NOT_FOUND; NOT_PERMITTED when no other namespace may be entered at all.
 */
export function findPod(address: Ipv4, netnsOfHost: string | undefined): FoundPod {
  const host = withinNetns(netnsOfHost, () => RouteNetlink.open());
  try {
    return lookEverywhere(address, inodeOf(netnsOfHost ?? '/proc/self/ns/net'), host);
  } finally {
    host.close();
  }
}

function lookEverywhere(address: Ipv4, inodeOfHost: string | undefined, host: RouteNetlink): FoundPod {
  const seen = new Set([inodeOfHost]);
  const hostLinks = host.links();
  let refused: WeftError | undefined;
  let other: FoundPod | undefined;
  for (const path of namespaceFiles()) {
    const inode = inodeOf(path);
    if (inode === undefined || seen.has(inode)) continue;
    seen.add(inode);
    try {
      const found = withinNetns(path, () => lookFor(address, path));
      if (found === undefined) continue;
      // Others have the same address, and the same indices, where several clusters or labs share a machine.
      const end = hostLinks.find(({ index }) => index === found.hostIndex);
      if (end?.kind === 'veth' && end.linkedIndex === found.index && end.linkedNetns === netnsIdOf(path, host))
        return found;
      other ??= found;
    } catch (error) {
      // A namespace may end meanwhile.
      if (error instanceof WeftError && error.code === 'NOT_PERMITTED') refused ??= error;
    }
  }
  if (other !== undefined) return other;
  if (refused !== undefined) throw refused;
  throw new WeftError('POD_NOT_FOUND', `No network namespace of this host has the address ${formatIpv4(address)}`, {
    hint: 'Leave --from out to send the probe from the host itself',
  });
}

function* namespaceFiles(): Generator<string> {
  for (const name of list('/run/netns')) yield `/run/netns/${name}`;
  for (const entry of list('/proc')) if (/^\d+$/.test(entry)) yield `/proc/${entry}/ns/net`;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** "4026531840"; undefined when it is gone or may not be looked at. */
function inodeOf(path: string): string | undefined {
  try {
    // /proc has links, /run/netns files: the link's text and the file's inode name the same.
    if (path.startsWith('/proc/')) return /\d+/.exec(readlinkSync(path))?.[0];
    return String(statSync(path).ino);
  } catch {
    return undefined;
  }
}

function lookFor(address: Ipv4, netns: string): FoundPod | undefined {
  const netlink = RouteNetlink.open();
  try {
    const found = netlink.addresses().find((own) => own.address === address);
    if (found === undefined) return undefined;
    const link = netlink.linkByIndex(found.interfaceIndex);
    if (link === undefined) return undefined;
    const hostIndex = link.kind === 'veth' ? link.linkedIndex : undefined;
    return { netns, device: link.name, index: link.index, mtu: link.mtu, hostIndex };
  } finally {
    netlink.close();
  }
}
