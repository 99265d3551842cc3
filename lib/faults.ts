/**
 * What keeps one network from carrying packets, or will: the one place where its parts say so, and the one that its state,
 * `/readyz`, the alarms of `weft status` and the log read.
 *
 *   device, address, underlay, own lease, tables ── report ──> Faults ──> state, /readyz, alarms, log
 *
 * A part reports all that is wrong with it, each time it has looked: what it no longer names is mended.
 */
import { LineLimit } from './line-limit.ts';
import type { Log } from './log.ts';

export interface Fault {
  /** One sentence without its full stop: what is wrong, on which object, what to do. The same text is the same fault. */
  readonly text: string;
  /** Packets that should pass cannot: the network is not ready while this stands. */
  readonly blocks: boolean;
  /** How long it must stand before it counts, for what usually mends itself. Default 0; in ms. */
  readonly graceMs?: number;
}

/** What a part of a network sees of its faults. */
export interface FaultSink {
  /** Replaces what `part` ("device flannel0", "own lease") said before. */
  report(part: string, faults: readonly Fault[]): void;
}

export interface FaultsOptions {
  readonly log: Log;
  /** The faults that count are others now. */
  readonly onChange: () => void;
  /** Monotonic, in ms. */
  readonly now: () => number;
}

interface Standing {
  readonly fault: Fault;
  counts: boolean;
  readonly timer: NodeJS.Timeout | undefined;
}

export class Faults implements FaultSink {
  readonly #options: FaultsOptions;
  /** Of each part, by text. */
  readonly #parts = new Map<string, ReadonlyMap<string, Standing>>();
  readonly #limit: LineLimit;

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#limit = new LineLimit(options.now);
  }

  /** The faults that count, those that keep packets from passing first. */
  get alarms(): readonly string[] {
    const all = this.#counting();
    return [...all.filter(({ blocks }) => blocks), ...all.filter(({ blocks }) => !blocks)].map(({ text }) => text);
  }

  /** Why packets cannot pass; undefined when they can. */
  get blocking(): string | undefined {
    return this.#counting().find(({ blocks }) => blocks)?.text;
  }

  report(part: string, faults: readonly Fault[]): void {
    const before = this.#parts.get(part) ?? new Map<string, Standing>();
    const after = new Map<string, Standing>();
    let changed = false;
    for (const fault of faults) {
      const known = before.get(fault.text);
      if (known !== undefined && known.fault.blocks === fault.blocks) after.set(fault.text, known);
      else if (!after.has(fault.text)) {
        after.set(fault.text, this.#begin(fault));
        changed ||= (fault.graceMs ?? 0) === 0;
      }
    }
    for (const [text, { counts, timer }] of before) {
      if (after.get(text) === before.get(text)) continue;
      clearTimeout(timer);
      if (counts && !after.has(text)) this.#say('info', `Alarm is over: ${text}`);
      changed ||= counts;
    }
    if (after.size > 0) this.#parts.set(part, after);
    else this.#parts.delete(part);
    if (changed) this.#options.onChange();
  }

  /** Forgets everything, without a word: the network has stopped. */
  clear(): void {
    for (const part of this.#parts.values()) for (const { timer } of part.values()) clearTimeout(timer);
    this.#parts.clear();
  }

  #begin(fault: Fault): Standing {
    const { graceMs = 0 } = fault;
    if (graceMs === 0) {
      this.#say('error', `Alarm: ${fault.text}`);
      return { fault, counts: true, timer: undefined };
    }
    const standing: Standing = {
      fault,
      counts: false,
      timer: setTimeout(() => {
        standing.counts = true;
        this.#say('error', `Alarm: ${fault.text}`);
        this.#options.onChange();
      }, graceMs).unref(),
    };
    return standing;
  }

  #counting(): Fault[] {
    const standing = [...this.#parts.values()].flatMap((part) => [...part.values()]);
    return standing.filter(({ counts }) => counts).map(({ fault }) => fault);
  }

  /** A fault that comes and goes must not fill the log. */
  #say(level: 'error' | 'info', message: string): void {
    const { log } = this.#options;
    this.#limit.say((omitted) => log[level](omitted > 0 ? { omittedAlarmLines: omitted } : {}, message));
  }
}
