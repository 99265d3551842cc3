/** A unix socket for few: root, the user that weftd runs as, and one group if there is one. */
import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { messageOf, WeftError } from '../error.ts';
import { makeDirectory } from '../make-directory.ts';
import { BACKLOG } from './bounded-server.ts';
import { MAX_SOCKET_PATH_BYTES } from './protocol.ts';

/** Makes the error for a path that cannot be used. */
export type Refused = (path: string, why: string, cause?: unknown) => WeftError;

/**
 * Makes room for a socket at `path`: its directory (0755) is made, a stale socket of a dead daemon removed. Throws what
 * `refused` makes, and WeftError ALREADY_RUNNING when a live process answers there.
 */
export async function prepareSocketPath(path: string, refused: Refused): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw refused(path, `longer than the ${MAX_SOCKET_PATH_BYTES} bytes a unix socket allows`);
  await makeItsDirectory(path, refused);
  await removeStaleSocket(path, refused);
}

export async function makeItsDirectory(path: string, refused: Refused): Promise<void> {
  try {
    await makeDirectory(dirname(path), 0o755);
  } catch (error) {
    throw refused(path, messageOf(error), error);
  }
}

/**
 * Listens at `path`, with mode 0600, or 0660 for `group` (its number). It never appears with more than that: the umask is set
 * around the bind, which happens inside listen().
 */
export function listenPrivately(
  server: Server,
  path: string,
  group: number | undefined,
  refused: Refused,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays for the server's life: after the bind there is nothing left to reject.
    server.on('error', (error) => reject(refused(path, messageOf(error), error)));
    const umask = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG }, () => {
        try {
          if (group !== undefined) chownSync(path, process.geteuid!(), group);
          chmodSync(path, group === undefined ? 0o600 : 0o660);
          resolve();
        } catch (error) {
          server.close();
          reject(refused(path, messageOf(error), error));
        }
      });
    } finally {
      process.umask(umask);
    }
  });
}

async function removeStaleSocket(path: string, refused: Refused): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) throw refused(path, 'something that is not a socket is there');
  } catch (error) {
    if (error instanceof WeftError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw refused(path, messageOf(error), error);
  }
  if (await answers(path, refused))
    throw new WeftError('ALREADY_RUNNING', `Another weftd is running: it answers on ${path}`, {
      hint: 'stop it first, or give this one its own -control-socket, -tap-socket and -subnet-file',
    });
  try {
    unlinkSync(path);
  } catch (error) {
    throw refused(path, messageOf(error), error);
  }
}

/** Whether a process listens on the socket; a refused connection means that its owner is gone. */
function answers(path: string, refused: Refused): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(refused(path, error.message, error));
    });
  });
}
