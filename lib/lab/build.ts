/** The lines of ip(8) that make a lab. Pure: what is to be done, not the doing. */
import { namespacesOf, underlayNetns } from './layout.ts';
import type { Lab, LabHost } from './model.ts';

/** Lines for one namespace. */
export interface Batch {
  readonly netns: string;
  readonly lines: readonly string[];
}

/** Makes the namespaces. */
export function namespaceLines(lab: Lab): string[] {
  return namespacesOf(lab).map((name) => `netns add ${name}`);
}

/** Makes the veths, each end at once in the namespace it belongs to: nothing shows up on the machine. */
export function vethLines(lab: Lab): string[] {
  const [first, second] = lab.hosts;
  if (lab.direct && first !== undefined && second !== undefined)
    return [vethLine(lab, [first.netns, 'u0', 2], [second.netns, 'u0', 3])];
  const network = underlayNetns(lab.id);
  return lab.hosts.map(({ netns, number }) => vethLine(lab, [netns, 'u0', 2], [network, `h${number}`, 1000 + number]));
}

type VethEnd = readonly [netns: string, name: string, index: number];

/**
 * The two ends have different indices on purpose: a device whose index is that of its peer does not look stacked to the
 * kernel, which then may take a second to notice the carrier (net/core/link_watch.c, linkwatch_urgent_event).
 */
function vethLine(lab: Lab, [netns, name, index]: VethEnd, [peerNetns, peerName, peerIndex]: VethEnd): string {
  const mtu = `mtu ${lab.underlayMtu}`;
  const peer = `peer name ${peerName} index ${peerIndex} netns ${peerNetns} ${mtu}`;
  return `link add ${name} index ${index} netns ${netns} ${mtu} type veth ${peer}`;
}

/** Brings up the devices and gives them addresses; the batches do not depend on one another. Without `ipv6` the machine has none. */
export function addressBatches(lab: Lab, ipv6: boolean): Batch[] {
  const batches = lab.hosts.flatMap((host) => [
    { netns: host.netns, lines: hostLines(host, ipv6) },
    { netns: host.podNetns, lines: ['link set lo up'] },
  ]);
  const sites = lab.tenants.flatMap((tenant) => tenant.sites);
  for (const netns of sites.flatMap((site) => [site.netns, site.podNetns]))
    batches.push({ netns, lines: ['link set lo up'] });
  return lab.direct ? batches : [{ netns: underlayNetns(lab.id), lines: bridgeLines(lab, ipv6) }, ...batches];
}

function hostLines(host: LabHost, ipv6: boolean): string[] {
  return [
    'link set lo up',
    `addr add ${host.underlayAddress}/24 dev u0`,
    ...(ipv6 ? [`addr add ${host.underlayAddress6}/64 dev u0 nodad`] : []),
    'link set u0 up',
  ];
}

function bridgeLines(lab: Lab, ipv6: boolean): string[] {
  return [
    'link set lo up',
    `link add br0 mtu ${lab.underlayMtu} type bridge`,
    'addr add 192.0.2.254/24 dev br0',
    ...(ipv6 ? ['addr add 2001:db8::fe/64 dev br0 nodad'] : []),
    'link set br0 up',
    ...lab.hosts.map(({ number }) => `link set h${number} master br0 up`),
  ];
}

/** What is written in every host and tenant's router before it has devices. The files of IPv6 are not there on a machine without. */
export const HOST_SYSCTLS: readonly { readonly value: string; readonly paths: readonly string[] }[] = [
  { value: '1', paths: ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'] },
  {
    // No duplicate address detection: a router whose link-local address is still tentative (RFC 4862 §5.4) cannot ask
    // for neighbours, so that pods would have no IPv6 in their first second.
    value: '0',
    paths: ['/proc/sys/net/ipv6/conf/all/accept_dad', '/proc/sys/net/ipv6/conf/default/accept_dad'],
  },
];
