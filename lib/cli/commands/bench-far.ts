/** `weft bench --serve` and `--peer`: what the command line has to do with a benchmark between two machines. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isHostAddress4, parseIpv4 } from '../../addr/ipv4.ts';
import { runBetween } from '../../bench/far/between.ts';
import type { BetweenOptions } from '../../bench/far/between-run.ts';
import { FarLink } from '../../bench/far/far-link.ts';
import type { FarReport } from '../../bench/far/far-report.ts';
import { FarServer, type Performer } from '../../bench/far/far-server.ts';
import { LocalSide } from '../../bench/far/local-side.ts';
import { DEFAULT_PORT, HIGHEST_PORT, portsFrom } from '../../bench/far/ports.ts';
import { formatToken, normalizeToken, TOKEN_BYTES } from '../../bench/far/token.ts';
import { messageOf, WeftError } from '../../error.ts';
import { printableLines } from '../../printable.ts';
import { readSecret } from '../secret.ts';

const TOKEN_VARIABLE = 'WEFT_BENCH_TOKEN';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** 128 and the signal's number, as shells have it. */
const EXIT_CODES: Readonly<Record<(typeof SIGNALS)[number], number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

function log(line: string): void {
  process.stderr.write(`${printableLines(line)}\n`);
}

/** "192.0.2.2", "node2", "192.0.2.2:9000". Code: USAGE. */
export function parsePlace(text: string, option: string): { readonly host: string; readonly port: number } {
  const [host = '', portText, ...more] = text.split(':');
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (more.length > 0)
    throw new WeftError('USAGE', `${option} ${text}: an IPv4 address or a name is needed, IPv6 is not measured`);
  if (host === '' || !Number.isInteger(port) || port < 1 || port > HIGHEST_PORT || portText === '')
    throw new WeftError('USAGE', `${option} ${text}: it is ADDRESS or ADDRESS:PORT, the port 1 to ${HIGHEST_PORT}`);
  return { host, port };
}

/** Code: USAGE for what is not exactly one address. */
export function parseServePlace(text: string): { readonly host: string; readonly port: number } {
  const place = parsePlace(text, '--serve');
  const address = parseIpv4(place.host);
  if (address === 0)
    throw new WeftError('USAGE', '--serve 0.0.0.0 would listen on every network of this machine: name one address', {
      hint: 'The one by which the other machine reaches this one; ip -br address lists them',
    });
  if (address === undefined || !(isHostAddress4(address) || address >>> 24 === 127))
    throw new WeftError('USAGE', `--serve ${text}: "${place.host}" is not the IPv4 address of a machine`);
  return place;
}

/** The far side. Exit code 0, 1 when somebody guessed tokens. */
export async function serveBench(text: string, controlSocket: string): Promise<void> {
  const { host: address, port } = parseServePlace(text);
  const printed = formatToken(randomBytes(TOKEN_BYTES));
  const ports = portsFrom(port);
  const startPerformer = (near: string): Performer => {
    const id = `f${process.pid.toString(36)}`;
    const programs = process.env.PATH ?? '';
    const side = new LocalSide({ role: 'far', own: address, other: near, ports, id, controlSocket, programs });
    return { perform: (request) => side.ask(request), close: () => side.close() };
  };
  const now = () => performance.now();
  const server = await FarServer.listen({ address, port, token: normalizeToken(printed), log, now, startPerformer });
  // A terminal that is gone takes the output with it, not the cleaning up.
  for (const signal of SIGNALS) process.once(signal, () => void server.stop(`${signal} there`));
  process.stdout.write(describeServing(address, port, printed));
  const end = await server.ended;
  if (end === 'idle') log('Nobody came for ten minutes: ended');
  if (end === 'wrong-tokens')
    throw new WeftError('FAR_TOKEN', 'Five wrong tokens: ended', {
      hint: 'Start it again; its token will be another one',
    });
}

function describeServing(address: string, port: number, token: string): string {
  const { tcp, udp, pair } = portsFrom(port);
  const isRoot = process.geteuid?.() === 0;
  return `Waiting for the other side on ${address}, TCP port ${port}

  token                 ${token}
  on the other machine  weft bench --peer ${address}${port === DEFAULT_PORT ? '' : `:${port}`}

It asks for the token. Open to it have to be TCP ports ${port} and ${tcp}, UDP port${isRoot ? 's' : ''} ${udp}${isRoot ? ` to ${pair.vxlan}` : ''}.
${isRoot ? '' : 'This is not root: weftds of its own are left out.\n'}Ctrl-C ends this, and so do ten minutes without anybody.
`;
}

export interface PeerOptions extends BetweenOptions {
  readonly peer: string;
  readonly tokenFile: string | undefined;
  readonly controlSocket: string;
}

/** The near side. `print` gets the report; exit code 1 when something failed or the far side was lost, 130 after Ctrl-C. */
export async function measureWithPeer(options: PeerOptions, print: (report: FarReport) => void): Promise<void> {
  const { host, port } = parsePlace(options.peer, '--peer');
  const token = normalizeToken(await readToken(options.tokenFile));
  const link = await FarLink.open({ host, port, token });
  const near = new LocalSide({
    role: 'near',
    own: link.own,
    other: link.other,
    ports: portsFrom(port),
    id: `n${process.pid.toString(36)}`,
    controlSocket: options.controlSocket,
    programs: process.env.PATH ?? '',
  });
  const abort = new AbortController();
  let exitCode = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    exitCode = EXIT_CODES[signal as (typeof SIGNALS)[number]];
    abort.abort();
    // What is waited for now ends with the two sides.
    link.close();
    void near.close();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const addresses = { near: link.own, far: link.other };
    const hostOf = {
      now: () => new Date(),
      clock: () => performance.now() / 1000,
      log,
      signal: abort.signal,
      addresses,
    };
    const report = await runBetween(options, hostOf, { near, far: link }).catch((error: unknown) => {
      throw abort.signal.aborted ? new WeftError('INTERRUPTED', 'Interrupted before anything was measured') : error;
    });
    print(report);
    if (exitCode === 0 && (report.failures.length > 0 || report.lost !== null)) exitCode = 1;
    process.exitCode = exitCode;
  } finally {
    link.close();
    await near.close();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** From the file, the environment, or a person; never from the command line, which every user of the machine sees. */
async function readToken(file: string | undefined): Promise<string> {
  const fromEnvironment = process.env[TOKEN_VARIABLE];
  // Nothing that is started here needs it.
  delete process.env[TOKEN_VARIABLE];
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new WeftError('FAR_TOKEN', `Cannot read the token from ${file}: ${messageOf(cause)}`, { cause });
    }
  }
  if (fromEnvironment !== undefined) return fromEnvironment;
  if (process.stdin.isTTY) return readSecret('Token of the far side: ', process.stdin);
  throw new WeftError('FAR_TOKEN', 'There is no terminal to ask for the token', {
    hint: `Give --token-file FILE, or the variable ${TOKEN_VARIABLE}`,
  });
}
