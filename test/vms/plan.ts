/** What `npm run test:vms` is asked for: which guests are booted, and what is looked at with them. */
import { parseArgs } from 'node:util';
import { CASE_NAMES, type CaseName } from './cases.ts';
import { KIND_NAMES, KINDS, type KindName } from './kernels.ts';

export type Subject = CaseName | 'systemd';
const SUBJECTS: readonly Subject[] = [...CASE_NAMES, 'systemd'];

/** Two guests of one kind. */
export interface Plan {
  readonly kind: KindName;
  readonly subjects: readonly Subject[];
}

export const USAGE = `usage: npm run test:vms -- [--guest ${KIND_NAMES.join('|')}] [${SUBJECTS.join('] [')}]`;

/** The kind that boots systemd where the usual one cannot. */
const WITH_SYSTEMD: KindName = 'qemu612';

/** With KVM a guest runs at the machine's own speed, with the driver of a real NIC; else User-mode Linux is the fastest. */
export function usualKind(hasKvm: boolean): KindName {
  return hasKvm ? 'qemu612' : 'uml72';
}

/** Throws what is wrong with the arguments. */
export function plansOf(args: readonly string[], hasKvm: boolean): Plan[] {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { guest: { type: 'string' } },
    allowPositionals: true,
  });
  const kind = values.guest ?? usualKind(hasKvm);
  if (!isOneOf(KIND_NAMES, kind)) throw new Error(`There is no guest "${kind}"\n${USAGE}`);
  const asked = positionals.map((name) => {
    if (isOneOf(SUBJECTS, name)) return name;
    throw new Error(`There is nothing called "${name}" to look at\n${USAGE}`);
  });
  const subjects = asked.length === 0 ? SUBJECTS : asked;
  if (KINDS[kind].machine === 'qemu') return [{ kind, subjects }];
  const cases = subjects.filter((name) => name !== 'systemd');
  const plans: Plan[] = cases.length === 0 ? [] : [{ kind, subjects: cases }];
  if (cases.length === subjects.length) return plans;
  // User-mode Linux has no cgroups to speak of, and systemd is nothing to wait for at its price of a system call.
  if (values.guest === undefined) return [...plans, { kind: WITH_SYSTEMD, subjects: ['systemd'] }];
  if (plans.length === 0) throw new Error(`systemd needs a guest of QEMU, not ${kind}\n${USAGE}`);
  return plans;
}

function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}
