import { Command } from 'commander';
import type { Peer, PeersReply } from '../../control/protocol.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Column, formatTable } from '../table.ts';
import { formatBytes, formatCount, formatExpiry } from '../units.ts';

export function peersCommand(): Command {
  return addQueryOptions(new Command('peers'))
    .description('List the other nodes: their subnets, addresses and traffic')
    .action(async (options: QueryOptions) => {
      await printReply('/v1/peers', options, (reply) => formatPeers(reply, Date.now()));
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

export function formatPeers({ peers }: PeersReply, nowMs: number): string {
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
    ...(hasNotes ? [noteOf(peer, nowMs)] : []),
  ]);
  return formatTable(hasNotes ? [...COLUMNS, { title: 'Note' }] : COLUMNS, rows);
}

/** With the time that a leaving peer has left. */
function noteOf({ leaving, note, expiresAt }: Peer, nowMs: number): string {
  if (note === null) return '';
  return leaving && expiresAt !== null ? `${note}, ends ${formatExpiry(expiresAt, nowMs)}` : note;
}
