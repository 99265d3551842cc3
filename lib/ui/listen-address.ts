/** Where `weft ui` listens, and by which names a browser may call it. Pure. */
import { formatIpv4, parseIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../addr/ipv6.ts';

export interface ListenAddress {
  /** In canonical form, without brackets. */
  readonly host: string;
  /** 0: the kernel chooses one. */
  readonly port: number;
  readonly isLoopback: boolean;
}

/** Our choice: next to flannel's 8285, and IANA has nobody on it. */
export const DEFAULT_PORT = 8286;

/** "127.0.0.1:8286", "[::1]:8286", "localhost", "::1", "0.0.0.0:80", ":8286"; undefined: it is none of these. */
export function parseListen(text: string): ListenAddress | undefined {
  const bare = parseHost(text);
  if (bare !== undefined) return { ...bare, port: DEFAULT_PORT };
  const [, host = '', port = ''] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(text) ?? [];
  const parsed = parseHost(host === '' && port !== '' ? '127.0.0.1' : host.replace(/^\[([^\]]+)\]$/, '$1'));
  if (parsed === undefined || Number(port) > 65_535) return undefined;
  return { ...parsed, port: Number(port) };
}

function parseHost(text: string): Pick<ListenAddress, 'host' | 'isLoopback'> | undefined {
  const address4 = parseIpv4(text === 'localhost' ? '127.0.0.1' : text);
  if (address4 !== undefined) return { host: formatIpv4(address4), isLoopback: address4 >>> 24 === 127 };
  const address6 = parseIpv6(text);
  return address6 === undefined ? undefined : { host: formatIpv6(address6), isLoopback: address6 === 1n };
}

/** "127.0.0.1:8286", "[::1]:8286": as a URL has it. */
export function authorityOf({ host, port }: Pick<ListenAddress, 'host' | 'port'>): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return port === 80 ? bracketed : `${bracketed}:${port}`;
}

/**
 * Whether a Host header (RFC 9110 §7.2) names this server: by the address it listens on, or as localhost. On all addresses any
 * address is one; a name never is. A browser that was lured here by another name (DNS rebinding) sends that name.
 */
export function isHostOf(listened: ListenAddress, header: string | undefined): boolean {
  const [, name = '', port = '80'] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(header ?? '') ?? [];
  if (Number(port) !== listened.port) return false;
  if (name.toLowerCase() === 'localhost') return true;
  const asked = parseHost(name.replace(/^\[(.*)\]$/, '$1'));
  if (asked === undefined) return false;
  return asked.host === listened.host || listened.host === '0.0.0.0' || listened.host === '::';
}
