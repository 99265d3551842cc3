/** Replacing a file so that no reader, and no crash, ever sees half of it. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '../../make-directory.ts';

export interface FileModes {
  /** Of the file, whatever the umask. */
  readonly file: number;
  /** Of directories that are made for it. */
  readonly directory: number;
}

/**
 * Replaces `path` in one step: a temporary file in the same directory, fsync, rename. Missing directories are made.
 * Rejects with Node's error; the old file is then whole and nothing else is left.
 */
export async function replaceFile(path: string, text: string, modes: FileModes): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    await makeDirectory(directory, modes.directory);
    await writeAndSync(temporary, text, modes.file);
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function writeAndSync(path: string, text: string, mode: number): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
