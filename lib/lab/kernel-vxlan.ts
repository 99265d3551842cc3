/**
 * The kernel's own VXLAN beside Weft, to compare with: the same pods, hosts and underlay, reached by other addresses.
 *
 *   [ pod n ] eth1 10.250.n.2 ── veth ── pod1 ── cni1 10.250.n.1 [ host n ] vxlan0 ══ UDP 4790 ══ u0
 *
 * A second veth and bridge, not a second address on the first: it has its own MTU, and it needs no daemon to be there.
 * Peers are set up as flannel does for its vxlan backend, without learning and without ARP on the wire.
 */
import { bridgeBatch, ipBatch } from './command.ts';
import type { Lab, LabHost } from './model.ts';

/** Our choice: no port or VNI of flannel or Weft. */
const VNI = 42;
const PORT = 4790;
/** Outer IPv4, UDP, VXLAN and inner Ethernet header. RFC 7348 §5. */
const OVERHEAD = 20 + 8 + 8 + 14;

/** The pod's address that goes by the kernel's VXLAN: "10.250.3.2". */
export function kernelVxlanPodAddress(host: LabHost): string {
  return `10.250.${host.number}.2`;
}

/** Once a lab. Throws WeftError LAB_COMMAND_FAILED, for example when the kernel has no VXLAN. */
export async function addKernelVxlan(lab: Lab): Promise<void> {
  const mtu = lab.underlayMtu - OVERHEAD;
  for (const host of lab.hosts) {
    await ipBatch(host.netns, [...deviceLines(host, mtu), ...peerLines(lab, host)]);
    await bridgeBatch(host.netns, forwardingLines(lab, host));
    await ipBatch(host.podNetns, [
      `addr add ${kernelVxlanPodAddress(host)}/24 dev eth1`,
      'link set eth1 up',
      `route add 10.250.0.0/16 via 10.250.${host.number}.1`,
    ]);
  }
}

function deviceLines(host: LabHost, mtu: number): string[] {
  const { number, underlayAddress, underlayInterface } = host;
  return [
    `link add vxlan0 mtu ${mtu} address ${macOf(host)} type vxlan id ${VNI} dstport ${PORT} local ${underlayAddress} dev ${underlayInterface} nolearning`,
    `addr add 10.250.${number}.0/32 dev vxlan0`,
    'link set vxlan0 up',
    `link add cni1 mtu ${mtu} type bridge`,
    `addr add 10.250.${number}.1/24 dev cni1`,
    'link set cni1 up',
    `link add pod1 mtu ${mtu} type veth peer name eth1 netns ${host.podNetns} mtu ${mtu}`,
    'link set pod1 master cni1 up',
  ];
}

function peerLines(lab: Lab, host: LabHost): string[] {
  return peersOf(lab, host).flatMap((peer) => [
    `neigh add 10.250.${peer.number}.0 lladdr ${macOf(peer)} dev vxlan0 nud permanent`,
    `route add 10.250.${peer.number}.0/24 via 10.250.${peer.number}.0 dev vxlan0 onlink`,
  ]);
}

function forwardingLines(lab: Lab, host: LabHost): string[] {
  return peersOf(lab, host).map(
    (peer) => `fdb add ${macOf(peer)} dev vxlan0 dst ${peer.underlayAddress} self permanent`,
  );
}

function peersOf(lab: Lab, host: LabHost): LabHost[] {
  return lab.hosts.filter((other) => other.number !== host.number);
}

/** A locally administered address that every host can work out. */
function macOf(host: LabHost): string {
  return `02:77:78:00:00:${host.number.toString(16).padStart(2, '0')}`;
}
