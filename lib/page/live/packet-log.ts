/** The packets that the page keeps: the latest of them, those that a filter lets through, and what is shown while it is paused. Pure. */
import type { PacketBatch, PacketLine } from '../../ui/messages.ts';

/** Our choice: more than anybody reads, and as many as the server keeps. */
const MOST = 5000;
/** Our choice: so many too many are there before they are cut off at once. */
const SLACK = 1000;

export interface PacketFilter {
  /** In lower case; '' lets all through. Each word of it has to be somewhere in the line. */
  readonly text: string;
  readonly direction: PacketLine['direction'] | undefined;
  readonly verdict: PacketLine['verdict'] | undefined;
}

const ALL: PacketFilter = { text: '', direction: undefined, verdict: undefined };

export class PacketLog {
  #lines: PacketLine[] = [];
  #view: PacketLine[] = [];
  /** Of the lines at the moment of the pause; undefined: it runs. */
  #frozen: readonly PacketLine[] | undefined;
  #filter = ALL;
  #arrived = 0;
  #counts: Omit<PacketBatch, 'lines'> | undefined;

  /** What is shown, the oldest first. */
  get view(): readonly PacketLine[] {
    return this.#view;
  }

  get paused(): boolean {
    return this.#frozen !== undefined;
  }

  /** Lines that came since the pause and would be shown. */
  get arrived(): number {
    return this.#arrived;
  }

  get filter(): PacketFilter {
    return this.#filter;
  }

  /** Lines that are kept, shown or not. */
  get size(): number {
    return (this.#frozen ?? this.#lines).length;
  }

  /** What the last batch said of those that are not here; undefined before the first. */
  get counts(): Omit<PacketBatch, 'lines'> | undefined {
    return this.#counts;
  }

  add({ lines, ...counts }: PacketBatch): void {
    this.#counts = counts;
    this.#lines.push(...lines);
    if (this.#lines.length > MOST + SLACK) this.#lines.splice(0, this.#lines.length - MOST);
    const more = lines.filter((line) => passes(line, this.#filter));
    if (this.paused) {
      this.#arrived += more.length;
      return;
    }
    this.#view.push(...more);
    if (this.#view.length > MOST + SLACK) this.#view.splice(0, this.#view.length - MOST);
  }

  /** Forgets all: another server numbers anew. */
  clear(): void {
    this.#lines = [];
    this.#counts = undefined;
    this.follow();
  }

  set filter(filter: PacketFilter) {
    this.#filter = filter;
    this.#view = (this.#frozen ?? this.#lines).filter((line) => passes(line, filter));
    this.#arrived = 0;
  }

  /** What is shown stays until `follow`. */
  pause(): void {
    this.#frozen ??= [...this.#lines];
  }

  follow(): void {
    this.#frozen = undefined;
    this.filter = this.#filter;
  }

  /** Where the packet with this id is in `view`; -1: it is not. */
  indexOf(id: number): number {
    const view = this.#view;
    let [low, high] = [0, view.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (view[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    return view[low]?.id === id ? low : -1;
  }
}

function passes(line: PacketLine, { text, direction, verdict }: PacketFilter): boolean {
  if (direction !== undefined && line.direction !== direction) return false;
  if (verdict !== undefined && line.verdict !== verdict) return false;
  if (text === '') return true;
  const all =
    `${line.source ?? ''} ${line.destination ?? ''} ${line.words} ${line.peer ?? ''} ${line.verdict} ${line.reason ?? ''} ${line.time}`.toLowerCase();
  return text.split(/\s+/).every((word) => all.includes(word));
}
