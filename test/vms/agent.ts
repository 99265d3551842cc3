/** Runs in a guest, started by guest-init.sh: each connection is one command for bash. */
import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { AGENT_PORT, trailer } from './agent-protocol.ts';

createServer({ allowHalfOpen: true }, (socket) => {
  const chunks: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('end', () => answer(socket, Buffer.concat(chunks).toString()));
}).listen(AGENT_PORT, '0.0.0.0');

function answer(socket: Socket, command: string): void {
  const child = spawn('/bin/bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => socket.write(chunk));
  // Who asked has lost patience.
  socket.on('close', () => child.kill('SIGKILL'));
  child.on('error', (error) => socket.write(`${error.message}\n`));
  child.on('close', (code, signal) => {
    socket.end(trailer(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
