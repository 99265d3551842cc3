/**
 * Where the nodes of the picture are: this host in the middle, its peers around it in the order of their subnets, so that each
 * stays where it is while traffic changes. A single peer is beside it. Many peers become dots on several rings. Pure; CSS pixels.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

interface Spot extends Point {
  /** Where a label of this peer would begin: beyond the outermost ring, on the same ray. */
  readonly label: Point;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly centre: Point;
  readonly spots: readonly Spot[];
  /** Of a peer's dot without traffic. */
  readonly radius: number;
}

/** Our choice: what a label needs beside and above the rings. */
const LABEL_WIDTH = 104;
const LABEL_HEIGHT = 38;
/** Our choice: distances between dots, the first that has room for all is taken. */
const SPACINGS = [26, 20, 15, 12, 10, 8.5, 7, 6, 5, 4, 3];
/** Our choice: peers that are drawn large, on one ring. */
const FEW = 16;
/** The part of the outermost ring that the innermost is at least. */
const INNERMOST = 0.42;

export function layOut(count: number, width: number, height: number): Layout {
  const outer = {
    x: Math.max(30, width / 2 - Math.min(LABEL_WIDTH, width * 0.3)),
    y: Math.max(30, height / 2 - LABEL_HEIGHT),
  };
  // Two nodes are a pair, in the middle together.
  const isPair = count === 1;
  const centre = { x: width / 2 - (isPair ? outer.x / 2 : 0), y: height / 2 };
  const spacing = count <= FEW ? Number.POSITIVE_INFINITY : spacingFor(count, outer);
  const rings = count <= FEW ? [{ scale: 1, room: count }] : ringsOf(outer, spacing);
  const spots: Spot[] = [];
  for (const { scale, dots } of share(rings, count))
    for (let k = 0; k < dots; k++) {
      // From the top, clockwise.
      const angle = isPair ? 0 : ((k + 0.5) / dots) * 2 * Math.PI - Math.PI / 2;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      spots.push({
        x: centre.x + outer.x * scale * cos,
        y: centre.y + outer.y * scale * sin,
        label: { x: centre.x + (outer.x + 14) * cos, y: centre.y + (outer.y + 14) * sin },
      });
    }
  return { width, height, centre, spots, radius: Math.max(1, Math.min(5, spacing / 3.2)) };
}

interface Ring {
  /** Of the outermost. */
  readonly scale: number;
  /** Dots that it has room for. */
  readonly room: number;
}

function ringsOf(outer: Point, spacing: number): Ring[] {
  const rings: Ring[] = [];
  const step = spacing / Math.min(outer.x, outer.y);
  for (let scale = 1; scale >= INNERMOST; scale -= step)
    rings.push({ scale, room: Math.floor((circumference(outer) * scale) / spacing) });
  return rings;
}

function spacingFor(count: number, outer: Point): number {
  const room = (spacing: number): number => ringsOf(outer, spacing).reduce((sum, ring) => sum + ring.room, 0);
  return SPACINGS.find((spacing) => room(spacing) >= count) ?? SPACINGS.at(-1)!;
}

/** Of an ellipse, about: Ramanujan's first. */
function circumference({ x, y }: Point): number {
  return Math.PI * (3 * (x + y) - Math.sqrt((3 * x + y) * (x + 3 * y)));
}

/** The outermost are filled first, but no ring is left with a few: all that are needed are filled alike. */
function share(rings: readonly Ring[], count: number): { readonly scale: number; readonly dots: number }[] {
  const needed: Ring[] = [];
  let room = 0;
  for (const ring of rings)
    if (room < count) {
      needed.push(ring);
      room += ring.room;
    }
  let left = count;
  let roomLeft = room;
  return needed.map(({ scale, room: own }, k) => {
    const dots = k === needed.length - 1 ? left : Math.round((left * own) / Math.max(1, roomLeft));
    left -= dots;
    roomLeft -= own;
    return { scale, dots };
  });
}

export interface LabelWish {
  readonly index: number;
  readonly lines: readonly string[];
}

export interface Label {
  readonly index: number;
  readonly lines: readonly string[];
  readonly at: Point;
  readonly anchor: 'start' | 'middle' | 'end';
}

/** Of 12 px text, about. */
const CHARACTER = 7.4;
const LINE = 15;

/** Labels where there is room, the first wishes first; none over another or the edge of the picture. */
export function placeLabels(layout: Layout, wishes: readonly LabelWish[], most: number): Label[] {
  const taken: Box[] = [];
  const labels: Label[] = [];
  for (const { index, lines } of wishes) {
    if (labels.length >= most) break;
    const { label: at } = layout.spots[index]!;
    const fit = boxOf(layout, at, lines);
    if (fit === undefined || taken.some((other) => overlaps(other, fit.box))) continue;
    taken.push(fit.box);
    labels.push({ index, lines, at: fit.at, anchor: fit.anchor });
  }
  return labels;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** `at` of the result is the base line of the first line. Undefined: it is wider than the picture. */
function boxOf(
  { width, height, centre }: Layout,
  at: Point,
  lines: readonly string[],
): { readonly box: Box; readonly at: Point; readonly anchor: Label['anchor'] } | undefined {
  const wide = Math.max(...lines.map((line) => line.length)) * CHARACTER;
  const high = lines.length * LINE;
  const across = (at.x - centre.x) / Math.max(1, centre.x);
  const anchor = Math.abs(across) < 0.12 ? 'middle' : across > 0 ? 'start' : 'end';
  const wished = anchor === 'middle' ? at.x - wide / 2 : anchor === 'start' ? at.x : at.x - wide;
  if (wide > width) return undefined;
  const left = Math.min(width - wide, Math.max(0, wished));
  // At the top above its point, at the bottom below it, at the sides beside it.
  const down = (at.y - centre.y) / Math.max(1, centre.y);
  const top = Math.min(height - high, Math.max(0, at.y - high * (0.5 - 0.5 * Math.max(-1, Math.min(1, down * 1.2)))));
  const x = anchor === 'middle' ? left + wide / 2 : anchor === 'start' ? left : left + wide;
  return {
    box: { left, right: left + wide, top, bottom: top + high },
    at: { x, y: top + LINE - 3 },
    anchor,
  };
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right + 4 && b.left < a.right + 4 && a.top < b.bottom + 2 && b.top < a.bottom + 2;
}

/** Widths of edges, CSS pixels: the first below 1 kb/s, then each for ten times as much. */
export const EDGE_WIDTHS = [0.75, 1, 1.75, 3, 4.5, 6.5, 9] as const;

/** Which of EDGE_WIDTHS; -1 without traffic. */
export function edgeClass(bytesPerSecond: number): number {
  if (bytesPerSecond <= 0) return -1;
  const decade = Math.floor(Math.log10(bytesPerSecond * 8)) - 2;
  return Math.min(EDGE_WIDTHS.length - 1, Math.max(0, decade));
}

/** The spot nearest to a point, if one is within `reach`; -1: none. */
export function spotAt({ spots }: Layout, at: Point, reach: number): number {
  let nearest = -1;
  let best = reach * reach;
  for (const [index, { x, y }] of spots.entries()) {
    const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
    if (distance <= best) [nearest, best] = [index, distance];
  }
  return nearest;
}
