/** Who may look: a token that is good once, for a cookie that is good until the server ends. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const BYTES = 32;
/** Our choice: more cookies than any browser sends are not looked through. */
const MAX_COOKIES = 4096;

export class Session {
  /** For the URL that is printed. */
  readonly token = randomBytes(BYTES).toString('base64url');
  readonly #secret = randomBytes(BYTES).toString('base64url');
  readonly #cookieName: string;
  #isExchanged = false;

  /** Browsers send a cookie to all ports of a host (RFC 6265 §8.5): the name has the port, so that two servers do not meet. */
  constructor(port: number) {
    this.#cookieName = `weft-ui-${port}`;
  }

  /** The value of Set-Cookie, the first time that the token is shown; undefined: it is not the token, or was shown before. */
  exchange(token: string): string | undefined {
    if (!isEqual(token, this.token) || this.#isExchanged) return undefined;
    this.#isExchanged = true;
    return `${this.#cookieName}=${this.#secret}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Whether a Cookie header has ours. */
  holds(header: string | undefined): boolean {
    if (header === undefined || header.length > MAX_COOKIES) return false;
    return header.split(';').some((pair) => {
      const [name = '', value = ''] = pair.trim().split('=', 2);
      return name === this.#cookieName && isEqual(value, this.#secret);
    });
  }
}

/** In a time that says nothing about either, not even how long they are. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
