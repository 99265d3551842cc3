/** What grows with the size of a network: routes, peers, leases that arrive. Pure. */
import type { BenchReport } from '../bench/report.ts';
import { curvePlace } from './curve-place.ts';
import { curvePlots } from './curves.ts';
import { type Figure, notMeasured, type Section, type SectionPart } from './figure.ts';
import { type Html, html, table } from './html.ts';
import { count, figure } from './numbers.ts';

export function scaleSection(report: BenchReport): Section {
  const { routes, peers, leases } = report.scale;
  const missing = [
    ...(routes.length === 0 ? ['routes'] : []),
    ...(peers.length === 0 ? ['peers'] : []),
    ...(leases.length === 0 ? ['leases that arrive'] : []),
  ];
  const parts = [
    routes.length === 0 ? undefined : routesFigure(report),
    peers.length === 0 ? undefined : peersFigure(report),
    leases.length === 0 ? undefined : leasesFigure(report),
    missing.length === 0 ? undefined : notMeasured(missing.join(', ')),
  ];
  return { id: 'scale', title: 'Size of the network', parts };
}

function routesFigure(report: BenchReport): SectionPart {
  const rows = report.scale.routes.map((point) => [point.routes, point.nanosecondsPerLookup, point.loadMs]);
  return {
    id: 'routes',
    finding: `${routesFinding(report)}.`,
    ...curves(
      report,
      'Lookups of random addresses in the real tables, without packets.',
      'scale-routes',
      'scale-build',
    ),
    numbers: numbers('Routes', ['Routes', 'ns a lookup', 'ms to build'], rows),
  };
}

const PEERS_READING =
  'Packets of 64 bytes to one real peer among others that only have a lease; memory and CPU at rest of the busier of two daemons.';

function peersFigure(report: BenchReport): SectionPart {
  const titles = ['Peers', 'packets/s', 'MB resident', '% of a CPU at rest', 's until known'];
  const rows = report.scale.peers.map((point) => [
    point.peers,
    point.packetsPerSecond,
    point.residentBytes / 1e6,
    point.restCpuShare * 100,
    point.knownSeconds,
  ]);
  return {
    id: 'peers',
    finding: `${peersFinding(report)}.`,
    ...curves(report, PEERS_READING, 'scale-peers', 'scale-memory', 'scale-rest', 'scale-known'),
    numbers: numbers('Peers', titles, rows),
  };
}

const LEASES_READING = 'One TCP stream while leases arrive for 3 s. etcd and who writes to it share the machine.';

function leasesFigure(report: BenchReport): SectionPart {
  const rows = report.scale.leases.map((point) => [
    point.perSecond,
    point.leases,
    point.gigabitsPerSecond,
    point.lastSeconds,
  ]);
  return {
    id: 'leases',
    finding: `${leasesFinding(report)}.`,
    ...curves(report, LEASES_READING, 'scale-leases'),
    numbers: numbers('Leases', ['Leases a second', 'leases', 'Gb/s', 's until the last is known'], rows),
  };
}

/** Places of the plots that there are: one point draws nothing. */
function curves(report: BenchReport, reading: string, ...ids: string[]): Pick<Figure, 'picture' | 'reading'> {
  const found = curvePlots(report).filter(({ id }) => ids.includes(id));
  return {
    picture: html`<div class="curves">${found.map((plot) => html`<div>${curvePlace(plot)}</div>`)}</div>`,
    reading,
  };
}

function routesFinding({ scale: { routes } }: BenchReport): string {
  const [few, many] = [routes[0]!, routes.at(-1)!];
  if (few === many) return `A lookup among ${count(few.routes)} routes takes ${figure(few.nanosecondsPerLookup)} ns`;
  return `A lookup takes ${figure(few.nanosecondsPerLookup)} ns among ${count(few.routes)} routes and ${figure(many.nanosecondsPerLookup)} ns among ${count(many.routes)}, whose table is built in ${figure(many.loadMs)} ms`;
}

function peersFinding({ scale: { peers } }: BenchReport): string {
  const [few, many] = [peers[0]!, peers.at(-1)!];
  const rest = `${figure(many.restCpuShare * 100)} % of a CPU at rest and ${figure(many.residentBytes / 1e6)} MB`;
  return `${figure(many.packetsPerSecond)} packets/s pass among ${count(many.peers)} peers, ${figure(few.packetsPerSecond)} among ${count(few.peers)}; ${count(many.peers)} peers cost ${rest}`;
}

function leasesFinding({ scale: { leases } }: BenchReport): string {
  const [few, many] = [leases[0]!, leases.at(-1)!];
  const known = many.leases === 0 ? '' : `, and the last of them is known after ${figure(many.lastSeconds)} s`;
  if (few === many)
    return `One TCP stream carries ${figure(few.gigabitsPerSecond)} Gb/s beside ${count(few.perSecond)} leases a second${known}`;
  return `One TCP stream carries ${figure(few.gigabitsPerSecond)} Gb/s beside ${count(few.perSecond)} leases a second and ${figure(many.gigabitsPerSecond)} beside ${count(many.perSecond)}${known}`;
}

function numbers(caption: string, titles: readonly string[], rows: readonly (readonly number[])[]): Html {
  return table(
    caption,
    titles.map((title) => ({ title, number: true })),
    rows.map((row) => row.map(count)),
  );
}
