/**
 * Traffic whose content is checked, from pod to pod: `serve` in one, `check ADDRESS BYTES DATAGRAM...` in the other, which prints a
 * TrafficResult. TCP in both directions by SHA-256; UDP datagrams of the sizes given, each compared with its echo.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from '../patience.ts';

const PORT = 5001;
const BLOCK = 65_536;

export interface TrafficResult {
  /** SHA-256 of what was sent and of what the other end got. */
  readonly up: readonly [sent: string, received: string];
  readonly down: readonly [sent: string, received: string];
  /** Sizes of datagrams that came back as they were sent. */
  readonly echoed: readonly number[];
}

/** Blocks that differ from each other, and inside: a block out of place changes the digest. */
export function* blocks(bytes: number): Generator<Buffer> {
  for (let offset = 0, number = 1; offset < bytes; offset += BLOCK, number++) {
    yield filled(Math.min(BLOCK, bytes - offset), number);
  }
}

/** Bytes of a linear congruential generator (Numerical Recipes). */
function filled(length: number, seed: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer[at] = state >>> 24;
  }
  return buffer;
}

export function digestOf(bytes: number): string {
  const hash = createHash('sha256');
  for (const block of blocks(bytes)) hash.update(block);
  return hash.digest('hex');
}

/** Writes as the socket takes it, and half-closes. */
async function send(socket: Socket, bytes: number): Promise<void> {
  for (const block of blocks(bytes)) if (!socket.write(block)) await once(socket, 'drain');
  socket.end();
}

/** The first line says what is wanted: "up" (it is answered with the digest), "down 1000". What follows belongs to the transfer. */
function serveConnection(socket: Socket): void {
  const hash = createHash('sha256');
  let head = Buffer.alloc(0);
  let request: string | undefined;
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    if (request !== undefined) return void hash.update(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\n');
    if (end < 0) return;
    request = head.toString('latin1', 0, end);
    hash.update(head.subarray(end + 1));
    const [verb, bytes] = request.split(' ');
    if (verb === 'down') send(socket, Number(bytes)).catch(() => socket.destroy());
  });
  socket.on('end', () => socket.end(request === 'up' ? hash.digest('hex') : ''));
}

function serve(): void {
  createServer({ allowHalfOpen: true }, serveConnection).listen(PORT, '0.0.0.0');
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  udp.bind(PORT);
}

async function received(socket: Socket): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return chunks;
}

async function upload(address: string, bytes: number): Promise<string> {
  const socket = connect({ host: address, port: PORT, allowHalfOpen: true });
  socket.write('up\n');
  const answer = received(socket);
  await send(socket, bytes);
  return Buffer.concat(await answer).toString();
}

async function download(address: string, bytes: number): Promise<string> {
  const socket = connect({ host: address, port: PORT, allowHalfOpen: true });
  socket.write(`down ${bytes}\n`);
  const hash = createHash('sha256');
  for (const chunk of await received(socket)) hash.update(chunk);
  socket.destroy();
  return hash.digest('hex');
}

/** One after the other: nothing queues, so nothing has to be lost. */
async function echo(address: string, sizes: readonly number[]): Promise<number[]> {
  const socket = createSocket('udp4');
  const echoed: number[] = [];
  for (const [index, size] of sizes.entries()) {
    const datagram = filled(size, index + 1);
    const limit = AbortSignal.timeout(PATIENCE_MS);
    const answer = once(socket, 'message', { signal: limit }).catch(() => []);
    socket.send(datagram, PORT, address);
    const [message] = await answer;
    if (message !== undefined && datagram.equals(message)) echoed.push(size);
  }
  socket.close();
  return echoed;
}

async function check(address: string, bytes: number, sizes: readonly number[]): Promise<TrafficResult> {
  const digest = digestOf(bytes);
  return {
    up: [digest, await upload(address, bytes)],
    down: [digest, await download(address, bytes)],
    echoed: await echo(address, sizes),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [verb, address = '', bytes, ...sizes] = process.argv.slice(2);
  if (verb === 'serve') serve();
  else process.stdout.write(`${JSON.stringify(await check(address, Number(bytes), sizes.map(Number)))}\n`);
}
