/**
 * subnet.env: how CNI plugins and Docker learn this node's subnet. Format and order: flannel pkg/subnet/subnet.go,
 * WriteSubnetFile. A reader never sees half a file, and flannel's CNI plugin crashes on a line without "=", so there are no
 * comments in it.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatIpv4 } from '../../addr/ipv4.ts';
import { formatIpv6 } from '../../addr/ipv6.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../addr/prefix.ts';
import { messageOf, WeftError } from '../../error.ts';
import type { SubnetPair } from '../../lease/lease.ts';
import type { NetworkConfig } from '../../lease/network-config.ts';
import { makeDirectory } from '../../make-directory.ts';
import { replaceFile } from './atomic-file.ts';

export interface SubnetEnv {
  readonly config: NetworkConfig;
  readonly own: SubnetPair;
  /** MTU of the overlay device. */
  readonly mtu: number;
  readonly ipMasq: boolean;
}

/** What an earlier start wrote is a few hundred bytes; anything much larger is some other file. */
const MAX_READ = 65536;

/** The exact text flanneld writes. FLANNEL_SUBNET holds the first address of the subnet, base + 1: the bridge's. */
export function formatSubnetEnv({ config, own, mtu, ipMasq }: SubnetEnv): string {
  const lines: string[] = [];
  if (config.enableIpv4) {
    lines.push(`FLANNEL_NETWORK=${formatPrefix(config.network)}`);
    lines.push(`FLANNEL_SUBNET=${formatIpv4(own.ipv4.address + 1)}/${own.ipv4.length}`);
  }
  if (config.ipv6 !== undefined && own.ipv6 !== undefined) {
    lines.push(`FLANNEL_IPV6_NETWORK=${formatPrefix(config.ipv6.network)}`);
    lines.push(`FLANNEL_IPV6_SUBNET=${formatIpv6(own.ipv6.address + 1n)}/${own.ipv6.length}`);
  }
  lines.push(`FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${ipMasq}`);
  return `${lines.join('\n')}\n`;
}

/** What a subnet.env says of the run that wrote it, ours or flanneld's. */
export interface PreviousRun {
  /** Undefined if it names no valid IPv4 subnet. */
  readonly subnets: SubnetPair | undefined;
  readonly networks: readonly Prefix[];
}

/** Unknown lines do not matter. */
export function parseSubnetEnv(text: string): PreviousRun {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  const prefixOf = (name: string): Prefix | undefined => parsePrefix(values.get(name) ?? '');
  const ipv4 = prefixOf('FLANNEL_SUBNET');
  const ipv6 = prefixOf('FLANNEL_IPV6_SUBNET');
  const networks = [prefixOf('FLANNEL_NETWORK'), prefixOf('FLANNEL_IPV6_NETWORK')].filter(
    (prefix) => prefix !== undefined,
  );
  const subnets = ipv4?.family === 4 ? { ipv4, ipv6: ipv6?.family === 6 ? ipv6 : undefined } : undefined;
  return { subnets, networks };
}

/**
 * Reads what this node had before; nothing of it is there when there is no file. Throws WeftError SUBNET_FILE_REFUSED for
 * anything but a regular file, and where its directory cannot be made, so that a daemon finds out before it takes a lease.
 */
export async function readPreviousRun(path: string): Promise<PreviousRun> {
  if ((await regularFileOrNothing(path)) !== undefined) return parseSubnetEnv(await readRegularFile(path));
  await makeItsDirectory(path);
  return parseSubnetEnv('');
}

/** The first MAX_READ bytes. Throws WeftError SUBNET_FILE_REFUSED. */
async function readRegularFile(path: string): Promise<string> {
  // The file could be swapped for a FIFO after the check: do not wait for its writer, do not follow a link.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const file = await open(path, flags);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_READ), 0, MAX_READ, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw refused(path, `reading it failed: ${messageOf(error)}`, error);
  }
}

/** CNI plugins under other users read the file. */
const MODES = { file: 0o644, directory: 0o755 };

/**
 * Replaces the file in one step. The directory is made (0755) if it is not there; the file is 0644. Throws WeftError
 * SUBNET_FILE_REFUSED; the old file is then whole.
 */
export async function writeSubnetEnv(path: string, env: SubnetEnv): Promise<void> {
  await regularFileOrNothing(path);
  try {
    await replaceFile(path, formatSubnetEnv(env), MODES);
  } catch (error) {
    throw refused(path, `writing it failed: ${messageOf(error)}`, error);
  }
}

/** Whether the file says this already. Never rejects. */
export async function isSubnetEnv(path: string, env: SubnetEnv): Promise<boolean> {
  try {
    return (await readRegularFile(path)) === formatSubnetEnv(env);
  } catch {
    return false;
  }
}

/** Makes the directory of the file (0755) if it is not there. Throws WeftError SUBNET_FILE_REFUSED. */
async function makeItsDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(dirname(path), MODES.directory);
  } catch (error) {
    throw refused(path, `its directory cannot be made: ${messageOf(error)}`, error);
  }
}

async function regularFileOrNothing(path: string): Promise<Stats | undefined> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw refused(path, messageOf(error), error);
  }
  if (stats.isFile()) return stats;
  throw refused(path, `it is ${fileKind(stats)}, not a regular file`);
}

function fileKind(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  return 'a special file';
}

function refused(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('SUBNET_FILE_REFUSED', `Cannot use subnet file ${JSON.stringify(path)}: ${why}`, {
    cause,
    hint: 'give another file with -subnet-file, or remove what is there',
  });
}
