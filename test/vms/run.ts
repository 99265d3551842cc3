/**
 * `npm run test:vms`: weftd on two kernels of their own on this machine. docs/vms.md. The last line is
 * "N passed, N failed[, N skipped]"; the exit code is 0 when nothing failed.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../lib/error.ts';
import { requireRoot } from '../../lib/lab/command.ts';
import { withSystemFolders } from '../../lib/lab/search-path.ts';
import { cacheFolder, Debian, GuestUnavailable } from './debian.ts';
import type { GuestOptions } from './guests.ts';
import type { InsideTask } from './inside.ts';
import { runIsolated } from './isolate.ts';
import { fetchKernel, fetchQemu, fetchTools, KINDS, type KindName } from './kernels.ts';
import { type Plan, plansOf, USAGE } from './plan.ts';

const INSIDE = fileURLToPath(new URL('inside.js', import.meta.url));
/** After so long the kernel ends all of it: several times what a plan takes on a busy machine. */
const LIFE_SECONDS = 5400;

/** What systemd-init.sh starts. */
const SYSTEMD = '/lib/systemd/systemd';

const totals = { passed: 0, failed: 0, skipped: 0 };
const print = (line: string) => process.stdout.write(`${line}\n`);

process.env.PATH = withSystemFolders(process.env.PATH);
if (process.argv.some((argument) => argument === '--help' || argument === '-h')) {
  print(USAGE);
  process.exit();
}
try {
  await main();
} catch (error) {
  totals.failed++;
  process.stderr.write(`${messageOf(error)}\n`);
}
print(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);
process.exitCode = totals.failed === 0 ? 0 : 1;

async function main(): Promise<void> {
  const plans = plansOf(process.argv.slice(2), hasKvm());
  requireRoot();
  const debian = new Debian(cacheFolder(process.env), print);
  for (const plan of plans.map(possible).filter(({ subjects }) => subjects.length > 0)) {
    const task = await prepare(plan, debian);
    if (task === undefined) continue;
    const ended = await runIsolated(INSIDE, [JSON.stringify(task)], LIFE_SECONDS);
    totals.passed += ended.totals?.passed ?? 0;
    totals.failed += ended.totals?.failed ?? 1;
    if (ended.interrupted) throw new Error('Interrupted');
    if (ended.totals === undefined) print(`FAIL  ${plan.subjects.join(', ')}: ended without a result`);
  }
}

/** A guest boots this machine's own systemd. */
function possible({ kinds, subjects }: Plan): Plan {
  if (!subjects.includes('systemd') || existsSync(SYSTEMD)) return { kinds, subjects };
  print(`skip  systemd: the package systemd is not installed on this machine, there is no ${SYSTEMD}`);
  totals.skipped++;
  return { kinds, subjects: subjects.filter((subject) => subject !== 'systemd') };
}

/** Fetches what is missing. Undefined: a kind of guest cannot be had. */
async function prepare(plan: Plan, debian: Debian): Promise<InsideTask | undefined> {
  try {
    const tools = await fetchTools(debian);
    const optionsOf = async (kind: KindName): Promise<GuestOptions> => {
      const kernel = await fetchKernel(debian, kind, tools);
      const qemu = KINDS[kind].machine === 'qemu' ? { qemu: await fetchQemu(debian) } : {};
      return { kernel, tools, kvm: hasKvm(), ...qemu };
    };
    return { plan, options: [await optionsOf(plan.kinds[0]), await optionsOf(plan.kinds[1])] };
  } catch (error) {
    if (!(error instanceof GuestUnavailable)) throw error;
    print(`skip  ${plan.subjects.join(', ')}: ${error.message}`);
    totals.skipped += plan.subjects.length;
    return undefined;
  }
}

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
