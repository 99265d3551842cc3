/** The wire between the guests: a bridge in the network namespace that this process is in, with a tap for each guest. */
import { spawn } from 'node:child_process';
import { ipBatch } from '../../lib/lab/command.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { AGENT_PORT } from './agent-protocol.ts';

const ETCD_PORT = 2379;
/** Our choice: more than a case sends; a capture ends there. */
const MOST_FRAMES = 400_000;

export function tapOf(number: number): string {
  return `tap${number}`;
}

/** 192.0.2.0/24 is for documentation (RFC 5737): no network of the machine below, whose files the guests see, has it. */
export function addressOf(number: number): string {
  return `192.0.2.${number}`;
}

/** Locally administered. */
export function macOf(number: number): string {
  return `52:54:00:00:02:${number.toString(16).padStart(2, '0')}`;
}

export async function layWire(guests: number): Promise<void> {
  const taps = Array.from({ length: guests }, (_, index) => tapOf(index + 1));
  await ipBatch(undefined, [
    'link set lo up',
    'link add br0 type bridge mcast_snooping 0',
    'link set br0 up',
    `addr add ${addressOf(254)}/24 dev br0`,
    ...taps.flatMap((tap) => [`tuntap add ${tap} mode tap vnet_hdr`, `link set ${tap} master br0 up`]),
  ]);
}

/** Captures whole frames at the first guest's tap into `file` while `body` runs, but for our own commands and etcd. */
export async function captureWhile<T>(file: string, body: () => Promise<T>): Promise<T> {
  const filter = `not tcp port ${ETCD_PORT} and not tcp port ${AGENT_PORT}`;
  const args = ['-i', tapOf(1), '-n', '-U', '-s', '0', '-B', '32768', '-c', String(MOST_FRAMES), '-w', file, filter];
  const tcpdump = spawn('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  tcpdump.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const ended = new Promise<void>((resolve) => {
    tcpdump.on('error', (error) => {
      said += error.message;
      resolve();
    });
    tcpdump.on('close', () => resolve());
  });
  await until(() => said.includes('listening on') || tcpdump.exitCode !== null, PATIENCE_MS);
  if (!said.includes('listening on')) throw new Error(`Cannot capture on ${tapOf(1)}: ${said.trim()}`);
  try {
    return await body();
  } finally {
    tcpdump.kill('SIGINT');
    await ended;
  }
}
