/** A crowd at a port, for health-crowd.test.ts: `node strangers.js <port> <count> <first bytes> <sources>`. What is cut comes again at once. */
import { connect } from 'node:net';

const [port, count, words, sources] = process.argv.slice(2);
let opened = 0;

function open(number: number): void {
  // Of one source the address is the probe's own.
  const localAddress = `127.0.0.${1 + (number % Number(sources))}`;
  const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress }, () => {
    opened++;
    if (opened === Number(count)) process.stdout.write('all have been there\n');
    if (words !== '') socket.write(words ?? '');
  });
  socket.on('data', () => undefined);
  socket.on('error', () => undefined);
  socket.on('close', () => open(number));
}

for (let number = 0; number < Number(count); number++) open(number);
