/** What is asked of every request before it is answered, in this order: each refusal is a sentence for whoever sees the page. */
import type { IncomingHttpHeaders } from 'node:http';
import { isHostOf, type ListenAddress } from './listen-address.ts';
import type { Session } from './session.ts';

export interface Asked {
  readonly method: string;
  /** As in the request line: "/events?network=blue". */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export type Verdict =
  | { readonly kind: 'pass'; readonly path: string; readonly query: URLSearchParams }
  | { readonly kind: 'redirect'; readonly cookie: string | undefined }
  | { readonly kind: 'refuse'; readonly status: number; readonly sentence: string };

export interface Guarded {
  readonly listened: ListenAddress;
  readonly session: Session;
}

const NO_COOKIE =
  'This page belongs to whoever started weft ui, and this browser has not shown its token: open the address that weft ui has printed. That works once; after that, and after a restart, start weft ui again for a new one.';
const USED =
  'The token of this address was used before, by another browser, or it is of an earlier weft ui: start weft ui again, and open the address that it prints.';

export function judge({ method, target, headers }: Asked, { listened, session }: Guarded): Verdict {
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'Nothing can be changed here: only GET and HEAD.');
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0)
    return refuse(400, 'A request here has no body.');
  if (!isHostOf(listened, headers.host))
    return refuse(
      421,
      'weft ui answers by the address it listens on, or as localhost, with its own port: open it as it was printed. Through ssh -L take the same port at both ends.',
    );
  const url = parseTarget(target);
  if (url === undefined) return refuse(400, 'This is no address of weft ui.');
  const token = url.pathname === '/' ? url.searchParams.get('token') : null;
  if (!isSameOrigin(headers, url.pathname))
    return refuse(403, 'weft ui does not answer pages of others: type or paste its address into the address bar.');
  if (token !== null) {
    if (session.holds(headers.cookie)) return { kind: 'redirect', cookie: undefined };
    // Whoever only looks whether the page is there does not use it up.
    const cookie = method === 'HEAD' ? undefined : session.exchange(token);
    return cookie === undefined ? refuse(403, USED) : { kind: 'redirect', cookie };
  }
  if (!session.holds(headers.cookie)) return refuse(403, NO_COOKIE);
  return { kind: 'pass', path: url.pathname, query: url.searchParams };
}

function refuse(status: number, sentence: string): Verdict {
  return { kind: 'refuse', status, sentence };
}

function parseTarget(target: string): URL | undefined {
  if (!target.startsWith('/') || target.startsWith('//')) return undefined;
  return URL.canParse(target, 'http://weft') ? new URL(target, 'http://weft') : undefined;
}

/**
 * Origin (RFC 6454) says which page asks, Sec-Fetch-Site (W3C, Fetch Metadata) in which relation it stands to us; browsers send the second to every loopback
 * address. 'none': a person has typed the address, or opened it from another program.
 */
function isSameOrigin(headers: IncomingHttpHeaders, path: string): boolean {
  const { origin, host } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || (site === 'none' && path === '/');
}
