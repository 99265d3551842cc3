/** The command line's end of the control socket. */
import { request } from 'node:http';
import { messageOf, WeftError } from '../error.ts';
import { type ControlPath, type ControlReplies, type ErrorReply, MAX_SOCKET_PATH_BYTES } from './protocol.ts';

const TIMEOUT_MS = 3000;
/** 5000 peers are about 2 MB; more than this is not our daemon. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/**
 * Asks the daemon on `socketPath` once; `network` is the name of one of its networks. Throws WeftError: NOT_RUNNING (no socket, or nobody behind it), PERMISSION_DENIED,
 * NOT_ANSWERING, BAD_REPLY, or the code the daemon itself replied with (NOT_READY, UNKNOWN_NETWORK, ...).
 */
export async function askDaemon<Path extends ControlPath>(
  socketPath: string,
  path: Path,
  network?: string,
): Promise<ControlReplies[Path]> {
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES)
    throw new WeftError('NOT_RUNNING', `The socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`, {
      hint: 'give --control-socket',
    });
  const { status, text } = await get(
    socketPath,
    network === undefined ? path : `${path}?network=${encodeURIComponent(network)}`,
  );
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw badReply(socketPath, `not JSON (status ${status})`, error);
  }
  if (status === 200) {
    const missing = missingPart(path, body);
    if (missing !== undefined) throw badReply(socketPath, missing);
    return body as ControlReplies[Path];
  }
  const error = (body as Partial<ErrorReply> | null)?.error;
  if (error === undefined) throw badReply(socketPath, `status ${status}`);
  throw new WeftError(error.code, error.message, error.hint === null ? {} : { hint: error.hint });
}

/** What each weftd says, also an older one, and those who look at it again and again read unasked: objects and lists by their names. */
const PARTS: Partial<Record<ControlPath, { readonly objects: readonly string[]; readonly lists: readonly string[] }>> =
  {
    '/v1/status': { objects: [], lists: ['networks', 'alarms'] },
    '/v1/peers': { objects: [], lists: ['peers'] },
    '/v1/stats': { objects: ['outbound', 'inbound', 'drops'], lists: ['peers'] },
  };

/** Undefined: the reply has all that. */
function missingPart(path: ControlPath, body: unknown): string | undefined {
  if (!isObject(body)) return 'it is no object';
  const { objects = [], lists = [] } = PARTS[path] ?? {};
  const missing = objects.find((name) => !isObject(body[name])) ?? lists.find((name) => !Array.isArray(body[name]));
  return missing === undefined ? undefined : `it has no ${missing}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function get(socketPath: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(connectionError(socketPath, error));
    const call = request({ socketPath, path, agent: false, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MAX_REPLY_BYTES) call.destroy(new Error('the reply does not end'));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      response.on('error', fail);
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on('error', fail);
    call.end();
  });
}

function connectionError(socketPath: string, error: NodeJS.ErrnoException): WeftError {
  const cause = error;
  switch (error.code) {
    case 'ENOENT':
      return new WeftError('NOT_RUNNING', `No control socket at ${socketPath}`, {
        cause,
        hint: 'is weftd running? If it has another socket, give --control-socket',
      });
    case 'ECONNREFUSED':
      return new WeftError('NOT_RUNNING', `Nobody answers on ${socketPath}`, {
        cause,
        hint: 'weftd has died or was killed; start it again',
      });
    case 'EACCES':
    case 'EPERM':
      return new WeftError('PERMISSION_DENIED', `No permission to use ${socketPath}`, {
        cause,
        hint: 'only the user that runs weftd may: try sudo',
      });
    case 'ENOTSOCK':
      return new WeftError('NOT_RUNNING', `${socketPath} is not a socket`, { cause, hint: 'give --control-socket' });
    default:
      return new WeftError('NOT_ANSWERING', `weftd on ${socketPath} does not answer: ${messageOf(error)}`, {
        cause,
        hint: 'look at its log',
      });
  }
}

function badReply(socketPath: string, why: string, cause?: unknown): WeftError {
  return new WeftError('BAD_REPLY', `The reply from ${socketPath} is not weftd's: ${why}`, {
    cause,
    hint: 'is --control-socket right?',
  });
}
