import { Command } from 'commander';
import type { Peer, PeersReply } from '../../control/protocol.ts';
import { formatBytes, formatCount, formatDuration, formatExpiry } from '../../units.ts';
import { lossWords, rttWords } from '../peer-words.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Column, formatTable } from '../table.ts';

export function peersCommand(): Command {
  return addQueryOptions(new Command('peers'))
    .description('List the other nodes: their subnets, addresses and traffic')
    .option('--wide', "also each node's IPv6 address, VNI and VtepMACs")
    .action(async (options: QueryOptions & { readonly wide?: boolean }) => {
      await printReply('/v1/peers', options, (reply) => formatPeers(reply, Date.now(), options.wide));
    });
}

/** Without a monitor there is room for packets. */
const COLUMNS: readonly Column[] = [
  { title: 'Subnet' },
  { title: 'Public IP' },
  { title: 'Backend' },
  { title: 'Out packets', align: 'right' },
  { title: 'Out bytes', align: 'right' },
  { title: 'In packets', align: 'right' },
  { title: 'In bytes', align: 'right' },
];

/** Fit 80 columns. */
const HEALTH_COLUMNS: readonly Column[] = [
  { title: 'Subnet' },
  { title: 'Public IP' },
  { title: 'RTT', align: 'right' },
  { title: 'Loss', align: 'right' },
  { title: 'Seen', align: 'right' },
  { title: 'MTU', align: 'right' },
  { title: 'Out', align: 'right' },
  { title: 'In', align: 'right' },
];

/** With --wide, what the table with health has no room for. */
const TRAFFIC_COLUMNS: readonly Column[] = [
  { title: 'Backend' },
  { title: 'Out packets', align: 'right' },
  { title: 'In packets', align: 'right' },
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
  // Nor has a weftd without a monitor, or one that is older than this command.
  const hasHealth = peers.some(({ health }) => health !== null && health !== undefined);
  const rows = peers.map((peer) => [
    peer.ipv6Subnet === null ? peer.subnet : `${peer.subnet} ${peer.ipv6Subnet}`,
    peer.publicIp,
    ...(hasHealth
      ? [...healthOf(peer, nowMs), ...bytesOf(peer), ...(wide ? trafficOf(peer) : [])]
      : plainTrafficOf(peer)),
    ...(wide ? [peer.publicIpv6 ?? '-', String(peer.vni ?? '-'), vtepMacsOf(peer)] : []),
    ...(hasNotes ? [noteOf(peer, nowMs)] : []),
  ]);
  const columns = hasHealth ? [...HEALTH_COLUMNS, ...(wide ? TRAFFIC_COLUMNS : [])] : COLUMNS;
  return formatTable([...columns, ...(wide ? WIDE_COLUMNS : []), ...(hasNotes ? [{ title: 'Note' }] : [])], rows);
}

function backendOf({ backendType }: Peer): string {
  return backendType === '' ? 'udp' : backendType;
}

function bytesOf({ traffic }: Peer): string[] {
  return traffic === null ? ['-', '-'] : [formatBytes(traffic.outboundBytes), formatBytes(traffic.inboundBytes)];
}

function trafficOf(peer: Peer): string[] {
  const { traffic } = peer;
  const packets =
    traffic === null ? ['-', '-'] : [formatCount(traffic.outboundPackets), formatCount(traffic.inboundPackets)];
  return [backendOf(peer), ...packets];
}

function plainTrafficOf(peer: Peer): string[] {
  const [backend, outPackets, inPackets] = trafficOf(peer);
  const [outBytes, inBytes] = bytesOf(peer);
  return [backend!, outPackets!, outBytes!, inPackets!, inBytes!];
}

/** RTT, loss, when it was seen last, path MTU; on the underlay alone there is no MTU to find. */
function healthOf(peer: Peer, nowMs: number): string[] {
  const { health } = peer;
  if (health === null || health === undefined) return ['-', '-', '-', '-'];
  const { lastSeen, pathMtu } = health;
  return [
    rttWords(peer),
    lossWords(peer),
    lastSeen === null ? '-' : formatDuration(Math.max(0, (nowMs - Date.parse(lastSeen)) / 1000)),
    pathMtu === null ? '-' : String(pathMtu),
  ];
}

/** With the time that a leaving peer has left. */
function noteOf({ leaving, note, expiresAt }: Peer, nowMs: number): string {
  if (note === null) return '';
  return leaving && expiresAt !== null ? `${note}, ends ${formatExpiry(expiresAt, nowMs)}` : note;
}
