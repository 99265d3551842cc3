/**
 * Packages of Debian, unpacked into a folder: nothing is installed, and apt's own lists are not touched. Each suite has an
 * apt of its own in the cache, which checks the index by Debian's keyring and each package by the index.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../lib/error.ts';

const execute = promisify(execFile);

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const USUAL_MIRROR = 'http://deb.debian.org/debian';
/** In a folder that is whole. */
const COMPLETE = '.complete';
const DEBS = 'debs';
/** Of a download from a slow mirror. */
const LIMIT_MS = 900_000;

export type Suite = 'bookworm' | 'trixie' | 'sid';

/** A kind of guest cannot be had on this machine: a reason to skip it, not to fail. The message names the package. */
export class GuestUnavailable extends Error {}

/** Where packages are kept between runs. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const { WEFT_VMS, XDG_CACHE_HOME } = environment;
  if (WEFT_VMS !== undefined && WEFT_VMS !== '') return WEFT_VMS;
  return XDG_CACHE_HOME !== undefined && XDG_CACHE_HOME !== ''
    ? join(XDG_CACHE_HOME, 'weft/vms')
    : '/var/cache/weft-vms';
}

/**
 * Configuration of an apt that knows one suite and keeps everything in `folder`. apt.conf(5). `dump`: what `apt-config dump`
 * prints on this machine, of which only the way to the mirror is taken (a proxy, whether its index may be old): no hooks.
 */
export function aptConfiguration(folder: string, dump: string): string {
  return [
    ...dump.split('\n').filter((line) => /^Acquire::(https?::|Retries |Check-(Valid-Until|Date) )/.test(line)),
    `Dir::Etc::sourcelist "${folder}/sources.list";`,
    `Dir::Etc::sourceparts "${folder}/none";`,
    `Dir::Etc::main "${folder}/none/main";`,
    `Dir::Etc::parts "${folder}/none";`,
    `Dir::State "${folder}";`,
    `Dir::State::lists "${folder}/lists";`,
    'Dir::State::status "/dev/null";',
    `Dir::Cache "${folder}";`,
    // 100 MB that save a second.
    'Dir::Cache::pkgcache "";',
    'Dir::Cache::srcpkgcache "";',
    'Acquire::Languages "none";',
    'APT::Sandbox::User "root";',
    '',
  ].join('\n');
}

/** The mirror in what `apt-get indextargets --format "$(SITE)"` prints, which also lists security updates and others. */
export function mirrorAmong(sites: string): string {
  return sites.split('\n').find((site) => /\/debian\/?$/.test(site)) ?? USUAL_MIRROR;
}

/** A package that means another one, which has its version in its name. */
interface MetaPackage {
  readonly meta: string;
  /** The name of the one it means, among its dependencies. */
  readonly means: RegExp;
}

export class Debian {
  readonly #cache: string;
  readonly #log: (line: string) => void;

  constructor(cache: string, log: (line: string) => void) {
    this.#cache = cache;
    this.#log = log;
  }

  /**
   * The folder `name` of the cache with the packages unpacked in it; `finish` completes it. Once there, it is not fetched again.
   * Throws GuestUnavailable.
   */
  async unpacked(
    name: string,
    suite: Suite,
    packages: readonly string[] | MetaPackage,
    finish: (folder: string) => Promise<void> = async () => {},
  ): Promise<string> {
    const folder = join(this.#cache, name);
    if (existsSync(join(folder, COMPLETE))) return folder;
    const scratch = join(this.#cache, `.${name}.${process.pid}`);
    const what = 'meta' in packages ? packages.meta : briefly(packages);
    this.#log(`fetching ${what} of Debian ${suite} into ${folder}`);
    try {
      await mkdir(join(scratch, DEBS), { recursive: true });
      this.#removeLeftovers(name);
      const apt = await openApt(join(this.#cache, `apt-${suite}`), suite);
      const names = 'meta' in packages ? [await apt.meaning(packages)] : packages;
      await apt.download(names, join(scratch, DEBS));
      for (const file of readdirSync(join(scratch, DEBS)))
        await execute('dpkg-deb', ['-x', join(scratch, DEBS, file), scratch]);
      await rm(join(scratch, DEBS), { recursive: true });
      await rm(folder, { recursive: true, force: true });
      await rename(scratch, folder);
      await finish(folder);
      await writeFile(join(folder, COMPLETE), `${names.join('\n')}\n`);
      return folder;
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw new GuestUnavailable(`Cannot fetch ${what} of Debian ${suite}: ${aptReason(messageOf(error))}`);
    }
  }

  /** What runs that were killed in the middle of a download left behind. */
  #removeLeftovers(name: string): void {
    for (const entry of readdirSync(this.#cache)) {
      const pid = entry.startsWith(`.${name}.`) ? Number(entry.slice(name.length + 2)) : Number.NaN;
      if (pid > 0 && !existsSync(`/proc/${pid}`)) rmSync(join(this.#cache, entry), { recursive: true, force: true });
    }
  }
}

function briefly(names: readonly string[]): string {
  return names.length > 3 ? `${names[0]} and ${names.length - 1} packages for it` : names.join(', ');
}

/** An apt of one suite, its index fetched. */
interface Apt {
  meaning(meta: MetaPackage): Promise<string>;
  download(names: readonly string[], folder: string): Promise<void>;
}

/** Throws whatever keeps apt from it, in a message in which `aptReason` finds why. */
async function openApt(folder: string, suite: Suite): Promise<Apt> {
  if (!existsSync(KEYRING)) throw new Error('the package debian-archive-keyring is not installed');
  for (const name of ['lists/partial', 'archives/partial', 'none'])
    await mkdir(join(folder, name), { recursive: true });
  const mirror = mirrorAmong((await execute('apt-get', ['indextargets', '--format', '$(SITE)'])).stdout);
  await writeFile(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  const configuration = join(folder, 'apt.conf');
  await writeFile(configuration, aptConfiguration(folder, (await execute('apt-config', ['dump'])).stdout));
  const run = async (cwd: string, program: string, ...args: string[]): Promise<string> => {
    const env = { ...process.env, APT_CONFIG: configuration, LC_ALL: 'C' };
    return (await execute(program, args, { cwd, env, timeout: LIMIT_MS, maxBuffer: 1 << 26 })).stdout;
  };
  await run(folder, 'apt-get', '-q', '--error-on=any', 'update');
  return {
    meaning: async ({ meta, means }) => {
      const found = means.exec(await run(folder, 'apt-cache', 'depends', meta))?.[0];
      if (found === undefined) throw new Error(`${meta} has no dependency like ${String(means)}`);
      return found;
    },
    download: async (names, into) => {
      await run(into, 'apt-get', '-q', 'download', ...names);
    },
  };
}

/** The first line in which apt says why; a failed child's message has all that it wrote. */
export function aptReason(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const error = lines.find((line) => line.startsWith('E: ')) ?? lines.find((line) => line.startsWith('W: '));
  return error?.slice(3) ?? lines.find((line) => line !== '') ?? 'it ended';
}
