/** What the person whose Wireshark it is may do on this machine. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { type Account, asAccount } from './account.ts';

export interface Rights {
  /** One sentence. */
  readonly capture: string;
  readonly mayCapture: boolean;
  readonly leases: boolean;
}

/** Bit of CapEff in /proc/self/status: include/uapi/linux/capability.h. */
const CAP_NET_RAW = 13n;

/** `leases`: where the dissector looks for them. */
export function rightsOf(account: Account, leases: string): Rights {
  const isRoot = account.ids === undefined && process.geteuid?.() === 0;
  const mayCapture =
    isRoot || (account.ids === undefined && mayOpenPacketSockets(readFileSync('/proc/self/status', 'utf8')));
  const who = account.ids === undefined ? 'you' : account.name;
  return {
    capture: mayCapture
      ? `${who} may capture on this machine`
      : `${who} may not capture on this machine: tick "With sudo" in the options of the interface, or start Wireshark as root`,
    mayCapture,
    leases: asAccount(account, () => isReadable(leases)),
  };
}

/** `status`: proc_pid_status(5). */
export function mayOpenPacketSockets(status: string): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_RAW) & 1n) === 1n;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return existsSync(path);
  } catch {
    return false;
  }
}
