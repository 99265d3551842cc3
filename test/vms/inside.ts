/** Runs one plan inside the namespaces of isolate.ts: boots the guests, looks, prints each check, and passes the totals on. */
import { release } from 'node:os';
import { messageOf } from '../../lib/error.ts';
import { CASE_TEXT, type Check, prepare, runCase } from './cases.ts';
import type { Guest } from './guest.ts';
import { bootGuest, type GuestOptions, MEMORY_MB } from './guests.ts';
import { passTotals, settleInside } from './isolate.ts';
import { KINDS } from './kernels.ts';
import { startEtcd } from './node-commands.ts';
import type { Plan } from './plan.ts';
import { runSystemd } from './systemd.ts';
import { layWire } from './wire.ts';

/** What the process outside hands over. */
export interface InsideTask {
  readonly plan: Plan;
  /** Of the first and the second guest. */
  readonly options: readonly [GuestOptions, GuestOptions];
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
print(`\n${secondsSince(start)} s`);
end();

async function run({ subjects }: Plan): Promise<void> {
  print(`Two guests of ${MEMORY_MB} MB, on Linux ${release()}: ${title(0)}; ${title(1)}`);
  await layWire(2);
  const cases = subjects.filter((subject) => subject !== 'systemd');
  const booting = [boot(1), ...(cases.length === 0 ? [] : [boot(2)])];
  const [first, second] = (await Promise.all(booting)) as [Guest, Guest?];
  await first.run(startEtcd());
  if (second !== undefined) {
    await prepare(second);
    for (const name of cases) await look(CASE_TEXT[name], () => runCase([first, second], name, report));
    await second.kill();
  }
  if (subjects.includes('systemd')) await look('systemd', () => runSystemd(first, options[1], report));
}

function title(index: 0 | 1): string {
  const kind = KINDS[plan.kinds[index]];
  return `${kind.title}${kind.machine === 'uml' ? '' : options[index].kvm ? ', KVM' : ', emulated'}`;
}

async function boot(number: 1 | 2): Promise<Guest> {
  const guest = await bootGuest(number, options[number - 1]!);
  const version = await guest.run('uname -r');
  print(`guest ${number} has Linux ${version.trim()}; up after ${secondsSince(start)} s`);
  return guest;
}

async function look(heading: string, body: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  print(`\n${heading}`);
  await body().catch((error: unknown) =>
    report({ name: heading, seen: 'could not be looked at', fault: messageOf(error) }),
  );
  print(`        ${secondsSince(begun)} s`);
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
