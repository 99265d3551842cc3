/** What the demo claims, each with what it rests on. */

export interface Claim {
  readonly name: string;
  /** `skipped`: it could not be looked at, and `detail` says why; that is no failure. */
  readonly state: 'ok' | 'FAILED' | 'skipped';
  readonly detail: string;
}

/** Collects claims and logs each as it is made. */
export class Claims {
  readonly #claims: Claim[] = [];
  readonly #log: (line: string) => void;
  #interrupted = (): boolean => false;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** From now on nothing is claimed once `signal` is aborted: what fails then fails because it is being taken down. */
  until(signal: AbortSignal): void {
    this.#interrupted = () => signal.aborted;
  }

  /** `held` must come from what was measured, `detail` shows it. */
  check(name: string, held: boolean, detail: string): void {
    this.#add({ name, state: held ? 'ok' : 'FAILED', detail });
  }

  skip(name: string, why: string): void {
    this.#add({ name, state: 'skipped', detail: why });
  }

  #add(claim: Claim): void {
    if (this.#interrupted()) return;
    this.#claims.push(claim);
    this.#log(formatClaim(claim));
  }

  get all(): readonly Claim[] {
    return this.#claims;
  }
}

function formatClaim({ name, state, detail }: Claim): string {
  return `  ${state.padEnd(7)}  ${name}: ${detail}`;
}
