/**
 * How long a grant still lasts, by two clocks: the wall clock, which can be set, and one that cannot be set but may stand
 * still while the machine does (a paused virtual machine). Whichever has gone further counts: renewed too early is no harm.
 */
export interface Clocks {
  /** Unix time in ms. */
  readonly now: () => number;
  /** Ms since some start, which nobody sets; counts suspended time too where the host has such a clock. */
  readonly uptime: () => number;
}

/** What the two clocks read at one moment. */
export interface Instant {
  readonly nowMs: number;
  readonly uptimeMs: number;
}

/** Our choice: the clocks differ by more than this only where one was set or stood still. */
const AGREE_MS = 5000;

export function instantOf({ now, uptime }: Clocks): Instant {
  return { nowMs: now(), uptimeMs: uptime() };
}

export class LeaseTerm {
  readonly #begun: Instant;
  readonly #grantedMs: number;

  /** `begun`: before the grant was asked for, so that etcd never ends it earlier than is believed here. */
  constructor(begun: Instant, grantedMs: number) {
    this.#begun = begun;
    this.#grantedMs = grantedMs;
  }

  /** Ms until it ends; negative when it has. */
  leftMs(at: Instant): number {
    const { nowMs, uptimeMs } = this.#elapsed(at);
    return this.#grantedMs - Math.max(nowMs, uptimeMs);
  }

  /** Unix time in ms when it ends, as the wall clock is now. */
  expiresAtMs(at: Instant): number {
    const { nowMs, uptimeMs } = this.#elapsed(at);
    if (Math.abs(nowMs - uptimeMs) < AGREE_MS) return this.#begun.nowMs + this.#grantedMs;
    return at.nowMs + this.leftMs(at);
  }

  #elapsed({ nowMs, uptimeMs }: Instant): Instant {
    return { nowMs: nowMs - this.#begun.nowMs, uptimeMs: uptimeMs - this.#begun.uptimeMs };
  }
}
