/** Where the Wireshark of one person looks for things of theirs. It is asked; where it cannot be, its version tells. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { WeftError } from '../error.ts';
import type { Account } from './account.ts';

export interface Folders {
  /** "4.0.17" */
  readonly version: string;
  /** Preferences, profiles. */
  readonly configuration: string;
  readonly lua: string;
  readonly extcap: string;
}

/** Throws WeftError WIRESHARK_MISSING. */
export function foldersOf(account: Account): Folders {
  const version = ['tshark', 'wireshark', 'dumpcap']
    .map((program) => versionIn(ask(account, program, ['--version'])))
    .find((found) => found !== undefined);
  if (version === undefined)
    throw new WeftError(
      'WIRESHARK_MISSING',
      'There is no Wireshark here: tshark, wireshark and dumpcap are not in the PATH',
      {
        hint: 'Where Wireshark is: `weft wireshark lua` there, or its output copied, into the folder "Personal Lua Plugins"',
      },
    );
  return readFolders(ask(account, 'tshark', ['-G', 'folders']), version, account.home, account.configurationHome);
}

function ask({ home, configurationHome, ids }: Account, program: string, argv: readonly string[]): string {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    ...(configurationHome !== undefined && { XDG_CONFIG_HOME: configurationHome }),
  };
  const { stdout } = spawnSync(program, argv, { encoding: 'utf8', env, timeout: 30_000, cwd: '/', ...ids });
  return stdout ?? '';
}

/** "TShark (Wireshark) 4.0.17 (Git ...)": its number. */
export function versionIn(text: string): string | undefined {
  return /\b(?:TShark|Wireshark|Dumpcap)\b[^\n]*?\b(\d+\.\d+(?:\.\d+)?)/i.exec(text)?.[1];
}

/** `listed`: what `tshark -G folders` printed, '' where there is no tshark. */
export function readFolders(
  listed: string,
  version: string,
  home: string,
  configurationHome: string | undefined,
): Folders {
  const listedFolder = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s*(/.+)$`, 'im').exec(listed)?.[1]?.trim();
  const configuration =
    listedFolder('Personal configuration') ?? join(configurationHome ?? join(home, '.config'), 'wireshark');
  const libraries = join(home, '.local', 'lib', 'wireshark');
  return {
    version,
    configuration,
    lua: listedFolder('Personal Lua Plugins') ?? join(libraries, 'plugins'),
    extcap: listedFolder('Personal Extcap path') ?? join(isBefore(version, 4, 1) ? configuration : libraries, 'extcap'),
  };
}

/** The folder moved out of the configuration with the development version 4.1. */
function isBefore(version: string, major: number, minor: number): boolean {
  const [own = 0, ownMinor = 0] = version.split('.').map(Number);
  return own < major || (own === major && ownMinor < minor);
}
