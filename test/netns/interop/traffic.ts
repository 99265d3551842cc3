/** Traffic between pods whose content is compared at both ends. */
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { execInNetns, type LabProcess, spawnInNetns, whyNotReady } from '../../../lib/lab/netns.ts';
import { PATIENCE_MS } from '../../patience.ts';
import { PATIENTLY } from '../pings.ts';

/** The echo service (RFC 862): what goes to or from it, tshark takes for plain data instead of guessing. */
const PORT = 7;

export interface TcpResult {
  /** Of what was sent. */
  readonly sha256: string;
  readonly bytes: number;
  readonly seconds: number;
  /** What the server got. */
  readonly answer: { readonly name: string; readonly bytes: number; readonly sha256: string };
}

export interface UdpResult {
  readonly sent: number;
  /** Came back as they were. */
  readonly equal: number;
  readonly different: number;
  readonly lost: number;
}

function childPath(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}

/** Starts a server in a pod; it ends with the lab. `name` is in its answers. */
export async function startServer(netns: string, name = netns): Promise<LabProcess> {
  const server = spawnInNetns(netns, [process.execPath, childPath('server-child.js'), name, String(PORT)]);
  const why = await whyNotReady(server, () => server.stdout() === 'ready\n', PATIENCE_MS);
  if (why !== undefined) throw new Error(`the server in ${netns} does not start: ${why}: ${server.stderr()}`);
  return server;
}

async function client(netns: string, args: readonly (string | number)[], timeoutMs: number): Promise<unknown> {
  const argv = [process.execPath, childPath('client-child.js'), ...args.map(String)];
  return JSON.parse((await execInNetns(netns, argv, { timeoutMs })).stdout);
}

/** Sends random bytes to the server in another pod. Throws when there is no connection. */
export async function transferTcp(from: string, to: string, bytes: number): Promise<TcpResult> {
  const result = await client(from, ['tcp', to, PORT, bytes], PATIENCE_MS + bytes / 5000);
  // client-child.ts writes nothing else.
  return result as TcpResult;
}

export async function exchangeUdp(from: string, to: string, datagrams: number, largest: number): Promise<UdpResult> {
  return (await client(from, ['udp', to, PORT, datagrams, largest], 2 * PATIENCE_MS)) as UdpResult;
}

/** Bytes arrive as they were sent. Returns Gb/s, for the log. */
export async function assertTcp(t: ExecutionContext, from: string, to: string, bytes: number): Promise<number> {
  const { sha256, answer, seconds } = await transferTcp(from, to, bytes);
  t.like(answer, { bytes, sha256 }, `${bytes} bytes from ${from} to ${to}`);
  return (bytes * 8) / seconds / 1e9;
}

/** Datagrams of all sizes come back as they were sent, none is lost. */
export async function assertUdp(t: ExecutionContext, from: string, to: string, largest: number): Promise<void> {
  const datagrams = 400;
  const result = await exchangeUdp(from, to, datagrams, largest);
  t.deepEqual(result, { sent: datagrams, equal: datagrams, different: 0, lost: 0 }, `datagrams from ${from} to ${to}`);
}

export interface PingOptions {
  readonly count?: number;
  /** Bytes of ICMP payload. */
  readonly size?: number;
  /** Do not fragment. */
  readonly df?: boolean;
  readonly extra?: readonly string[];
}

/**
 * The output of ping(8), whatever came of it. Once one answer has come, ping waits for the last of the others no longer than
 * for 20 ms: what is missing at the end of its list says little.
 */
export async function ping(netns: string, address: string, options: PingOptions = {}): Promise<string> {
  const { count = 5, size, df = false, extra = [] } = options;
  const argv = ['ping', '-n', '-c', String(count), '-i', '0.02', '-W', '2', ...extra];
  if (size !== undefined) argv.push('-s', String(size));
  if (df) argv.push('-M', 'do');
  return (await execInNetns(netns, [...argv, address], { allowFailure: true })).stdout;
}

/** Our choice: some of them, with what the kernel needs around each fragment, are less than its queue for an unresolved neighbour. */
const NEIGHBOR_QUEUE_SHARE = 8000;

/** Every ping is answered, however late: with a deadline, ping goes on until it has so many answers. */
export async function assertPing(
  t: ExecutionContext,
  netns: string,
  address: string,
  options: PingOptions = {},
): Promise<string> {
  const { count = 5, size = 0, extra = [] } = options;
  // While the kernel asks for a neighbour it keeps some 200 KB for it, which few large packets fill.
  if (size > NEIGHBOR_QUEUE_SHARE) await ping(netns, address, { count: 1, extra: PATIENTLY });
  const output = await ping(netns, address, { ...options, extra: [...extra, ...PATIENTLY] });
  for (let sequence = 1; sequence <= count; sequence++)
    t.true(output.includes(`icmp_seq=${sequence} ttl=`), `ping ${sequence} from ${netns} to ${address}:\n${output}`);
  return output;
}
