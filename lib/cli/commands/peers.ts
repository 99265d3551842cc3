import { Command } from 'commander';
import type { Peer, PeersReply } from '../../control/protocol.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Column, formatTable } from '../table.ts';
import { formatBytes, formatCount, formatExpiry } from '../units.ts';

export function peersCommand(): Command {
  return addQueryOptions(new Command('peers'))
    .description('List the other nodes: their subnets, addresses and traffic')
    .option('--wide', "also each node's IPv6 address, VNI and VtepMACs")
    .action(async (options: QueryOptions & { readonly wide?: boolean }) => {
      await printReply('/v1/peers', options, (reply) => formatPeers(reply, Date.now(), options.wide));
    });
}

const COLUMNS: readonly Column[] = [
  { title: 'Subnet' },
  { title: 'Public IP' },
  { title: 'Backend' },
  { title: 'Out packets', align: 'right' },
  { title: 'Out bytes', align: 'right' },
  { title: 'In packets', align: 'right' },
  { title: 'In bytes', align: 'right' },
];

const WIDE_COLUMNS: readonly Column[] = [
  { title: 'Public IPv6' },
  { title: 'VNI', align: 'right' },
  { title: 'VtepMAC' },
];

function vtepMacsOf({ vtepMac, vtepMacV6 }: Peer): string {
  const macs = [vtepMac, vtepMacV6].filter((mac) => mac !== null && mac !== undefined);
  return macs.length === 0 ? '-' : macs.join(' ');
}

export function formatPeers({ peers }: PeersReply, nowMs: number, wide = false): string {
  if (peers.length === 0) return 'No other node has a lease.\n';
  // Most clusters have nothing to note.
  const hasNotes = peers.some((peer) => peer.note !== null);
  const rows = peers.map((peer) => [
    peer.ipv6Subnet === null ? peer.subnet : `${peer.subnet} ${peer.ipv6Subnet}`,
    peer.publicIp,
    peer.backendType === '' ? 'udp' : peer.backendType,
    peer.traffic === null ? '-' : formatCount(peer.traffic.outboundPackets),
    peer.traffic === null ? '-' : formatBytes(peer.traffic.outboundBytes),
    peer.traffic === null ? '-' : formatCount(peer.traffic.inboundPackets),
    peer.traffic === null ? '-' : formatBytes(peer.traffic.inboundBytes),
    ...(wide ? [peer.publicIpv6 ?? '-', String(peer.vni ?? '-'), vtepMacsOf(peer)] : []),
    ...(hasNotes ? [noteOf(peer, nowMs)] : []),
  ]);
  return formatTable([...COLUMNS, ...(wide ? WIDE_COLUMNS : []), ...(hasNotes ? [{ title: 'Note' }] : [])], rows);
}

/** With the time that a leaving peer has left. */
function noteOf({ leaving, note, expiresAt }: Peer, nowMs: number): string {
  if (note === null) return '';
  return leaving && expiresAt !== null ? `${note}, ends ${formatExpiry(expiresAt, nowMs)}` : note;
}
