/** The tables of a report of `weft bench` that grow with the size of a network. */
import type { LeaseScale, PeerScale, ScaleFigures } from '../../bench/scale.ts';
import { formatBytes, formatCount } from '../../units.ts';
import { type Column, formatTable } from '../table.ts';

/** Of what was measured, one text a table. */
export function formatScale({ routes, peers, leases }: ScaleFigures): string[] {
  return [
    ...(routes.length === 0 ? [] : [formatRoutes(routes)]),
    ...(peers.length === 0 ? [] : [formatPeers(peers)]),
    ...(leases.length === 0 ? [] : [formatLeases(leases)]),
  ];
}

function formatRoutes(routes: ScaleFigures['routes']): string {
  const rows = routes.map((point) => [
    formatCount(point.routes),
    point.nanosecondsPerLookup.toFixed(2),
    point.loadMs.toFixed(1),
  ]);
  return table(
    'Routes: a lookup in the packet code, and building the whole table',
    ['Routes', 'ns a lookup', 'built in ms'],
    rows,
  );
}

function formatPeers(peers: readonly PeerScale[]): string {
  const rows = peers.map((point) => [
    formatCount(point.peers),
    formatCount(point.packetsPerSecond),
    point.limit,
    formatBytes(point.residentBytes),
    `${(point.restCpuShare * 100).toFixed(1)} %`,
    point.knownSeconds.toFixed(2),
  ]);
  const titles = ['Peers', 'packets/s', 'limited by', 'resident', 'CPU at rest', 'known after s'];
  return table('Peers: 64-byte packets to a real one among others that only have a lease', titles, rows);
}

function formatLeases(leases: readonly LeaseScale[]): string {
  const rows = leases.map((point) => [
    formatCount(point.perSecond),
    formatCount(point.leases),
    point.gigabitsPerSecond.toFixed(2),
    point.leases === 0 ? '-' : point.lastSeconds.toFixed(3),
  ]);
  const titles = ['Leases/s', 'leases', 'TCP Gb/s', 'last one known after s'];
  return table('Leases that arrive beside one TCP stream', titles, rows);
}

function table(title: string, titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = titles.map((text): Column => ({ title: text, align: 'right' }));
  return `${title}\n${formatTable(columns, rows)}`;
}
