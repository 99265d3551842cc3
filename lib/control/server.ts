/** The daemon's end of the control socket. */
import { lstatSync } from 'node:fs';
import { messageOf, WeftError } from '../error.ts';
import { toJson } from '../printable.ts';
import { BoundedServer, descriptorLimit } from './bounded-server.ts';
import type { HttpReply, HttpRequest } from './http.ts';
import { listenPrivately, makeItsDirectory, prepareSocketPath } from './private-socket.ts';
import type { ControlPath, ControlReplies, ErrorReply } from './protocol.ts';

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
  /** Number of the group that may connect too, mode 0660. */
  readonly group?: number | undefined;
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
  { lookMs = LOOK_MS, onMadeAgain, group }: ControlServerOptions = {},
): Promise<ControlServer> {
  await prepareSocketPath(path, refused);
  let bounded = await open(path, handlers, group);
  let looking = Promise.resolve();
  let closing = false;
  const look = async (): Promise<void> => {
    if (closing || isThere(path)) return;
    try {
      // First, for it removes what is at the path.
      await bounded.close();
      await makeItsDirectory(path, refused);
      bounded = await open(path, handlers, group);
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

async function open(path: string, handlers: ControlHandlers, group: number | undefined): Promise<BoundedServer> {
  // All come from one source: whoever may connect is root, or the user that weftd runs as.
  const most = Math.min(MOST_CONNECTIONS, Math.max(4, Math.floor(descriptorLimit() / 8)));
  const bounded = new BoundedServer({ answer: (request) => resultOf(request, handlers), most, mostOfSource: most });
  await listenPrivately(bounded.server, path, group, refused);
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

function refused(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('CONTROL_SOCKET_REFUSED', `Cannot use control socket ${JSON.stringify(path)}: ${why}`, {
    cause,
    hint: 'give another path with -control-socket',
  });
}
