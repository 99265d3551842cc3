/** Who has which subnet, as the dissector reads it: a node a line, its subnets, its addresses, its VNI and MACs. */
import { isIgnored, type NetworkReport, type Peer } from '../control/protocol.ts';

/** What the leases of one network say; `report` is this node's own. */
export interface NetworkLeases {
  readonly report: NetworkReport;
  readonly peers: readonly Peer[];
}

interface Lease {
  readonly subnets: readonly (string | null)[];
  readonly addresses: readonly (string | null)[];
  readonly vni: number | null;
  readonly macs: readonly (string | null)[];
}

/** The whole file. A network without a lease of its own has its peers all the same. */
export function formatLeases(networks: readonly NetworkLeases[]): string {
  const lines = ['# Leases for the Wireshark dissector weft.lua: subnets, node, VNI and MAC of its VTEP.'];
  for (const { report, peers } of networks) {
    if (report.name !== '') lines.push(`# network ${report.name}`);
    const own = ownLease(report);
    if (own !== undefined) lines.push(leaseLine(own));
    for (const peer of peers) if (!isIgnored(peer)) lines.push(leaseLine(leaseOf(peer)));
  }
  return `${lines.join('\n')}\n`;
}

function ownLease({ lease, external, backend }: NetworkReport): Lease | undefined {
  if (lease === null || external === null) return undefined;
  return {
    subnets: [lease.ipv4, lease.ipv6],
    addresses: [external.publicIp, external.publicIpv6],
    vni: backend?.vni ?? null,
    macs: [backend?.vtepMac ?? null, backend?.vtepMacV6 ?? null],
  };
}

function leaseOf(peer: Peer): Lease {
  return {
    subnets: [peer.subnet, peer.ipv6Subnet],
    addresses: [peer.publicIp, peer.publicIpv6],
    vni: peer.vni,
    macs: [peer.vtepMac, peer.vtepMacV6],
  };
}

function leaseLine({ subnets, addresses, vni, macs }: Lease): string {
  const words = [
    ...subnets,
    ...addresses,
    vni === null ? null : `vni=${vni}`,
    ...macs.map((mac) => (mac === null ? null : `mac=${mac}`)),
  ];
  return words.filter((word) => word !== null && word !== '').join(' ');
}
