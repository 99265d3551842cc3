import test from 'ava';
import { stageTimes, toStageRows } from '../../lib/bench/stage-times.ts';
import type { StageReply, StagesReply } from '../../lib/control/protocol.ts';

const none: StageReply = { turns: 0, packets: 0, sum: 0, buckets: [] };

/** `packets` of `turns` turns each way, each stage so many nanoseconds in all. */
function stages(turns: number, packets: number, each: number): StagesReply {
  const stage: StageReply = { turns, packets, sum: each, buckets: [turns] };
  const wake: StageReply = { turns, packets: 0, sum: each * 2, buckets: [turns] };
  return {
    asleep: { turns, packets: 0, sum: 0, buckets: [] },
    outbound: { wake, read: stage, code: stage, send: { ...stage, sum: each * 3 }, frames: none },
    inbound: { wake, receive: stage, code: { ...stage, sum: each * 4 }, write: stage, messages: none },
  };
}

const READING = { sender: stages(10, 100, 5000), receiver: stages(10, 100, 5000) };

test('a packet costs in each stage what its turns took since the first reading, a wake-up shared by all packets', (t) => {
  const after = { sender: stages(30, 300, 25_000), receiver: stages(20, 150, 10_000) };
  t.deepEqual(stageTimes(READING, after), {
    sender: { 'wake-up': 200, read: 100, code: 100, send: 300 },
    receiver: { 'wake-up': 200, receive: 100, code: 400, write: 100 },
  });
});

test('an end without a weftd, and one that no measured turn has passed, has no times', (t) => {
  t.deepEqual(stageTimes(READING, READING), {});
  t.deepEqual(
    stageTimes({ sender: null, receiver: READING.receiver }, { sender: null, receiver: stages(20, 200, 6000) }),
    {
      receiver: { 'wake-up': 20, receive: 10, code: 40, write: 10 },
    },
  );
});

test('rounds become rows: the stages of a side in the order of a turn, with their spread', (t) => {
  const sample = (code: number) => ({
    setting: 'free' as const,
    test: 'tcp1' as const,
    path: 'weft-udp' as const,
    stages: { receiver: { 'wake-up': 1, receive: 2, code, write: 3 } },
  });
  const rows = toStageRows([sample(10), sample(30), sample(20), { setting: 'free', test: 'rtt', path: 'weft-udp' }]);
  t.deepEqual(
    rows.map(({ side, stage, median }) => `${side} ${stage} ${median}`),
    ['receiver wake-up 1', 'receiver receive 2', 'receiver code 20', 'receiver write 3'],
  );
  t.deepEqual(rows[2], {
    setting: 'free',
    test: 'tcp1',
    path: 'weft-udp',
    side: 'receiver',
    stage: 'code',
    unit: 'ns/packet',
    samples: [10, 30, 20],
    median: 20,
    min: 10,
    max: 30,
    deviation: 10,
  });
});
