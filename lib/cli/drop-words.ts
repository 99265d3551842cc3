/** What a drop reason means: the sentence of the table of counters, for whoever meets the word. */
import { counterRows } from '../dataplane/counters.ts';

const GROUP = 'drops.';

const HELP: ReadonlyMap<string, string> = new Map(
  counterRows().flatMap(([name, { help }]) => (name.startsWith(GROUP) ? [[name.slice(GROUP.length), help]] : [])),
);

export const DROP_REASON_NAMES: readonly string[] = [...HELP.keys()];

/** "no-route: No peer holds ..."; the bare reason where it is not known here, as of a newer weftd. */
export function explainDrop(reason: string): string {
  const help = HELP.get(reason);
  return help === undefined ? reason : `${reason}: ${help}`;
}

/** What each means, by its name. */
export function dropReasonWords(): Readonly<Record<string, string>> {
  return Object.fromEntries(HELP);
}
