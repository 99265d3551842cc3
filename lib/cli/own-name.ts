/** What a person types to call this program again, from where he stands. */
import { accessSync, constants } from 'node:fs';
import { basename, isAbsolute, join, relative } from 'node:path';

/** "weft" where the shell finds it, else its path: below the working directory from there, as "bin/weft". */
export function ownName(
  program = process.argv[1] ?? 'weft',
  path = process.env.PATH ?? '',
  workingDirectory = process.cwd(),
): string {
  const name = basename(program);
  if (path.split(':').some((folder) => isAbsolute(folder) && isProgram(join(folder, name)))) return name;
  const below = relative(workingDirectory, program);
  return below.startsWith('..') || below === '' ? program : below.includes('/') ? below : `./${below}`;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
