import { createSocket } from 'node:dgram';
import test from 'ava';
import { TrafficProcess } from '../../lib/measure/traffic-process.ts';

const QUIET_MS = 200;

test('a trial ends although strangers go on sending to its port, and counts them apart', async (t) => {
  const receiver = new TrafficProcess(undefined);
  const port = 20_000 + (process.pid % 10_000);
  receiver.ask({
    type: 'receive',
    at: '127.0.0.1',
    port,
    payloadSize: 36,
    trial: 7,
    firstWithinMs: 10_000,
    quietMs: QUIET_MS,
  });
  await receiver.reply('listening');
  const socket = createSocket('udp4');
  const own = (sequence: number): Buffer => {
    const bytes = Buffer.alloc(36);
    bytes.writeUInt32BE(7, 0);
    bytes.writeUInt32BE(sequence, 4);
    return bytes;
  };
  const stranger = own(99);
  stranger.writeUInt32BE(6, 0);
  for (let sequence = 0; sequence < 5; sequence++) socket.send(own(sequence), port, '127.0.0.1');
  // Far more often than a trial's pause.
  const flood = setInterval(() => {
    for (const bytes of [stranger, Buffer.alloc(1), Buffer.alloc(40)]) socket.send(bytes, port, '127.0.0.1');
  }, QUIET_MS / 20);
  const { received, foreign } = await receiver.reply('received');
  clearInterval(flood);
  socket.close();
  await receiver.stop();
  t.is(received, 5);
  t.true(foreign > 0);
});
