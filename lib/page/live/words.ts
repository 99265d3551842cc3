/** What the page says, as text. Pure. */
import type { Peer, StatusReply } from '../../control/protocol.ts';
import { isIgnored } from '../../control/protocol.ts';
import type { Sentence } from '../../ui/messages.ts';
import { formatNanoseconds as asciiNanoseconds, formatCount, formatRtt as knownRtt } from '../../units.ts';

/** Stands where there is no value. */
export const NOTHING = '–';

/** Round-trip time, milliseconds: "0.21 ms". */
export function formatRtt(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? NOTHING : knownRtt(ms);
}

/** A part, 0 to 1: "10 %"; what is more than nothing is not "0 %". */
export function formatLoss(loss: number | null | undefined): string {
  if (loss === null || loss === undefined) return NOTHING;
  return loss > 0 && loss < 0.01 ? '<1 %' : `${Math.round(loss * 100)} %`;
}

/** "1 peer", "1,000 peers". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "850 ns", "12.3 µs", "4.1 ms". */
export function formatNanoseconds(value: number): string {
  return asciiNanoseconds(value).replace(' us', ' µs');
}

/** "weftd does not answer. Start it". */
export function sentenceText({ text, hint }: Sentence): string {
  return hint === null ? text : `${text}. ${hint}`;
}

/** How much attention something needs: 'bad' before 'warn'. */
type Level = 'bad' | 'warn';

export interface Trouble {
  readonly level: Level;
  /** "no answer", "loss 10 %", "lease ignored" */
  readonly text: string;
  /** Where there is little room. */
  readonly short: string;
}

/** Undefined: all is well with this peer. */
export function troubleOf(peer: Peer): Trouble | undefined {
  const { health, note } = peer;
  if (isIgnored(peer)) return { level: 'warn', text: 'lease ignored', short: 'ignored' };
  const loss = health?.loss ?? 0;
  if (loss >= 1) return { level: 'bad', text: 'no answer', short: 'no answer' };
  if (loss > 0) return { level: 'warn', text: `loss ${formatLoss(loss)}`, short: formatLoss(loss) };
  if (note !== null && !peer.leaving)
    return { level: 'warn', text: 'a part of its lease is ignored', short: 'see note' };
  return undefined;
}

export interface StateWords {
  readonly text: string;
  readonly level: Level | undefined;
}

/** The state of the network that is shown, in words. */
export function stateWords({ state, waitingFor }: StatusReply): StateWords {
  const because = waitingFor === null ? '' : `: ${waitingFor.message}`;
  switch (state) {
    case 'ready':
      return { text: 'ready, packets can pass', level: undefined };
    case 'starting':
      return { text: 'starting', level: undefined };
    case 'waiting':
      return { text: `waiting${because}`, level: 'warn' };
    case 'degraded':
      return { text: 'degraded, packets cannot pass', level: 'bad' };
    case 'failed':
      return { text: `failed${because}`, level: 'bad' };
    case 'stopping':
      return { text: 'stopping', level: 'warn' };
  }
}
