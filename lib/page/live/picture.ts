/** The picture of nodes: this host, its peers around it, and between them edges as wide as their traffic. */

import { formatBitRate } from '../../units.ts';
import { byId, setText, svg } from '../kit/dom.ts';
import type { Context } from './context.ts';
import { EDGE_WIDTHS, edgeClass, type LabelWish, type Layout, layOut, placeLabels, spotAt } from './layout.ts';
import { byNeed, bySubnet } from './order.ts';
import type { PeerView } from './store.ts';
import { plural } from './words.ts';

/** Our choice: labels at most; there is seldom room for more. */
const MOST_LABELS = 24;
/** Our choice: up to so many peers have their rates in their labels. */
const FEW = 12;
/** Our choice: a finger's reach, CSS pixels. */
const REACH = 16;
const HOST_RADIUS = 17;

const KINDS = ['idle', 'active', 'warn', 'bad'] as const;
type Kind = (typeof KINDS)[number];

export function picture({ store, redraw, choice }: Context): void {
  const target = byId('picture');
  const edges = KINDS.flatMap((kind) =>
    EDGE_WIDTHS.map(
      (width, k) => [`${kind}-${k}`, svg('path', { class: `edge ${kind}`, 'stroke-width': width })] as const,
    ),
  );
  const edgeOf = new Map(edges);
  const dotsOf = new Map(KINDS.map((kind) => [kind, svg('path', { class: `dots ${kind}` })] as const));
  const chosen = svg('circle', { class: 'chosen', r: 0 });
  const host = svg('circle', { class: 'host', r: HOST_RADIUS });
  const hostName = svg('text', { class: 'host-name', 'text-anchor': 'middle' });
  const labels = svg('g', { class: 'labels' });
  const drawing = svg(
    'svg',
    { role: 'img', 'aria-label': 'Nodes' },
    ...edges.map(([, path]) => path),
    ...dotsOf.values(),
    chosen,
    host,
    hostName,
    labels,
  );
  target.append(drawing);
  let order: PeerView[] = [];
  let layout: Layout = layOut(0, 400, 300);
  let hovered = -1;
  // Told, not asked: to ask makes the browser lay out what has changed so far.
  let size = { width: target.clientWidth, height: target.clientHeight };

  const place = (): void => {
    order = [...store.peers.values()].toSorted(bySubnet);
    layout = layOut(order.length, Math.max(240, size.width), Math.max(220, size.height));
    drawing.setAttribute('viewBox', `0 0 ${layout.width} ${layout.height}`);
    for (const each of [host, chosen]) {
      each.setAttribute('cx', String(layout.centre.x));
      each.setAttribute('cy', String(layout.centre.y));
    }
    hostName.setAttribute('x', String(layout.centre.x));
    // Above it: of an odd number of peers one is right below.
    hostName.setAttribute('y', String(layout.centre.y - HOST_RADIUS - 10));
  };

  const draw = (): void => {
    const views = order.map(({ peer }) => store.peers.get(peer.subnet)!);
    setText(hostName, cut(store.hello?.host ?? ''));
    drawEdges(layout, views, edgeOf);
    drawDots(layout, views, dotsOf);
    const at = views.findIndex(({ peer }) => peer.subnet === choice.subnet);
    const spot = layout.spots[at];
    chosen.setAttribute('cx', String(spot?.x ?? layout.centre.x));
    chosen.setAttribute('cy', String(spot?.y ?? layout.centre.y));
    chosen.setAttribute('r', String(spot === undefined ? HOST_RADIUS + 4 : radiusOf(layout, views[at]!) + 4));
    const wishes = wishesOf(views, [hovered, at]);
    const placed = placeLabels(layout, wishes, MOST_LABELS);
    labels.replaceChildren(
      ...placed.map((label) =>
        svg(
          'text',
          { class: views[label.index]!.trouble?.level ?? '', 'text-anchor': label.anchor },
          ...label.lines.map((line, k) =>
            svg('tspan', { x: round(label.at.x), y: round(label.at.y + k * 15), class: k === 0 ? '' : 'more' }, line),
          ),
        ),
      ),
    );
    const said = store.peersKnown ? sentence(store.hello?.host, views) : '';
    drawing.setAttribute('aria-label', said === '' ? 'Nodes' : said);
    setText(byId('nodes-said'), said);
  };

  const both = (): void => {
    place();
    draw();
  };
  redraw.view(['peers', 'rates', 'state'], (dirty) => (dirty.has('peers') ? both() : draw()));
  choice.onChange(draw);
  new ResizeObserver(([entry]) => {
    const { width, height } = entry!.contentRect;
    if (width === size.width && height === size.height) return;
    size = { width, height };
    both();
  }).observe(target);

  const at = (event: MouseEvent): number => {
    const box = drawing.getBoundingClientRect();
    const point = { x: event.clientX - box.left, y: event.clientY - box.top };
    return spotAt(layout, point, REACH);
  };
  drawing.addEventListener('pointermove', (event) => {
    const spot = at(event);
    drawing.classList.toggle('points', spot >= 0);
    if (spot === hovered) return;
    hovered = spot;
    draw();
  });
  drawing.addEventListener('pointerleave', () => {
    hovered = -1;
    draw();
  });
  drawing.addEventListener('click', (event) => choice.choose(order[at(event)]?.peer.subnet));
}

