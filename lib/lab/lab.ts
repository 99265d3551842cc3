/**
 * A lab: hosts, pods, underlay and etcd as network namespaces on one machine.
 *
 *   <id>-pod1 ── veth ── cni0 [ <id>-h1 ] u0 ── veth ── br0 [ <id>-net ] ── veth ── u0 [ <id>-h2 ] cni0 ── veth ── <id>-pod2
 *                                                      etcd
 *
 * The underlay is 192.0.2.0/24 (RFC 5737) and 2001:db8::/64 (RFC 3849) in the namespace `<id>-net`: host n is 192.0.2.n and
 * 2001:db8::n, etcd listens on 192.0.2.254:2379. With two hosts and `direct: true` a plain veth joins them instead of the
 * bridge (as in `weft bench` and `weft demo`), etcd then lives in host 1 at 192.0.2.1:2379.
 *
 * A tenant has a router and a pod of its own beside each host, so that its addresses may be those of another tenant:
 *
 *   <id>-t1pod1 ── veth ── cni0 [ <id>-t1h1 ] flannel.N     the device's frames are carried by weftd in <id>-h1
 *
 * Hosts forward IPv4 and IPv6, and do without duplicate address detection. Everything else is as the machine has it:
 * rp_filter, congestion control, offloads.
 * Names carry an id (the pid by default), so that labs do not meet. A lab holds no state but its namespaces and its
 * directory; any process that knows the id can find it and take it down.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, WeftError } from '../error.ts';
import { addressBatches, HOST_SYSCTLS, namespaceLines, vethLines } from './build.ts';
import { forEachLimited, ipBatch, requireRoot, run } from './command.ts';
import { describeLab, directoryOf, type LabDescription, layOut, namespacesOf } from './layout.ts';
import type { Lab, LabOptions } from './model.ts';
import { listNamespaces } from './netns.ts';
import { destroyLab, isTakenLabId } from './remove.ts';

const DESCRIPTION_FILE = 'lab.json';

/**
 * Builds hosts, pods and underlay; nothing runs in them yet. When it fails, what was built is removed.
 *
 * Throws WeftError NOT_ROOT, USAGE, LAB_EXISTS, TOOL_MISSING or LAB_COMMAND_FAILED.
 */
export async function createLab(options: LabOptions): Promise<Lab> {
  requireRoot();
  const description = describeLab(options);
  const { id } = description;
  if (isTakenLabId(id)) {
    throw new WeftError('LAB_EXISTS', `Cannot make lab "${id}": there is one, or what is left of one`, {
      hint: `Remove it with: weft lab down --id ${id}`,
    });
  }
  const lab = layOut(description);
  try {
    await makeDirectories(lab, description);
    options.log?.(`making ${namespacesOf(lab).length} network namespaces`);
    await build(lab, options.signal);
  } catch (error) {
    await destroyLab(id);
    throw error;
  }
  return lab;
}

async function makeDirectories(lab: Lab, description: LabDescription): Promise<void> {
  // Not recursive: an existing directory under the shared /tmp may be somebody else's trap.
  await mkdir(lab.directory, { mode: 0o700 });
  await writeFile(join(lab.directory, DESCRIPTION_FILE), JSON.stringify(description));
  for (const host of lab.hosts) await mkdir(dirname(host.subnetFile));
}

async function build(lab: Lab, signal: AbortSignal | undefined): Promise<void> {
  const ipv6 = existsSync('/proc/sys/net/ipv6');
  await ipBatch(undefined, namespaceLines(lab), signal);
  const routers = [...lab.hosts, ...lab.tenants.flatMap((tenant) => tenant.sites)];
  await forEachLimited(routers, ({ netns }) => writeSysctls(netns, signal));
  await ipBatch(undefined, vethLines(lab), signal);
  await forEachLimited(addressBatches(lab, ipv6), ({ netns, lines }) => ipBatch(netns, lines, signal));
}

async function writeSysctls(netns: string, signal: AbortSignal | undefined): Promise<void> {
  for (const { value, paths } of HOST_SYSCTLS) {
    const existing = paths.filter((path) => existsSync(path));
    if (existing.length > 0)
      await run('ip', ['netns', 'exec', netns, 'tee', ...existing], { input: `${value}\n`, signal });
  }
}

/** The lab with this id; undefined when there is none, or only remains that `destroyLab` can remove. */
export async function findLab(id: string): Promise<Lab | undefined> {
  const description = await readDescription(join(directoryOf(id), DESCRIPTION_FILE));
  if (description?.id !== id) return undefined;
  const lab = layOut(description);
  const existing = new Set(listNamespaces());
  return namespacesOf(lab).every((name) => existing.has(name)) ? lab : undefined;
}

async function readDescription(path: string): Promise<LabDescription | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // Only root can write in the directory; describeLab checks the ranges.
    return describeLab(JSON.parse(text) as LabDescription);
  } catch (error) {
    throw new WeftError('LAB_BROKEN', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
