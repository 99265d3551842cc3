/**
 * `npm run test:vms`: two weftds on two kernels of their own, on this machine. docs/vms.md. The last line is
 * "N passed, N failed[, N skipped]".
 */

import { accessSync, constants } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '../../lib/error.ts';
import { requireRoot } from '../../lib/lab/command.ts';
import { withSystemFolders } from '../../lib/lab/search-path.ts';
import { CASE_NAMES, CASE_TEXT, type CaseName, type Check, prepare, runCase } from './cases.ts';
import { cacheFolder, Debian, GuestUnavailable } from './debian.ts';
import { bootGuests, type GuestsOptions, MEMORY_MB } from './guests.ts';
import { runIsolated, settleInside } from './isolate.ts';
import { fetchKernel, fetchQemu, fetchTools, KIND_NAMES, KINDS, type KindName, usualKind } from './kernels.ts';

const self = fileURLToPath(import.meta.url);
const print = (line: string) => process.stdout.write(`${line}\n`);

/** After so long the kernel ends all of it. All cases on a busy machine take a third of it. */
const LIFE_SECONDS = 5400;
const USAGE = `usage: npm run test:vms -- [--guest ${KIND_NAMES.join('|')}] [${CASE_NAMES.join(' ')}]`;

interface Plan {
  readonly kind: KindName;
  readonly options: GuestsOptions;
  readonly cases: readonly CaseName[];
}

process.env.PATH = withSystemFolders(process.env.PATH);
process.exitCode = process.argv[2] === 'inside' ? await inside(JSON.parse(process.argv[3]!)) : await outside();

/** Fetches what is missing, then goes inside. */
async function outside(): Promise<number> {
  let kind: KindName;
  let cases: CaseName[];
  try {
    const { values, positionals } = parseArgs({ options: { guest: { type: 'string' } }, allowPositionals: true });
    const guest = values.guest ?? usualKind(hasKvm());
    const known = KIND_NAMES.find((name) => name === guest);
    const chosen = positionals.map((name) => CASE_NAMES.find((one) => one === name));
    if (known === undefined || chosen.includes(undefined)) throw new Error(USAGE);
    kind = known;
    cases = chosen.length === 0 ? [...CASE_NAMES] : (chosen as CaseName[]);
    requireRoot();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return finish(0, 1, 0);
  }
  try {
    const debian = new Debian(cacheFolder(process.env), print);
    const tools = await fetchTools(debian);
    const kernel = await fetchKernel(debian, kind, tools);
    const qemu = KINDS[kind].machine === 'qemu' ? { qemu: await fetchQemu(debian) } : {};
    const plan: Plan = { kind, cases, options: { kernel, tools, kvm: hasKvm(), ...qemu } };
    return await runIsolated(self, ['inside', JSON.stringify(plan)], LIFE_SECONDS);
  } catch (error) {
    if (!(error instanceof GuestUnavailable)) throw error;
    print(`skip  ${kind}: ${error.message}`);
    finish(0, 0, cases.length);
    return 0;
  }
}

async function inside({ kind, options, cases }: Plan): Promise<number> {
  let passed = 0;
  let failed = 0;
  const report = ({ name, fault, seen }: Check): void => {
    if (fault === undefined) passed++;
    else failed++;
    print(`${fault === undefined ? 'ok  ' : 'FAIL'}    ${name.padEnd(24)}${seen}`);
    if (fault !== undefined) print(fault.replace(/^/gm, '          '));
  };
  await settleInside(() => {
    print('interrupted');
    process.exit(finish(passed, failed, 0));
  });
  const start = performance.now();
  print(`${KINDS[kind].title}: booting two guests of ${MEMORY_MB} MB on Linux ${release()}`);
  try {
    const [first, second] = await bootGuests(options, 2);
    const versions = await Promise.all([first!, second!].map(async (guest) => (await guest.run('uname -r')).trim()));
    print(`guest 1: Linux ${versions[0]}, guest 2: Linux ${versions[1]}, after ${secondsSince(start)} s`);
    await prepare([first!, second!]);
    for (const name of cases) {
      const begun = performance.now();
      print(`\n${CASE_TEXT[name]}`);
      await runCase([first!, second!], name, report).catch((error) =>
        report({ name, seen: 'could not be looked at', fault: messageOf(error) }),
      );
      print(`        ${secondsSince(begun)} s`);
    }
  } catch (error) {
    report({ name: 'the guests', seen: 'did not work', fault: messageOf(error) });
  }
  print(`\n${secondsSince(start)} s`);
  process.exit(finish(passed, failed, 0));
}

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(0);
}

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function finish(passed: number, failed: number, skipped: number): number {
  print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
