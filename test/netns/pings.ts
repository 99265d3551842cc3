import type { LabProcess } from '../../lib/lab/netns.ts';
import { PATIENCE_MS } from '../patience.ts';

/** For ping(8): it waits for as many answers as it is to send requests, however late, and goes on asking meanwhile. Otherwise the last may have 20 ms. */
export const PATIENTLY: readonly string[] = ['-w', String(PATIENCE_MS / 1000)];

export interface Pings {
  /** Of the first `count` requests. */
  readonly answered: number;
  /** Requests, of which the last may be on their way still. */
  readonly sent: number;
}

/** Waits for a ping(8) that was started with {@link PATIENTLY} and `-c count`. */
export async function pingsOf(program: LabProcess, count: number): Promise<Pings> {
  await program.exited;
  const output = program.stdout();
  const sent = /(\d+) packets transmitted/.exec(output)?.[1];
  if (sent === undefined) throw new Error(`ping wrote: ${output}${program.stderr()}`);
  const numbers = [...output.matchAll(/icmp_seq=(\d+) ttl=/g)].map(([, number]) => Number(number));
  return { answered: new Set(numbers.filter((number) => number <= count)).size, sent: Number(sent) };
}
