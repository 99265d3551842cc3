/** What Weft is, in one picture: one real echo request from pod to pod, where it was and when, and what it was wrapped into. */
import type { TraceReport } from '../../lib/observe/trace/trace.ts';
import { escapeHtml } from './painter.ts';

export const OVERVIEW_STYLE = `
  #picture { width: 1080px; padding: 18px 20px 14px; background: var(--ground); }
  svg { display: block; width: 1040px; height: 344px; }
  text { fill: var(--text); font: 14px var(--sans); }
  .small { font-size: 12px; fill: var(--muted); }
  .time { font: 12px var(--mono); fill: var(--muted); }
  .name { font-weight: 600; }
  .host { fill: var(--panel); stroke: var(--line); }
  .title { font-size: 16px; font-weight: 600; }
  .stop { fill: var(--ground); stroke: var(--line); }
  .weft { fill: var(--accent-soft); stroke: var(--accent); }
  .way { stroke: var(--accent); stroke-width: 2; fill: none; }
  .wire { stroke: var(--accent); stroke-width: 5; fill: none; }
  .outer { fill: var(--accent-soft); stroke: var(--accent); }
  .inner { fill: var(--panel); stroke: var(--muted); }
`;

interface Stop {
  readonly name: string;
  readonly below: string;
  /** Milliseconds since the pod sent it; undefined: nobody looked there. */
  readonly ms: number | undefined;
  readonly weft: boolean;
}

/** `report` has the points of both hosts, which are of one kernel and so of one clock. */
export function overview(report: TraceReport): string {
  const probe = report.probes[0]!;
  const first = probe.points[0]!;
  const at = (host: string, place: string, kind = 'probe'): number | undefined => {
    const point = probe.points.find((each) => each.host === host && each.place === place && each.kind === kind);
    if (point === undefined) return undefined;
    return (point.seconds - first.seconds) * 1e3 + (point.nanoseconds - first.nanoseconds) / 1e6;
  };
  const device = probe.points.find(({ place }) => place === 'overlay')?.device ?? '';
  const stop = (name: string, below: string, ms: number | undefined, weft = false): Stop => ({ name, below, ms, weft });
  const left = [
    stop('pod 1', report.source, at('here', 'pod veth')),
    stop(device, 'overlay device', at('here', 'overlay')),
    stop('weftd', 'wraps it', undefined, true),
    stop('u0', 'underlay', at('here', 'underlay')),
  ];
  const right = [
    stop('u0', 'underlay', at('far', 'underlay')),
    stop('weftd', 'unwraps it', undefined, true),
    stop(device, 'overlay device', at('far', 'overlay')),
    stop('pod 2', report.destination, at('far', 'bridge')),
  ];
  const total = at('far', 'bridge');
  const took = total === undefined ? '' : `, ${total.toFixed(2)} ms after it was sent`;
  return `<svg viewBox="0 0 1040 344" role="img" aria-label="A ping from pod to pod through two weftd">
    <text class="title" x="0" y="16">A ping from pod 1 reaches pod 2 on another host${took}</text>
    ${host(0, 'host 1', '192.0.2.1')}${host(560, 'host 2', report.peer ?? '')}
    <path class="wire" d="M 480 100 H 560"/><text class="small" x="520" y="88" text-anchor="middle">UDP</text>
    ${stops(left, 20)}${stops(right, 580)}
    ${packet(report)}
  </svg>`;
}

function host(x: number, name: string, address: string): string {
  return `<rect class="host" x="${x}" y="32" width="480" height="142" rx="8"/>
    <text class="name" x="${x + 16}" y="56">${name}</text><text class="small" x="${x + 74}" y="56">${escapeHtml(address)}</text>`;
}

const STOP = 96;
const GAP = 18;

function stops(all: readonly Stop[], x: number): string {
  return all
    .map(({ name, below, ms, weft }, index) => {
      const left = x + index * (STOP + GAP);
      const middle = left + STOP / 2;
      const way = index === 0 ? '' : `<path class="way" d="M ${left - GAP} 100 H ${left}"/>`;
      const time =
        ms === undefined
          ? ''
          : `<text class="time" x="${middle}" y="158" text-anchor="middle">${ms.toFixed(3)} ms</text>`;
      return `${way}<rect class="${weft ? 'weft' : 'stop'}" x="${left}" y="66" width="${STOP}" height="68" rx="6"/>
        <text class="name" x="${middle}" y="98" text-anchor="middle">${escapeHtml(name)}</text>
        <text class="small" x="${middle}" y="118" text-anchor="middle">${escapeHtml(below)}</text>${time}`;
    })
    .join('');
}

/** The frame between the hosts: each header as wide as it is long, but wide enough for its name. */
function packet({ wire }: TraceReport): string {
  if (wire === null) return '';
  const sizes = wire.headers.map(({ name, fields }, index) => {
    const begin = fields[0]!.at;
    const end = wire.headers[index + 1]?.fields[0]?.at ?? wire.bytes;
    return { name, bytes: end - begin, values: new Map(fields.map((field) => [field.name, field.value])) };
  });
  const isInner = sizes.findIndex(({ name }) => name.startsWith('inner'));
  const widths = sizes.map(({ name, bytes }) => Math.max(bytes * 2.2, name.length * 8.4 + 18));
  const scale = 1040 / widths.reduce((sum, width) => sum + width, 0);
  let x = 0;
  const boxes = sizes.map(({ name, bytes, values }, index) => {
    const width = widths[index]! * scale;
    const box = `<rect class="${index < isInner ? 'outer' : 'inner'}" x="${x}" y="240" width="${width - 3}" height="52" rx="4"/>
      <text class="name" x="${x + width / 2 - 1}" y="262" text-anchor="middle">${escapeHtml(name)}</text>
      <text class="small" x="${x + width / 2 - 1}" y="281" text-anchor="middle">${bytes} bytes</text>
      <text class="small" x="${x + width / 2 - 1}" y="312" text-anchor="middle">${escapeHtml(detailOf(name, values)[0])}</text>
      <text class="small" x="${x + width / 2 - 1}" y="329" text-anchor="middle">${escapeHtml(detailOf(name, values)[1])}</text>`;
    x += width;
    return box;
  });
  const frame = sizes.slice(isInner).reduce((sum, { bytes }) => sum + bytes, 0);
  return `<path class="way" d="M 520 106 V 196" stroke-dasharray="3 4"/>
    <text x="520" y="222" text-anchor="middle">On the wire ${wire.bytes} bytes: the ${frame} of ${sizes.some(({ name }) => name === 'inner Ethernet') ? "the pod's frame" : "the pod's packet"}, and before them the headers of the tunnel</text>
    ${boxes.join('')}`;
}

function detailOf(name: string, values: ReadonlyMap<string, string>): [string, string] {
  const value = (key: string): string => values.get(key) ?? '';
  if (name.endsWith('IPv4')) return [value('source'), `> ${value('destination')}`];
  if (name === 'UDP') return [value('source port'), `> ${value('destination port')}`];
  if (name === 'VXLAN') return [`VNI ${value('VNI')}`, ''];
  if (name === 'ICMP') return ['echo request', `and its data`];
  return ['', ''];
}
