/** The traffic process: sends or counts numbered UDP datagrams, on request (lib/measure/traffic-protocol.ts). */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Ipv4, parseIpv4 } from '../addr/ipv4.ts';
import { messageOf, WeftError } from '../error.ts';
import { DATAGRAM_BATCH, DatagramReceiver, DatagramSender, STAMP_SIZE } from '../sys/datagrams.ts';
import { BlockingSleep } from '../sys/sleep.ts';
import { ArrivalRecord } from './arrival-record.ts';
import {
  MAKE_UP_MS,
  PACING_INTERVAL_US,
  RECEIVE_INTERVAL_US,
  type ReceiveReply,
  type ReceiveRequest,
  type SendReply,
  type SendRequest,
  SOCKET_BUFFER_BYTES,
  type TrafficReply,
  type TrafficRequest,
} from './traffic-protocol.ts';

function reply(message: TrafficReply): void {
  // Written at once: the process blocks in system calls next, so a stream's own turn would come too late.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

function addressOf(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new RangeError(`"${text}" is not an IPv4 address`);
  return address;
}

function send(request: SendRequest): SendReply {
  const sender = new DatagramSender(addressOf(request.to), request.port, request.payloadSize, SOCKET_BUFFER_BYTES);
  const sleep = new BlockingSleep();
  const pacingUs = request.pacingUs ?? PACING_INTERVAL_US;
  const rate = request.rate ?? Number.POSITIVE_INFINITY;
  const mostDue = Math.max(DATAGRAM_BATCH, Math.ceil((rate * Math.max(MAKE_UP_MS * 1000, 2 * pacingUs)) / 1e6));
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let sent = 0;
  let forgone = 0;
  for (let now = 0; now < request.seconds; now = elapsed()) {
    let due = DATAGRAM_BATCH;
    if (request.rate !== null) {
      due = Math.floor(now * rate) + 1 - sent - forgone;
      if (due > mostDue) {
        forgone += due - mostDue;
        due = mostDue;
      }
      if (due <= 0) {
        sleep.microseconds(pacingUs);
        continue;
      }
    }
    sent += sender.send(request.trial, sent, Math.min(due, DATAGRAM_BATCH));
    if (due < DATAGRAM_BATCH) sleep.microseconds(pacingUs);
  }
  const seconds = elapsed();
  sender.close();
  return { type: 'sent', sent, seconds };
}

function receive(request: ReceiveRequest): ReceiveReply {
  const { at, port, payloadSize, trial, firstWithinMs, quietMs } = request;
  // One byte more than expected, so that a longer datagram is seen to be longer.
  const receiver = new DatagramReceiver(
    port,
    payloadSize + 1,
    SOCKET_BUFFER_BYTES,
    at === undefined ? 0 : addressOf(at),
  );
  const sleep = new BlockingSleep();
  reply({ type: 'listening' });
  const record = new ArrivalRecord();
  let foreign = 0;
  let patience = firstWithinMs;
  let lastArrival = performance.now();
  for (;;) {
    const count = receiver.receive();
    const now = performance.now();
    for (let i = 0; i < count; i++) {
      if (receiver.length(i) !== payloadSize || receiver.trial(i) !== trial) {
        foreign++;
        continue;
      }
      record.add(receiver.sequence(i));
      lastArrival = now;
      patience = quietMs;
    }
    // What is not of this trial does not make it last: a stranger that goes on sending would have no end.
    if (now - lastArrival > patience) break;
    if (count === 0) sleep.microseconds(RECEIVE_INTERVAL_US);
  }
  receiver.close();
  return { type: 'received', ...record.counts, foreign };
}

function perform(request: TrafficRequest): TrafficReply {
  if (request.payloadSize < STAMP_SIZE) throw new RangeError(`payload of ${request.payloadSize} bytes has no room`);
  return request.type === 'send' ? send(request) : receive(request);
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    reply(perform(JSON.parse(line) as TrafficRequest));
  } catch (error) {
    reply({
      type: 'failed',
      code: error instanceof WeftError ? error.code : 'TRAFFIC_FAILED',
      message: messageOf(error),
    });
  }
}
