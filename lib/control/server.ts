/** The daemon's end of the control socket. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { messageOf, WeftError } from '../error.ts';
import { makeDirectory } from '../make-directory.ts';
import { toJson } from '../printable.ts';
import { BACKLOG, BoundedServer, descriptorLimit } from './bounded-server.ts';
import type { HttpReply, HttpRequest } from './http.ts';
import { type ControlPath, type ControlReplies, type ErrorReply, MAX_SOCKET_PATH_BYTES } from './protocol.ts';

export interface ControlQuery {
  /** `?network=`, undefined when it is not there. */
  readonly network: string | undefined;
}

/** What answers each path. A thrown WeftError becomes a 503 with its code, message and hint; UNKNOWN_NETWORK a 404. */
export type ControlHandlers = {
  readonly [Path in ControlPath]: (query: ControlQuery) => ControlReplies[Path] | Promise<ControlReplies[Path]>;
};

/** Our choice: more readers than any host has; a reply of 5000 peers is 2 MB. */
const MOST_CONNECTIONS = 64;

export interface ControlServerOptions {
  /** How often it is seen to that the socket file is there. Default 5 s; in ms. */
  readonly lookMs?: number;
  /** The file was gone, and is there again. */
  readonly onMadeAgain?: () => void;
}

const LOOK_MS = 5000;

export interface ControlServer {
  /** Stops listening, cuts what is connected and removes the socket file. */
  close(): Promise<void>;
}

/**
 * Listens on the unix socket `path` with mode 0600; makes its directory (0755). A stale socket of a dead daemon is
 * replaced, and one that somebody deletes made again: /run may be tidied up. Throws WeftError ALREADY_RUNNING when a live process answers on it, CONTROL_SOCKET_REFUSED when the path
 * cannot be used.
 */
export async function serveControl(
  path: string,
  handlers: ControlHandlers,
  { lookMs = LOOK_MS, onMadeAgain }: ControlServerOptions = {},
): Promise<ControlServer> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw refused(path, `longer than the ${MAX_SOCKET_PATH_BYTES} bytes a unix socket allows`);
  await makeItsDirectory(path);
  await removeStaleSocket(path);
  let bounded = await open(path, handlers);
  let looking = Promise.resolve();
  let closing = false;
  const look = async (): Promise<void> => {
    if (closing || isThere(path)) return;
    try {
      // First, for it removes what is at the path.
      await bounded.close();
      await makeItsDirectory(path);
      bounded = await open(path, handlers);
      onMadeAgain?.();
    } catch {
      // Nobody can be told by this way; the next look tries again.
    }
  };
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, lookMs).unref();
  const close = async (): Promise<void> => {
    closing = true;
    clearInterval(timer);
    await looking;
    await bounded.close();
  };
  return { close };
}

async function open(path: string, handlers: ControlHandlers): Promise<BoundedServer> {
  // All come from one source: whoever may connect is root, or the user that weftd runs as.
  const most = Math.min(MOST_CONNECTIONS, Math.max(4, Math.floor(descriptorLimit() / 8)));
  const bounded = new BoundedServer({ answer: (request) => resultOf(request, handlers), most, mostOfSource: most });
  await listenPrivately(bounded.server, path);
  return bounded;
}

/** Also true where that cannot be known. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** Throws WeftError CONTROL_SOCKET_REFUSED. */
async function makeItsDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(dirname(path), 0o755);
  } catch (error) {
    throw refused(path, messageOf(error), error);
  }
}

/** Never rejects. */
async function resultOf({ method, target }: HttpRequest, handlers: ControlHandlers): Promise<HttpReply> {
  const [path = '', query = ''] = target.split('?', 2);
  if (method !== 'GET') return failure(405, 'METHOD_NOT_ALLOWED', 'Only GET is answered here');
  if (!isControlPath(path, handlers))
    return failure(404, 'NOT_FOUND', `No such path; there is ${Object.keys(handlers).join(', ')}`);
  try {
    const network = new URLSearchParams(query).get('network') ?? undefined;
    return toReply(200, await handlers[path]({ network }));
  } catch (error) {
    if (error instanceof WeftError) return failure(statusOf(error), error.code, error.message, error.hint);
    return failure(500, 'INTERNAL', messageOf(error));
  }
}

function toReply(status: number, body: ControlReplies[ControlPath] | ErrorReply): HttpReply {
  return { status, contentType: 'application/json', text: `${toJson(body)}\n` };
}

function statusOf({ code }: WeftError): number {
  return code === 'UNKNOWN_NETWORK' ? 404 : 503;
}

function isControlPath(path: string, handlers: ControlHandlers): path is ControlPath {
  return Object.hasOwn(handlers, path);
}

function failure(status: number, code: string, message: string, hint?: string): HttpReply {
  return toReply(status, { error: { code, message, hint: hint ?? null } });
}

/** The socket appears with its final mode: the umask is set around the bind, which happens inside listen(). */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays for the server's life: after the bind there is nothing left to reject.
    server.on('error', (error) => reject(refused(path, messageOf(error), error)));
    const umask = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG }, () => {
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) throw refused(path, 'something that is not a socket is there');
  } catch (error) {
    if (error instanceof WeftError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw refused(path, messageOf(error), error);
  }
  if (await answers(path))
    throw new WeftError('ALREADY_RUNNING', `Another weftd is running: it answers on ${path}`, {
      hint: 'stop it first, or give this one its own -control-socket and -subnet-file',
    });
  try {
    unlinkSync(path);
  } catch (error) {
    throw refused(path, messageOf(error), error);
  }
}

/** Whether a process listens on the socket; a refused connection means that its owner is gone. */
function answers(path: string): Promise<boolean> {
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

function refused(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('CONTROL_SOCKET_REFUSED', `Cannot use control socket ${JSON.stringify(path)}: ${why}`, {
    cause,
    hint: 'give another path with -control-socket',
  });
}
