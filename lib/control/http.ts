/**
 * As much of HTTP/1.1 (RFC 9112) as a local API takes: requests without a body, replies with a known length. Pure.
 * Node's own server parses whatever a client has sent before anybody may say stop; here one request is taken at a time.
 */

export interface HttpRequest {
  readonly method: string;
  /** "/v1/peers?network=blue" */
  readonly target: string;
  /** Another request may follow on the connection. */
  readonly keepAlive: boolean;
}

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Our choice, that of many servers: requests are a line and a few headers. Bytes. */
export const MAX_HEAD_BYTES = 8192;

const END_OF_HEAD = '\r\n\r\n';

/**
 * The first request of what a client has sent, as latin1 text, and where the next begins. undefined: it is not complete.
 * 'bad': it is no HTTP, or longer than MAX_HEAD_BYTES.
 */
export function parseRequest(text: string): { request: HttpRequest; length: number } | 'bad' | undefined {
  const end = text.indexOf(END_OF_HEAD);
  if (end > MAX_HEAD_BYTES || (end < 0 && text.length > MAX_HEAD_BYTES)) return 'bad';
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const [, method, target, minor] = /^([A-Z]{1,20}) (\S+) HTTP\/1\.([01])$/.exec(first) ?? [];
  if (method === undefined || target === undefined) return 'bad';
  const headers = lines.map((line) => line.toLowerCase());
  if (headers.some((header) => !/^[!#$%&'*+.^_`|~\w-]+:/.test(header))) return 'bad';
  const asked = headers.some((header) => /^connection:.*\bkeep-alive\b/.test(header));
  const refused = headers.some((header) => /^connection:.*\bclose\b/.test(header));
  // Nobody reads a body here, so what comes after it could not be told from it.
  const hasBody = headers.some((header) => /^(transfer-encoding:|content-length:\s*0*[1-9])/.test(header));
  const keepAlive = !refused && !hasBody && (minor === '1' || asked);
  return { request: { method, target, keepAlive }, length: end + END_OF_HEAD.length };
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The reply as UTF-8 text; to HEAD without its body. */
export function formatReply({ status, contentType, text }: HttpReply, { method, keepAlive }: HttpRequest): string {
  return [
    `HTTP/1.1 ${status} ${REASONS[status] ?? ''}`,
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(text)}`,
    `connection: ${keepAlive ? 'keep-alive' : 'close'}`,
    '',
    method === 'HEAD' ? '' : text,
  ].join('\r\n');
}
