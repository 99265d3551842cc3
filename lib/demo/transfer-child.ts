/** One end of the demo's transfers, inside a pod: random bytes by TCP or UDP, and the hash of what was sent or came. */
import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error.ts';
import type { ChildReply, ChildRequest, DoneReply, TransferRequest, UdpSendRequest } from './protocol.ts';

const CHUNK = 64 * 1024;
const NUMBER_BYTES = 4;
const PACING_MS = 2;
const RECEIVE_BUFFER = 4 * 1024 * 1024;

function reply(message: ChildReply): void {
  process.send?.(message);
}

/** What goes through one end, from its first byte on. */
class Content {
  readonly #hash = createHash('sha256');
  readonly #start = performance.now();
  bytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  done(datagrams: number, seconds = (performance.now() - this.#start) / 1000): DoneReply {
    return { type: 'done', bytes: this.bytes, datagrams, sha256: this.#hash.digest('hex'), seconds };
  }
}

async function receiveTcp(port: number): Promise<DoneReply> {
  const server = createServer().listen(port);
  await once(server, 'listening');
  reply({ type: 'ready', linkType: 0 });
  const [socket] = (await once(server, 'connection')) as [AsyncIterable<Uint8Array>];
  server.close();
  const content = new Content();
  for await (const chunk of socket) content.add(chunk);
  return content.done(0);
}

async function sendTcp(to: string, port: number, bytes: number): Promise<DoneReply> {
  const socket = connect(port, to);
  await once(socket, 'connect');
  const content = new Content();
  while (content.bytes < bytes) {
    const chunk = randomBytes(Math.min(CHUNK, bytes - content.bytes));
    content.add(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'close');
  return content.done(0);
}

/** Ends when all have come, or when all have been sent and nothing more comes. */
async function receiveUdp(port: number, datagrams: number): Promise<DoneReply> {
  const socket = await bindUdp(port);
  const parts = new Map<number, Buffer>();
  let first = 0;
  let last = 0;
  const all = new Promise<void>((resolve) => {
    let quiet: NodeJS.Timeout | undefined;
    process.on('message', (request: ChildRequest) => {
      if (request.type === 'finish') quiet = setTimeout(resolve, request.quietMs);
    });
    socket.on('message', (message: Buffer) => {
      last = performance.now();
      if (parts.size === 0) first = last;
      parts.set(message.readUInt32BE(0), message.subarray(NUMBER_BYTES));
      quiet?.refresh();
      if (parts.size === datagrams) resolve();
    });
    socket.on('close', () => clearTimeout(quiet));
  });
  reply({ type: 'ready', linkType: 0 });
  await all;
  socket.close();
  const content = new Content();
  for (const [, part] of [...parts].sort(([a], [b]) => a - b)) content.add(part);
  return content.done(parts.size, (last - first) / 1000);
}

async function bindUdp(port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER });
  socket.bind(port);
  await once(socket, 'listening');
  return socket;
}

async function sendUdp(request: UdpSendRequest): Promise<DoneReply> {
  const { to, port, datagrams, flows, payloadSize, perSecond } = request;
  const sockets = await Promise.all(Array.from({ length: flows }, () => connectUdp(to, port)));
  const content = new Content();
  // What a turn that came late left out is not made up for: a burst would fill the sockets on the way.
  const perTurn = Math.ceil((PACING_MS / 1000) * perSecond);
  for (let sent = 0; sent < datagrams; await delay(PACING_MS)) {
    const due = Math.min(datagrams, sent + perTurn);
    for (; sent < due; sent++) {
      const datagram = randomBytes(payloadSize);
      datagram.writeUInt32BE(sent, 0);
      content.add(datagram.subarray(NUMBER_BYTES));
      await sendOne(sockets[sent % flows]!, datagram);
    }
  }
  for (const socket of sockets) socket.close();
  return content.done(datagrams);
}

async function connectUdp(to: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.connect(port, to);
  await once(socket, 'connect');
  return socket;
}

function sendOne(socket: Socket, datagram: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(datagram, (error) => (error === null ? resolve() : reject(error)));
  });
}

function transfer(request: TransferRequest): Promise<DoneReply> {
  switch (request.type) {
    case 'tcp-receive':
      return receiveTcp(request.port);
    case 'tcp-send':
      return sendTcp(request.to, request.port, request.bytes);
    case 'udp-receive':
      return receiveUdp(request.port, request.datagrams);
    case 'udp-send':
      return sendUdp(request);
  }
}

process.on('message', (request: ChildRequest) => {
  if (request.type === 'capture' || request.type === 'finish') return;
  transfer(request).then(reply, (error: unknown) =>
    reply({ type: 'failed', code: 'TRANSFER_FAILED', message: messageOf(error), hint: null }),
  );
});
// The demo has gone, and whatever this end waits for will not come.
process.once('disconnect', () => process.kill(process.pid));
