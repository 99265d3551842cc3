/** What the demo sends from pod to pod, and what it claims about it. */
import { execInNetns } from '../lab/netns.ts';
import { pingArguments, readPingOutput } from '../measure/ping-output.ts';
import { percentile } from '../measure/statistics.ts';
import { DemoChild } from './child.ts';
import type { Claims } from './claims.ts';
import type { DoneReply, TransferRequest } from './protocol.ts';

/** A pod, by namespace and address. */
export interface DemoPod {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
}

const PINGS = 20;
const PING_INTERVAL_SECONDS = 0.02;
/** An answer may be late on a busy machine, and is none the worse. ping(8) does not wait for it but with a deadline. */
const PING_DEADLINE_SECONDS = 60;
const TCP_BYTES = 16 * 1024 * 1024;
const DATAGRAMS = 3000;
/** Enough that they do not all hash to one outer source port of VXLAN. */
const DATAGRAM_FLOWS = 8;
/** With IP and UDP header 1428 bytes, which fit every overlay's MTU. */
const DATAGRAM_PAYLOAD = 1400;
/** Slow enough for two small sockets, so that every datagram can be asked for. */
const DATAGRAMS_PER_SECOND = 4000;
const QUIET_MS = 2000;
/** Where the pods listen. */
export const TRANSFER_PORT = 7000;

const SCRIPT = 'transfer-child.js';

export async function pingBothWays(pods: readonly [DemoPod, DemoPod], claims: Claims): Promise<void> {
  for (const [from, to] of [pods, pods.toReversed()]) {
    const deadline = ['-w', String(PING_DEADLINE_SECONDS)];
    const argv = ['ping', ...deadline, ...pingArguments(to!.address, PINGS, PING_INTERVAL_SECONDS)];
    const { stdout } = await execInNetns(from!.netns, argv, { allowFailure: true });
    const { received, rttMs } = readPingOutput(stdout);
    // While it waits, ping goes on asking: the first ones count.
    const answered = new Set([...stdout.matchAll(/icmp_seq=(\d+) ttl=/g)].map(([, number]) => Number(number)));
    const missing = Array.from({ length: PINGS }, (_, index) => index + 1).filter((number) => !answered.has(number));
    const median = received > 0 ? `, median ${percentile(rttMs, 0.5).toFixed(3)} ms` : '';
    const detail = `${PINGS - missing.length} of ${PINGS} echoes answered by ${to!.address}${median}`;
    claims.check(`ping from ${from!.name} to ${to!.name}`, missing.length === 0, detail);
  }
}

/** Random bytes by TCP from the first pod to the second. */
export async function transferTcp([from, to]: readonly [DemoPod, DemoPod], claims: Claims): Promise<void> {
  const { sent, received } = await transfer(
    [from, to],
    { type: 'tcp-receive', port: TRANSFER_PORT },
    { type: 'tcp-send', to: to.address, port: TRANSFER_PORT, bytes: TCP_BYTES },
  );
  const held = sent.sha256 === received.sha256 && received.bytes === TCP_BYTES;
  claims.check(`TCP from ${from.name} to ${to.name}`, held, describe(received, sent));
}

/** Random bytes by UDP from the second pod to the first, paced; every datagram has to arrive. */
export async function transferUdp([to, from]: readonly [DemoPod, DemoPod], claims: Claims): Promise<void> {
  const { sent, received } = await transfer(
    [from, to],
    { type: 'udp-receive', port: TRANSFER_PORT, datagrams: DATAGRAMS },
    {
      type: 'udp-send',
      to: to.address,
      port: TRANSFER_PORT,
      datagrams: DATAGRAMS,
      flows: DATAGRAM_FLOWS,
      payloadSize: DATAGRAM_PAYLOAD,
      perSecond: DATAGRAMS_PER_SECOND,
    },
  );
  const held = sent.sha256 === received.sha256 && received.datagrams === DATAGRAMS;
  const counted = `${received.datagrams} of ${DATAGRAMS} datagrams of ${DATAGRAM_FLOWS} flows, at most ${DATAGRAMS_PER_SECOND} a second`;
  claims.check(`UDP from ${from.name} to ${to.name}`, held, `${counted}, ${describe(received, sent)}`);
}

async function transfer(
  [from, to]: readonly [DemoPod, DemoPod],
  receive: TransferRequest,
  send: TransferRequest,
): Promise<{ readonly sent: DoneReply; readonly received: DoneReply }> {
  const receiver = new DemoChild(to.netns, SCRIPT);
  const sender = new DemoChild(from.netns, SCRIPT);
  try {
    receiver.ask(receive);
    await receiver.reply('ready');
    sender.ask(send);
    const sent = await sender.reply('done');
    if (receive.type === 'udp-receive') receiver.ask({ type: 'finish', quietMs: QUIET_MS });
    return { sent, received: await receiver.reply('done') };
  } finally {
    await Promise.all([sender.stop(), receiver.stop()]);
  }
}

function describe(received: DoneReply, sent: DoneReply): string {
  const size = `${received.bytes} random bytes in ${received.seconds.toFixed(2)} s`;
  if (sent.sha256 === received.sha256) return `${size}, SHA-256 ${sent.sha256.slice(0, 16)}… at both ends`;
  return `${size}, SHA-256 ${sent.sha256.slice(0, 16)}… sent, ${received.sha256.slice(0, 16)}… received`;
}
