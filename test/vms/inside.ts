/** Runs one plan inside the namespaces of isolate.ts: boots the guests, looks, prints each check, and passes the totals on. */
import { release } from 'node:os';
import { messageOf } from '../../lib/error.ts';
import { CASE_TEXT, type Check, prepare, runCase } from './cases.ts';
import type { Guest } from './guest.ts';
import { bootGuests, type GuestsOptions, MEMORY_MB } from './guests.ts';
import { passTotals, settleInside } from './isolate.ts';
import { KINDS } from './kernels.ts';
import type { Plan, Subject } from './plan.ts';
import { runSystemd } from './systemd.ts';

/** What the process outside hands over. */
export interface InsideTask {
  readonly plan: Plan;
  readonly options: GuestsOptions;
}

const { plan, options } = JSON.parse(process.argv[2] ?? '') as InsideTask;
const totals = { passed: 0, failed: 0 };
const start = performance.now();
const print = (line: string) => process.stdout.write(`${line}\n`);

await settleInside(end);
try {
  await run(plan);
} catch (error) {
  report({ name: 'the guests', seen: 'do not work', fault: messageOf(error) });
}
print(`${secondsSince(start)} s`);
end();

async function run({ kind, subjects }: Plan): Promise<void> {
  const how = KINDS[kind].machine === 'uml' ? '' : options.kvm ? ', KVM' : ', emulated';
  print(`${KINDS[kind].title}${how}: two guests of ${MEMORY_MB} MB, on Linux ${release()}`);
  const [first, second] = (await bootGuests(options, 2)) as [Guest, Guest];
  const versions = await Promise.all([first, second].map((guest) => guest.run('uname -r')));
  print(
    `guest 1 has Linux ${versions[0]!.trim()}, guest 2 Linux ${versions[1]!.trim()}; up after ${secondsSince(start)} s\n`,
  );
  await prepare([first, second]);
  for (const subject of subjects) {
    const begun = performance.now();
    print(subject === 'systemd' ? 'systemd' : CASE_TEXT[subject]);
    await look(subject, [first, second]).catch((error: unknown) =>
      report({ name: subject, seen: 'could not be looked at', fault: messageOf(error) }),
    );
    print(`        ${secondsSince(begun)} s\n`);
  }
}

function look(subject: Subject, guests: readonly [Guest, Guest]): Promise<void> {
  // The last of the subjects: it needs the second guest for itself.
  return subject === 'systemd' ? runSystemd(options, ...guests, report) : runCase(guests, subject, report);
}

function report({ name, fault, seen }: Check): void {
  if (fault === undefined) totals.passed++;
  else totals.failed++;
  print(`${fault === undefined ? 'ok  ' : 'FAIL'}    ${name.padEnd(26)}${seen}`);
  if (fault !== undefined) print(fault.trim().replace(/^/gm, '          '));
}

function secondsSince(moment: number): string {
  return ((performance.now() - moment) / 1000).toFixed(0);
}

/** All that is still there ends with this process. */
function end(): void {
  passTotals(totals);
  process.exit();
}
