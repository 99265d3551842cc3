/** What `npm run test:vms` is asked for: which guests are booted, and what is looked at with them. */
import { parseArgs } from 'node:util';
import { messageOf } from '../../lib/error.ts';
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
  KIND     of the first and of the second guest: ${KIND_NAMES.join(', ')}
  SUBJECT  ${SUBJECTS.join(', ')};
           without any, all of them
Two hosts with a kernel of their own each. Root; 1 to 20 minutes; docs/vms.md.`;

/** The second guest where the usual kind cannot boot systemd. */
const WITH_SYSTEMD: KindName = 'qemu612';

/** With KVM a guest runs at the machine's own speed, with the driver of a real NIC; else User-mode Linux is the fastest. */
function usualKind(hasKvm: boolean): KindName {
  return hasKvm ? 'qemu612' : 'uml72';
}

/** Throws what is wrong with the arguments. */
export function plansOf(args: readonly string[], hasKvm: boolean): Plan[] {
  const { values, positionals } = parsed(args);
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

function parsed(args: readonly string[]) {
  try {
    const options = { guest: { type: 'string' } } as const;
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${USAGE}`, { cause: error });
  }
}

function oneOf<T extends string>(names: readonly T[], name: string): T {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Error(`There is no "${name}"\n${USAGE}`);
  return found;
}
