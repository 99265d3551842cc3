import { isIPv6 } from 'node:net';
import { WeftError } from '../../error.ts';

/** Where one etcd member answers clients. */
export interface Endpoint {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** "http://etcd1:2379", for messages. */
  readonly text: string;
}

/** etcd's registered client port (IANA). */
const DEFAULT_PORT = 2379;

/**
 * Parses flannel's `--etcd-endpoints`: URLs separated by commas, `http://` or `https://` (https when there is no scheme but
 * TLS files are given), a trailing slash allowed. https and http together are refused: the client would choose between
 * encryption and none by which server happens to be up. Throws WeftError STORE_OPTIONS_INVALID.
 */
export function parseEndpoints(list: string | readonly string[], tlsGiven = false): readonly Endpoint[] {
  const texts = (typeof list === 'string' ? [list] : list)
    .flatMap((item) => item.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const endpoints = texts.map((text) => parseEndpoint(text, tlsGiven));
  if (endpoints.length === 0) throw invalid('No etcd endpoint is given', 'for example http://192.0.2.1:2379');
  const secure = endpoints.filter((endpoint) => endpoint.secure).length;
  if (secure !== 0 && secure !== endpoints.length)
    throw invalid('Etcd endpoints mix http and https', 'give all of them as https:// or all as http://');
  if (tlsGiven && secure === 0)
    throw invalid('TLS files are given, but the etcd endpoints are http://', 'write the endpoints as https://');
  return endpoints;
}

function parseEndpoint(text: string, tlsGiven: boolean): Endpoint {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  const url = parseUrl(scheme === undefined ? `${tlsGiven ? 'https' : 'http'}://${text}` : text);
  const wellFormed =
    url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '' && url.pathname === '/';
  if (!wellFormed || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    throw invalid(
      `Etcd endpoint ${JSON.stringify(withoutUserInfo(text))} is not valid`,
      'write it as http://HOST:PORT',
    );
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // The URL parser drops a port that is its scheme's default.
  const givenPort = url.port === '' ? /:(80|443)\/?$/.exec(text)?.[1] : url.port;
  const port = givenPort === undefined ? DEFAULT_PORT : Number(givenPort);
  const quoted = isIPv6(host) ? `[${host}]` : host;
  return { host, port, secure, text: `${url.protocol}//${quoted}:${port}` };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Somebody may have put a password into the URL; it must not reach a log. */
function withoutUserInfo(text: string): string {
  return text.replace(/\/\/.*@/, '//...@').slice(0, 200);
}

function invalid(message: string, hint: string): WeftError {
  return new WeftError('STORE_OPTIONS_INVALID', message, { hint });
}
