/** What `npm run test:vms` is asked for: which guests are booted, and what is looked at with them. */
import { parseArgs } from 'node:util';
import { CASE_NAMES, type CaseName } from './cases.ts';
import { KIND_NAMES, KINDS, type KindName } from './kernels.ts';

export type Subject = CaseName | 'systemd';
const SUBJECTS: readonly Subject[] = [...CASE_NAMES, 'systemd'];

/** Kinds of the first and the second guest. */
export interface Plan {
  readonly kinds: readonly [KindName, KindName];
  readonly subjects: readonly Subject[];
}

export const USAGE = `usage: npm run test:vms -- [--guest KIND[,KIND]] [SUBJECT...]
  KIND     ${KIND_NAMES.join(', ')}
  SUBJECT  ${SUBJECTS.join(', ')}`;

/** The second guest where the usual kind cannot boot systemd. */
const WITH_SYSTEMD: KindName = 'qemu612';

/** With KVM a guest runs at the machine's own speed, with the driver of a real NIC; else User-mode Linux is the fastest. */
function usualKind(hasKvm: boolean): KindName {
  return hasKvm ? 'qemu612' : 'uml72';
}

/** Throws what is wrong with the arguments. */
export function plansOf(args: readonly string[], hasKvm: boolean): Plan[] {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { guest: { type: 'string' } },
    allowPositionals: true,
  });
  const [one, two = one, ...more] = (values.guest ?? usualKind(hasKvm))
    .split(',')
    .map((name) => oneOf(KIND_NAMES, name));
  if (more.length > 0) throw new Error(`There are two guests, not ${more.length + 2}\n${USAGE}`);
  const kinds = [one!, two!] as const;
  const subjects = positionals.length === 0 ? SUBJECTS : positionals.map((name) => oneOf(SUBJECTS, name));
  if (KINDS[kinds[1]].machine === 'qemu') return [{ kinds, subjects }];
  const cases = subjects.filter((name) => name !== 'systemd');
  const plans: Plan[] = cases.length === 0 ? [] : [{ kinds, subjects: cases }];
  if (cases.length === subjects.length) return plans;
  if (values.guest === undefined) return [...plans, { kinds: [kinds[0], WITH_SYSTEMD], subjects: ['systemd'] }];
  // All was asked for: all that there is.
  if (positionals.length === 0) return plans;
  throw new Error(`systemd needs a second guest of QEMU, not ${kinds[1]}\n${USAGE}`);
}

function oneOf<T extends string>(names: readonly T[], name: string): T {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Error(`There is no "${name}"\n${USAGE}`);
  return found;
}
