import test from 'ava';
import type { StageReply, StagesReply, StatsReply } from '../../lib/control/protocol.ts';
import { tickBetween } from '../../lib/watch/tick.ts';
import { STATS } from '../cli/replies.ts';

const DIRECTION = { received: 0, forwarded: 0, forwardedBytes: 0, reads: 0, writes: 0 };
const BEFORE: StatsReply = {
  ...STATS,
  at: '2026-01-01T00:00:00.000Z',
  outbound: { ...DIRECTION },
  inbound: { ...DIRECTION },
  drops: { 'no-route': 5, 'not-ip': 1 },
  peers: [
    { publicIp: '192.0.2.2', outboundPackets: 10, outboundBytes: 1000, inboundPackets: 0, inboundBytes: 0 },
    { publicIp: '192.0.2.3', outboundPackets: 500, outboundBytes: 500, inboundPackets: 500, inboundBytes: 500 },
  ],
  socketOverflow: 7,
  stages: null,
};
const NOW: StatsReply = {
  ...BEFORE,
  at: '2026-01-01T00:00:02.000Z',
  outbound: { received: 110, forwarded: 100, forwardedBytes: 8000, reads: 11, writes: 20 },
  drops: { 'no-route': 15, 'not-ip': 1 },
  peers: [
    { publicIp: '192.0.2.2', outboundPackets: 110, outboundBytes: 9000, inboundPackets: 0, inboundBytes: 0 },
    { publicIp: '192.0.2.3', outboundPackets: 4, outboundBytes: 400, inboundPackets: 0, inboundBytes: 0 },
    { publicIp: '192.0.2.4', outboundPackets: 0, outboundBytes: 0, inboundPackets: 0, inboundBytes: 0 },
  ],
  socketOverflow: 9,
};

test('rates are of the time between the two readings, and only what happened is there', (t) => {
  const before = { stats: BEFORE, cpu: { seconds: 1, atMs: 1000 } };
  t.deepEqual(tickBetween(before, { stats: NOW, cpu: { seconds: 1.5, atMs: 3000 } }), {
    at: NOW.at,
    seconds: 2,
    outbound: { packets: 50, bytes: 4000, packetsPerRead: 10, packetsPerWrite: 5 },
    inbound: { packets: 0, bytes: 0, packetsPerRead: null, packetsPerWrite: null },
    drops: { 'no-route': 5 },
    socketOverflow: 1,
    peers: [
      { publicIp: '192.0.2.2', outboundPackets: 50, outboundBytes: 4000, inboundPackets: 0, inboundBytes: 0 },
      // It was away, and counts from 0.
      { publicIp: '192.0.2.3', outboundPackets: 2, outboundBytes: 200, inboundPackets: 0, inboundBytes: 0 },
    ],
    cpu: 0.25,
    stages: null,
  });
});

test('counters that went back, and readings of one moment, are no tick', (t) => {
  const reading = (stats: StatsReply) => ({ stats, cpu: undefined });
  t.is(tickBetween(reading(NOW), reading({ ...BEFORE, at: '2026-01-01T00:00:03.000Z' })), undefined);
  t.is(tickBetween(reading(BEFORE), reading(BEFORE)), undefined);
  t.is(tickBetween(reading(BEFORE), reading(NOW))?.cpu, null);
});

test('the stage clock is that of the time between', (t) => {
  const stages = (turns: number): StagesReply => {
    const stage: StageReply = { turns, packets: 2 * turns, sum: 100 * turns, buckets: [0, turns] };
    return {
      asleep: stage,
      outbound: { wake: stage, read: stage, code: stage, send: stage, frames: stage },
      inbound: { wake: stage, receive: stage, code: stage, write: stage, messages: stage },
    };
  };
  const tick = tickBetween(
    { stats: { ...BEFORE, stages: stages(3) }, cpu: undefined },
    { stats: { ...NOW, stages: stages(10) }, cpu: undefined },
  );
  t.deepEqual(tick?.stages?.outbound.send, { turns: 7, packets: 14, sum: 700, buckets: [0, 7] });
});
