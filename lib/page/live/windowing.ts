/** Which rows of a long list are drawn: those that are seen, and a few on either side. Pure. */

export interface Rows {
  readonly first: number;
  /** Not drawn any more. */
  readonly end: number;
}

/** Our choice: rows beyond either edge, so that a small step of the wheel finds them drawn. */
const MARGIN = 4;

/** Of `count` rows of `rowHeight`, those in a window of `height` that is scrolled down by `scrollTop`; all in CSS pixels. */
export function visibleRows(scrollTop: number, height: number, rowHeight: number, count: number): Rows {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight) - MARGIN;
  const end = Math.ceil((Math.max(0, scrollTop) + height) / rowHeight) + MARGIN;
  const clamped = Math.min(count, Math.max(0, first));
  return { first: clamped, end: Math.max(clamped, Math.min(count, end)) };
}

/** How far to scroll so that row `index` is in the window: as little as possible. */
export function scrollTo(
  index: number,
  { scrollTop, height, rowHeight }: { scrollTop: number; height: number; rowHeight: number },
): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return top + rowHeight > scrollTop + height ? top + rowHeight - height : scrollTop;
}

/** The row that a key leads to; undefined: it is no key that moves. */
export function moved(key: string, index: number, count: number, page: number): number | undefined {
  const to = {
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: count - 1,
  };
  const target = to[key as keyof typeof to];
  return target === undefined || count === 0 ? undefined : Math.min(count - 1, Math.max(0, target));
}