function kindOf({ trouble, busy }: PeerView): Kind {
  return trouble?.level ?? (busy > 0 ? 'active' : 'idle');
}

function drawEdges(layout: Layout, views: readonly PeerView[], paths: ReadonlyMap<string, SVGPathElement>): void {
  const lines = new Map<string, string>();
  const { centre } = layout;
  for (const [index, view] of views.entries()) {
    const kind = kindOf(view);
    // What is in trouble has an edge also without traffic: thin.
    const width = kind === 'idle' || kind === 'active' ? edgeClass(view.busy) : Math.max(1, edgeClass(view.busy));
    if (width < 0) continue;
    const { x, y } = layout.spots[index]!;
    const key = `${kind}-${width}`;
    lines.set(key, `${lines.get(key) ?? ''}M${round(centre.x)} ${round(centre.y)}L${round(x)} ${round(y)}`);
  }
  for (const [key, path] of paths) setAttribute(path, 'd', lines.get(key) ?? '');
}

function drawDots(layout: Layout, views: readonly PeerView[], paths: ReadonlyMap<Kind, SVGPathElement>): void {
  const dots = new Map<Kind, string>();
  for (const [index, view] of views.entries()) {
    const { x, y } = layout.spots[index]!;
    const r = round(radiusOf(layout, view));
    const kind = kindOf(view);
    dots.set(
      kind,
      `${dots.get(kind) ?? ''}M${round(x)} ${round(y)}m-${r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    );
  }
  for (const [kind, path] of paths) setAttribute(path, 'd', dots.get(kind) ?? '');
}

function radiusOf({ radius }: Layout, view: PeerView): number {
  if (view.trouble !== undefined) return Math.max(3, radius * 1.25);
  return view.busy > 0 ? radius * (1.1 + 0.07 * Math.max(0, edgeClass(view.busy))) : radius;
}

/** Labels in the order of who needs one: what the reader points at, the troubled, the busiest. */
function wishesOf(views: readonly PeerView[], first: readonly number[]): LabelWish[] {
  const indices = views.map((_, index) => index).toSorted((a, b) => byNeed(views[a]!, views[b]!));
  const wished = [...new Set([...first.filter((index) => index >= 0 && index < views.length), ...indices])];
  const few = views.length <= FEW;
  // Of a thousand, those without traffic are dots: names of them say nothing.
  const named = few ? wished : wished.filter((i) => first.includes(i) || views[i]!.busy > 0 || views[i]!.trouble);
  return named
    .slice(0, 8 * MOST_LABELS)
    .map((index) => ({ index, lines: linesOf(views[index]!, few || first.includes(index)) }));
}

function linesOf({ peer, trouble, rates, busy }: PeerView, long: boolean): string[] {
  const name = cut(peer.publicIp);
  const second = trouble?.text ?? (busy > 0 ? formatBitRate(rates.outBytes + rates.inBytes) : 'idle');
  return long || trouble !== undefined ? [name, second] : [name];
}

/** Text of a lease: an address, unless somebody wrote something else there. */
function cut(text: string): string {
  return text.length > 18 ? `${text.slice(0, 17)}…` : text;
}

function sentence(host: string | undefined, views: readonly PeerView[]): string {
  if (views.length === 0) return `${host ?? 'This host'}, alone`;
  const active = views.filter(({ busy }) => busy > 0).length;
  const troubled = views.filter(({ trouble }) => trouble !== undefined).length;
  const all = `${host ?? 'This host'} and ${plural(views.length, 'peer')}, ${active === 0 ? 'none' : active} with traffic now`;
  return troubled === 0 ? all : `${all}, ${troubled} in trouble`;
}

function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
