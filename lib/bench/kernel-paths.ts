/** Paths that the kernel carries alone, and what all paths between two pods have in common. */
import { ipBatch } from '../lab/command.ts';
import { addKernelVxlan, kernelVxlanPodAddress } from '../lab/kernel-vxlan.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import type { NamedPath, PathName } from './paths.ts';
import { INNER_MTU, linkPod } from './pod-link.ts';

/** The direct path has addresses of its own, whose route carries the lowered MTU; the underlay's stay at 1500. */
function directAddress(host: LabHost): string {
  return `198.51.100.${host.number}`;
}

/** The lab has been made with two. */
export function hostsOf(lab: Lab): readonly [LabHost, LabHost] {
  return [lab.hosts[0]!, lab.hosts[1]!];
}

export function podPath(
  name: PathName,
  lab: Lab,
  addresses: readonly string[],
  daemonPids: readonly number[],
): NamedPath {
  const [client, server] = hostsOf(lab);
  return {
    name,
    client: { netns: client.podNetns, address: addresses[0]! },
    server: { netns: server.podNetns, address: addresses[1]! },
    daemonPids,
    namespaces: [client, server].flatMap(({ netns, podNetns }) => [netns, podNetns]),
  };
}

/** Host to host over the underlay of a lab of two. */
export async function makeDirectPath(lab: Lab): Promise<NamedPath> {
  const [client, server] = hostsOf(lab);
  for (const [host, other] of bothWays(lab)) {
    const own = directAddress(host);
    await ipBatch(host.netns, [
      `addr add ${own}/32 dev ${host.underlayInterface}`,
      `route add ${directAddress(other)}/32 dev ${host.underlayInterface} src ${own} mtu lock ${INNER_MTU}`,
    ]);
  }
  return {
    name: 'direct',
    client: { netns: client.netns, address: directAddress(client) },
    server: { netns: server.netns, address: directAddress(server) },
    daemonPids: [],
    namespaces: [client.netns, server.netns],
  };
}

/** Pod to pod by the kernel's VXLAN, whose MTU is INNER_MTU on an underlay of 1500. */
export async function makeKernelVxlanPath(lab: Lab): Promise<NamedPath> {
  await addKernelVxlan(lab);
  return podPath('kernel-vxlan', lab, hostsOf(lab).map(kernelVxlanPodAddress), []);
}

/** Pod to pod by static routes, one at each host: what host-gw has to be as fast as. */
async function makePlainRoutingPath(lab: Lab): Promise<NamedPath> {
  const addresses: string[] = [];
  const subnetOf = (host: LabHost) => `10.251.${host.number}`;
  for (const [host, other] of bothWays(lab)) {
    addresses.push(await linkPod(host, { name: 'plain', subnet: subnetOf(host), network: '10.251.0.0/16' }));
    await ipBatch(host.netns, [`route add ${subnetOf(other)}.0/24 via ${other.underlayAddress}`]);
  }
  return podPath('plain-routing', lab, addresses, []);
}

function bothWays(lab: Lab): readonly (readonly [host: LabHost, other: LabHost])[] {
  const [client, server] = hostsOf(lab);
  return [
    [client, server],
    [server, client],
  ];
}

export const KERNEL_PATHS: Readonly<
  Record<'direct' | 'kernel-vxlan' | 'plain-routing', (lab: Lab) => Promise<NamedPath>>
> = {
  direct: makeDirectPath,
  'kernel-vxlan': makeKernelVxlanPath,
  'plain-routing': makePlainRoutingPath,
};
