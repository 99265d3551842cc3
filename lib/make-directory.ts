import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory and those above it that are missing, with `mode`. Node's own `recursive` never ends where the parent is
 * there and mkdir says ENOENT all the same, as in /proc (Node 20 to 24). Rejects with Node's error.
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const first = await tryToMake(path, mode);
  if (first === undefined) return;
  if (first.code !== 'ENOENT' || dirname(path) === path) throw first;
  await makeDirectory(dirname(path), mode);
  const second = await tryToMake(path, mode);
  if (second !== undefined) throw second;
}

/** Undefined when the directory is there. */
async function tryToMake(path: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path, { mode });
    return undefined;
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === 'EEXIST' && (await stat(path)).isDirectory()) return undefined;
    return failure;
  }
}
