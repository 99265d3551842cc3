/**
 * One more way into the pod of a host, beside those that are there: bridge and veth of its own, as a CNI plugin makes them,
 * with the MTU that all paths are compared at.
 *
 *   [ pod ] eth-udp .2 ── veth ── pod-udp ── cni-udp .1 [ host ]
 *
 * The pod keeps one address for each path, and a route for the path's network instead of a default route.
 */
import { ipBatch } from '../lab/command.ts';
import type { LabHost } from '../lab/model.ts';

/** The MTU inside, the same for all: what VXLAN leaves of 1500, so that nobody gains by larger packets. */
export const INNER_MTU = 1450;

export interface PodLink {
  /** Makes the names of devices: at most 11 characters, so that "eth-" and it fit IFNAMSIZ. */
  readonly name: string;
  /** First three bytes of this host's pods: "10.101.7". */
  readonly subnet: string;
  /** All pods of the path: "10.101.0.0/16". */
  readonly network: string;
}

/** Connects the host's pod and returns its address. */
export async function linkPod(host: LabHost, { name, subnet, network }: PodLink): Promise<string> {
  const address = `${subnet}.2`;
  await ipBatch(host.netns, [
    `link add cni-${name} mtu ${INNER_MTU} type bridge`,
    `addr add ${subnet}.1/24 dev cni-${name}`,
    `link set cni-${name} up`,
    `link add pod-${name} mtu ${INNER_MTU} type veth peer name eth-${name} netns ${host.podNetns} mtu ${INNER_MTU}`,
    `link set pod-${name} master cni-${name} up`,
  ]);
  await ipBatch(host.podNetns, [
    `addr add ${address}/24 dev eth-${name}`,
    `link set eth-${name} up`,
    `route add ${network} via ${subnet}.1`,
  ]);
  return address;
}
