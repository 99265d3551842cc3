/** Beds that need no daemon of the benchmark's, and what all beds between two pods have in common. */
import { ipBatch } from '../lab/command.ts';
import { addKernelVxlan, kernelVxlanPodAddress } from '../lab/kernel-vxlan.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import type { LabProcess } from '../lab/netns.ts';
import type { ConnectedPod } from '../lab/pod.ts';
import type { Contender, ContenderBed } from './contenders.ts';
import { INNER_MTU, linkPod } from './pod-link.ts';

/** The direct path has addresses of its own, whose route carries the lowered MTU; the underlay's stay at 1500. */
function directAddress(host: LabHost): string {
  return `198.51.100.${host.number}`;
}

/** The lab has been made with two. */
export function hostsOf(lab: Lab): readonly [LabHost, LabHost] {
  return [lab.hosts[0]!, lab.hosts[1]!];
}

export function podBed(
  contender: Contender,
  lab: Lab,
  addresses: readonly string[],
  daemonPids: readonly number[],
): ContenderBed {
  const [client, server] = hostsOf(lab);
  return {
    contender,
    client: { netns: client.podNetns, address: addresses[0]! },
    server: { netns: server.podNetns, address: addresses[1]! },
    daemonPids,
    namespaces: [client, server].flatMap(({ netns, podNetns }) => [netns, podNetns]),
  };
}

/** Host to host over the underlay of a lab of two. */
export async function makeDirectBed(lab: Lab): Promise<ContenderBed> {
  const [client, server] = hostsOf(lab);
  for (const [host, other] of bothWays(lab)) {
    const own = directAddress(host);
    await ipBatch(host.netns, [
      `addr add ${own}/32 dev ${host.underlayInterface}`,
      `route add ${directAddress(other)}/32 dev ${host.underlayInterface} src ${own} mtu lock ${INNER_MTU}`,
    ]);
  }
  return {
    contender: 'direct',
    client: { netns: client.netns, address: directAddress(client) },
    server: { netns: server.netns, address: directAddress(server) },
    daemonPids: [],
    namespaces: [client.netns, server.netns],
  };
}

/** Pod to pod by the kernel's VXLAN, whose MTU is INNER_MTU on an underlay of 1500. */
export async function makeKernelVxlanBed(lab: Lab): Promise<ContenderBed> {
  await addKernelVxlan(lab);
  return podBed('kernel-vxlan', lab, hostsOf(lab).map(kernelVxlanPodAddress), []);
}

/** Pod to pod by static routes, one at each host: what host-gw has to be as fast as. */
async function makePlainRoutingBed(lab: Lab): Promise<ContenderBed> {
  const addresses: string[] = [];
  const subnetOf = (host: LabHost) => `10.251.${host.number}`;
  for (const [host, other] of bothWays(lab)) {
    addresses.push(await linkPod(host, { name: 'plain', subnet: subnetOf(host), network: '10.251.0.0/16' }));
    await ipBatch(host.netns, [`route add ${subnetOf(other)}.0/24 via ${other.underlayAddress}`]);
  }
  return podBed('plain-routing', lab, addresses, []);
}

function bothWays(lab: Lab): readonly (readonly [host: LabHost, other: LabHost])[] {
  const [client, server] = hostsOf(lab);
  return [
    [client, server],
    [server, client],
  ];
}

/** For the demo: pod to pod through running daemons, with the MTU of pods and bridges lowered to INNER_MTU. */
export async function makeWeftBed(
  contender: Contender,
  lab: Lab,
  daemons: readonly LabProcess[],
  pods: readonly ConnectedPod[],
): Promise<ContenderBed> {
  for (const { netns, podNetns } of hostsOf(lab)) {
    await ipBatch(netns, [`link set pod0 mtu ${INNER_MTU}`, `link set cni0 mtu ${INNER_MTU}`]);
    await ipBatch(podNetns, [`link set eth0 mtu ${INNER_MTU}`]);
  }
  const addresses = pods.map(({ address }) => address);
  return podBed(
    contender,
    lab,
    addresses,
    daemons.map(({ pid }) => pid),
  );
}

/** A path that needs no daemon. */
type StandingBed = (lab: Lab) => Promise<ContenderBed>;
export const STANDING: Readonly<Record<'direct' | 'kernel-vxlan' | 'plain-routing', StandingBed>> = {
  direct: makeDirectBed,
  'kernel-vxlan': makeKernelVxlanBed,
  'plain-routing': makePlainRoutingBed,
};
