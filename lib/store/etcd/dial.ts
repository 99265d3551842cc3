/**
 * Finds out whether an endpoint answers HTTP/2, and if not, exactly why.
 *
 * grpc-js (1.14) connects without a time limit, has no way to give up, and reports every failure as UNAVAILABLE with a
 * text. Weft therefore opens one short connection of its own first and lets grpc-js connect only where that worked: a
 * dead or hung server costs one timeout and no sockets, and a TLS mistake is known by its code.
 */
import { connect as connectTls } from 'node:tls';
import { messageOf, WeftError } from '../../error.ts';
import { Attempt, type DialOptions, RaceError, race, SilenceError } from './attempt.ts';
import type { Endpoint } from './endpoints.ts';

/**
 * Connects, shakes hands, and hangs up. Resolves to the address that answered first, of all that a name has.
 * Rejects with WeftError STORE_UNREACHABLE, or STORE_DENIED when TLS is what fails.
 */
export async function dial(endpoint: Endpoint, options: DialOptions): Promise<string> {
  try {
    return await race(endpoint, options);
  } catch (error) {
    if (options.signal.aborted || !(error instanceof RaceError)) throw error;
    throw await explain(error, endpoint, options);
  }
}

async function explain(race: RaceError, endpoint: Endpoint, options: DialOptions): Promise<WeftError> {
  const { text, secure } = endpoint;
  const { reasons, connected } = race;
  for (const cause of secure ? reasons : []) {
    const hint = tlsHint(codeOf(cause));
    if (hint === undefined) continue;
    return new WeftError('STORE_DENIED', `TLS with etcd at ${text} fails: ${reasonOf(cause)}`, { cause, hint });
  }
  const silent = reasons.every((reason) => reason instanceof SilenceError);
  if (connected !== undefined && !silent) {
    const mistake = await schemeMistake(endpoint, connected, options);
    if (mistake !== undefined) return mistake;
  }
  const hint = silent ? silenceHint(connected !== undefined) : networkHint(reasons.map(codeOf));
  const message = `Cannot reach etcd at ${text}: ${reasons.map(reasonOf).join(', ')}`;
  return new WeftError('STORE_UNREACHABLE', message, { cause: reasons[0], hint });
}

/** Tries the other scheme, only to be able to name the mistake: nothing but a handshake is sent. */
async function schemeMistake(
  endpoint: Endpoint,
  address: string,
  options: DialOptions,
): Promise<WeftError | undefined> {
  const { text, secure } = endpoint;
  if (secure && (await speaksHttp2(endpoint, address, options)))
    return new WeftError('STORE_DENIED', `Etcd at ${text} speaks plain http, not TLS`, {
      hint: 'let etcd listen with https:// and a certificate, or write the endpoint as http://',
    });
  if (!secure && (await speaksTls(address, endpoint.port, options.timeoutMs)))
    return new WeftError('STORE_DENIED', `Etcd at ${text} speaks TLS, not plain http`, {
      hint: 'write the endpoint as https:// and give the CA with --etcd-cafile',
    });
  return undefined;
}

async function speaksHttp2(endpoint: Endpoint, address: string, options: DialOptions): Promise<boolean> {
  const plain = { ...endpoint, secure: false, text: endpoint.text.replace('https:', 'http:') };
  const attempt = new Attempt(plain, address, false, { ...options, context: undefined });
  try {
    await attempt.answer();
    return true;
  } catch {
    return false;
  } finally {
    attempt.hangUp();
  }
}

function reasonOf(error: unknown): string {
  // OpenSSL's message holds addresses and source lines; its reason is the part for people.
  if (error instanceof Error && 'library' in error && 'reason' in error) return String(error.reason);
  return messageOf(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function silenceHint(connected: boolean): string {
  return connected
    ? 'the port accepts connections but nobody answers: is the etcd process hung or stopped?'
    : 'check the address, and that no firewall drops packets to this port';
}

function networkHint(codes: readonly string[]): string {
  if (codes.includes('ENOTFOUND') || codes.includes('EAI_AGAIN')) return 'check the host name in --etcd-endpoints';
  return 'check that etcd is running and listens on this address (etcd --listen-client-urls)';
}

/** What to do about a failed handshake; undefined when it was not TLS that failed. Codes of OpenSSL and Node.js. */
function tlsHint(code: string): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return "the certificate is for other names: use one of them in --etcd-endpoints, or add this one to etcd's certificate";
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return "renew etcd's certificate, and check the clock of this host";
  if (/ISSUER|SELF_SIGNED|LEAF_SIGNATURE|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED/.test(code))
    return "give the CA that signed etcd's certificate with --etcd-cafile";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|RECORD/.test(code))
    return 'this port does not speak TLS: check the port, or that etcd listens with https://';
  if (code.includes('ALERT'))
    return 'etcd refuses our certificate: give one that its client CA signed with --etcd-certfile and --etcd-keyfile';
  return undefined;
}

/** Whether a server completes a TLS handshake there, etcd or not. */
function speaksTls(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Nothing is sent or trusted over this connection, so its certificate does not matter.
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.once('secureConnect', () => finish(true));
    socket.on('error', () => finish(false));
  });
}
