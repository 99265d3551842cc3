/** Puts our files where Wireshark looks, takes them away again, and says what is there. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, WeftError } from '../error.ts';
import { readDissector } from './dissector.ts';
import type { OwnProgram } from './extcap-command.ts';
import { extcapScript } from './extcap-script.ts';
import type { Folders } from './folders.ts';
import { MARK, profileColours, profilePreferences } from './profile.ts';

export interface OurFile {
  readonly what: 'dissector' | 'capture interface' | 'profile' | 'colours';
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** `current`: as this version of Weft writes it, `other`: as another did; `foreign`: somebody else's, which stays. */
export type FileState = 'missing' | 'current' | 'other' | 'foreign';

const PROFILE = 'Weft';

export function ourFiles(folders: Folders, own: OwnProgram, controlSocket: string): OurFile[] {
  const profile = join(folders.configuration, 'profiles', PROFILE);
  return [
    { what: 'dissector', path: join(folders.lua, 'weft.lua'), text: `-- ${MARK}\n${readDissector()}`, mode: 0o644 },
    {
      what: 'capture interface',
      path: join(folders.extcap, 'weft'),
      text: extcapScript(own, controlSocket),
      mode: 0o755,
    },
    { what: 'profile', path: join(profile, 'preferences'), text: profilePreferences(), mode: 0o644 },
    { what: 'colours', path: join(profile, 'colorfilters'), text: profileColours(), mode: 0o644 },
  ];
}

/** Throws WeftError INSTALL_FAILED when the file cannot be read. */
export function stateOf({ path, text, mode }: OurFile): FileState {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'missing';
  if (!stats.isFile()) return 'foreign';
  try {
    const found = readFileSync(path, 'utf8');
    if (!found.split('\n', 2).some((line) => line.includes(MARK))) return 'foreign';
    return found === text && (mode & 0o111) === (stats.mode & mode & 0o111) ? 'current' : 'other';
  } catch (cause) {
    throw failed('read', path, cause);
  }
}

/** Writes what is missing or of another version. Returns what each was before; `foreign` ones are as they were. Throws WeftError INSTALL_FAILED. */
export function install(files: readonly OurFile[]): { readonly file: OurFile; readonly before: FileState }[] {
  return files.map((file) => {
    const before = stateOf(file);
    if (before === 'missing' || before === 'other') write(file);
    return { file, before };
  });
}

/** At once, so that Wireshark never reads half of it; a link at this place is replaced, not followed. */
function write({ path, text, mode }: OurFile): void {
  const half = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(half, text, { mode, flag: 'wx' });
    chmodSync(half, mode);
    renameSync(half, path);
  } catch (cause) {
    rmSync(half, { force: true });
    throw failed('write', path, cause);
  }
}

/** Removes what is ours, and folders that are empty then and bear our name. Throws WeftError INSTALL_FAILED. */
export function remove(files: readonly OurFile[]): { readonly file: OurFile; readonly before: FileState }[] {
  const done = files.map((file) => {
    const before = stateOf(file);
    try {
      if (before === 'current' || before === 'other') rmSync(file.path);
    } catch (cause) {
      throw failed('remove', file.path, cause);
    }
    return { file, before };
  });
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
    if (folder.endsWith(join('profiles', PROFILE)) && existsSync(folder)) removeIfEmpty(folder);
  }
  return done;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Wireshark keeps files of its own in a profile that was used.
  }
}

function failed(action: string, path: string, cause: unknown): WeftError {
  return new WeftError('INSTALL_FAILED', `Cannot ${action} ${path}: ${messageOf(cause).replace(/, \w+ '.*$/s, '')}`, {
    cause,
    hint: 'Is the folder yours?',
  });
}
