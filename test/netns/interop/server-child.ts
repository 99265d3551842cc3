/**
 * In a pod: `server-child.js <name> <port>`. By TCP it takes bytes until the other end has no more, then answers with a line
 * of JSON, {name, bytes, sha256}; by UDP it sends everything back. Writes "ready" when it listens.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

const [, , name = '', port = ''] = process.argv;

function answer(socket: Socket): void {
  const hash = createHash('sha256');
  let bytes = 0;
  socket.on('data', (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  socket.on('end', () => socket.end(`${JSON.stringify({ name, bytes, sha256: hash.digest('hex') })}\n`));
  socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
}

// allowHalfOpen: the answer goes back after the last byte came.
const server = createServer({ allowHalfOpen: true }, answer).listen(Number(port), '::');
const echo = createSocket({ type: 'udp6', recvBufferSize: 4 << 20 });
echo.on('message', (message, { address, port: from }) => echo.send(message, from, address));
echo.bind(Number(port), '::');
await Promise.all([once(server, 'listening'), once(echo, 'listening')]);
process.stdout.write('ready\n');
