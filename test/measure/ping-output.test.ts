import { readFileSync } from 'node:fs';
import test from 'ava';
import { readPingOutput } from '../../lib/measure/ping-output.ts';

const vector = (name: string) => readFileSync(`test/vectors/measure/${name}`, 'utf8');

test('every reply in the output of ping is read', (t) => {
  t.deepEqual(readPingOutput(vector('ping-five.txt')), {
    sent: 5,
    received: 5,
    rttMs: [0.016, 0.01, 0.007, 0.007, 0.01],
  });
});

test('lost echoes are missing among the round-trip times', (t) => {
  t.deepEqual(readPingOutput(vector('ping-lossy.txt')), { sent: 5, received: 3, rttMs: [0.024, 0.035, 0.027] });
});

test('ICMP errors in the output of ping are no replies', (t) => {
  t.deepEqual(readPingOutput(vector('ping-unreachable.txt')), { sent: 6, received: 0, rttMs: [] });
});

test('output of ping without a summary is refused', (t) => {
  t.throws(() => readPingOutput('ping: unknown host'), { code: 'PING_OUTPUT' });
});
