/**
 * In a pod: `client-child.js tcp <address> <port> <bytes>` sends random bytes, `client-child.js udp <address> <port>
 * <datagrams> <largest>` datagrams of all sizes up to the largest, some at once, and compares what comes back. Writes one
 * line of JSON: a TcpResult or UdpResult of traffic.ts.
 */
import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, isIPv6 } from 'node:net';
import type { TcpResult, UdpResult } from './traffic.ts';

const CHUNK = 256 * 1024;
/** Enough for several packets in one burst, and too few to overflow a socket's buffer. */
const IN_FLIGHT = 32;
/** After the last answer: what has not come then is lost. */
const ANSWER_MS = 20_000;
const NUMBER_BYTES = 4;

async function tcp(address: string, port: number, bytes: number): Promise<TcpResult> {
  const socket = connectTcp({ host: address, port, allowHalfOpen: true });
  const answer: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  await once(socket, 'connect');
  const hash = createHash('sha256');
  const start = performance.now();
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK, left)));
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'close');
  const seconds = (performance.now() - start) / 1000;
  return { sha256: hash.digest('hex'), bytes, seconds, answer: JSON.parse(Buffer.concat(answer).toString()) };
}

async function udp(address: string, port: number, datagrams: number, largest: number): Promise<UdpResult> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
  socket.connect(port, address);
  await once(socket, 'connect');
  const waiting = new Map<number, Buffer>();
  let sent = 0;
  let equal = 0;
  let different = 0;
  const fill = (): void => {
    for (; waiting.size < IN_FLIGHT && sent < datagrams; sent++) {
      const message = randomBytes(sizeOf(sent, datagrams, largest));
      message.writeUInt32BE(sent, 0);
      waiting.set(sent, message);
      socket.send(message);
    }
  };
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_MS);
    socket.on('message', (message: Buffer) => {
      const number = message.readUInt32BE(0);
      if (waiting.get(number)?.equals(message) === true) equal++;
      else different++;
      waiting.delete(number);
      timer.refresh();
      // In bursts, so that there is something to send at once.
      if (waiting.size === 0) fill();
      if (waiting.size > 0) return;
      clearTimeout(timer);
      resolve();
    });
    fill();
  });
  socket.close();
  return { sent, equal, different, lost: waiting.size };
}

/** The first half are all as large as fits, so that they may travel as one train; then all sizes. */
function sizeOf(number: number, datagrams: number, largest: number): number {
  return number < datagrams / 2 ? largest : NUMBER_BYTES + ((number * 7919) % (largest - NUMBER_BYTES + 1));
}

const [, , kind, address = '', port = '', amount = '', largest = ''] = process.argv;
const result =
  kind === 'tcp'
    ? await tcp(address, Number(port), Number(amount))
    : await udp(address, Number(port), Number(amount), Number(largest));
process.stdout.write(`${JSON.stringify(result)}\n`);
