import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { DATAGRAM_BATCH, DatagramReceiver, DatagramSender } from '../../lib/sys/datagrams.ts';
import { PATIENCE_MS } from '../patience.ts';

const LOOPBACK = parseIpv4('127.0.0.1')!;
const PAYLOAD = 36;
const BUFFER = 1 << 20;
// Below the range of ephemeral ports; the files of test/sys run in processes of their own, one port each.
const PORT = 21_847;

async function collect(receiver: DatagramReceiver, wanted: number): Promise<{ sequences: number[]; trials: number[] }> {
  const sequences: number[] = [];
  const trials: number[] = [];
  for (const deadline = performance.now() + PATIENCE_MS; sequences.length < wanted && performance.now() < deadline; ) {
    const count = receiver.receive();
    for (let i = 0; i < count; i++) {
      sequences.push(receiver.sequence(i));
      trials.push(receiver.trial(i));
    }
    if (count === 0) await delay(2);
  }
  return { sequences, trials };
}

test.serial('batches arrive whole, numbered, in order, and an empty socket gives nothing', async (t) => {
  const receiver = new DatagramReceiver(PORT, PAYLOAD + 1, BUFFER);
  const sender = new DatagramSender(LOOPBACK, PORT, PAYLOAD, BUFFER);
  t.is(receiver.receive(), 0);
  t.is(sender.send(7, 100, DATAGRAM_BATCH), DATAGRAM_BATCH);
  t.is(sender.send(7, 100 + DATAGRAM_BATCH, 3), 3);
  const { sequences, trials } = await collect(receiver, DATAGRAM_BATCH + 3);
  t.deepEqual(
    sequences,
    Array.from({ length: DATAGRAM_BATCH + 3 }, (_, index) => 100 + index),
  );
  t.deepEqual([...new Set(trials)], [7]);
  t.is(sender.send(8, 0, 1), 1);
  t.is((await collect(receiver, 1)).sequences.length, 1);
  t.is(receiver.length(0), PAYLOAD);
  sender.close();
  receiver.close();
});

test.serial('a receiver at one address gets nothing that was sent to another', async (t) => {
  const receiver = new DatagramReceiver(PORT, PAYLOAD, BUFFER, LOOPBACK);
  const elsewhere = new DatagramReceiver(PORT, PAYLOAD, BUFFER, LOOPBACK + 1);
  const sender = new DatagramSender(LOOPBACK + 1, PORT, PAYLOAD, BUFFER);
  t.is(sender.send(1, 5, 1), 1);
  t.deepEqual((await collect(elsewhere, 1)).sequences, [5]);
  t.is(receiver.receive(), 0);
  t.throws(() => new DatagramReceiver(PORT, PAYLOAD, BUFFER, LOOPBACK), {
    code: 'EADDRINUSE',
    message: /UDP 127.0.0.1:21847/,
  });
  for (const end of [sender, receiver, elsewhere]) end.close();
});

test.serial('a peer that does not listen takes nothing from the sender but that one call', async (t) => {
  const sender = new DatagramSender(LOOPBACK, PORT, PAYLOAD, BUFFER);
  let taken = 0;
  for (let i = 0; i < 20; i++) taken += sender.send(1, i, 1);
  t.true(taken > 0 && taken < 20, String(taken));
  sender.close();
});

test.serial('a port that is taken is named in the error', (t) => {
  const receiver = new DatagramReceiver(PORT, PAYLOAD, BUFFER);
  t.throws(() => new DatagramReceiver(PORT, PAYLOAD, BUFFER), { code: 'EADDRINUSE', message: /UDP port 21847/ });
  receiver.close();
});
