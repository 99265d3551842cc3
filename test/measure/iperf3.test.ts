import { readFileSync } from 'node:fs';
import test from 'ava';
import { WeftError } from '../../lib/error.ts';
import { clientArguments, readIperf3Report, serverArguments } from '../../lib/measure/iperf3.ts';

const vector = (name: string) => readFileSync(`test/vectors/measure/${name}`, 'utf8');

test('a report of iperf3 gives rate, bytes of the whole run, retransmits and congestion control', (t) => {
  const result = readIperf3Report(vector('iperf3-4-streams.json'));
  t.is(Math.round(result.bitsPerSecond / 1e6), 20196);
  t.is(result.retransmits, 0);
  t.is(result.congestionControl, 'cubic');
  t.is(result.mss, 1448);
  // The omitted second counts for what the CPU did: the sums of both intervals.
  t.is(result.totalBytes, sumOfIntervals(vector('iperf3-4-streams.json')));
  t.true(result.totalBytes > 2469396480);
});

test('where both send, both directions count, and what came back is told apart', (t) => {
  const text = vector('iperf3-both-ways.json').replaceAll('"bbr"', '"cubic"');
  const result = readIperf3Report(text);
  t.is(Math.round(result.bitsPerSecond / 1e6), 7383);
  t.is(Math.round(result.backBitsPerSecond / 1e6), 3556);
  t.is(result.retransmits, 8 + 2);
  t.is(result.totalBytes, sumOfIntervals(text));
  t.is(readIperf3Report(vector('iperf3-4-streams.json')).backBitsPerSecond, 0);
});

function sumOfIntervals(report: string): number {
  const { intervals } = JSON.parse(report) as { intervals: { streams: { bytes: number }[] }[] };
  return intervals.flatMap(({ streams }) => streams).reduce((sum, { bytes }) => sum + bytes, 0);
}

test("a run that iperf3 gave up ends with iperf3's own words", (t) => {
  const error = t.throws(() => readIperf3Report(vector('iperf3-refused.json')), { instanceOf: WeftError });
  t.is(error.code, 'IPERF3_FAILED');
  t.regex(error.message, /unable to connect to server: Connection refused/);
});

test('what is not a report is refused and quoted', (t) => {
  const error = t.throws(() => readIperf3Report('iperf3: command not found'), { instanceOf: WeftError });
  t.is(error.code, 'IPERF3_REPORT');
  t.regex(error.message, /command not found/);
  t.throws(() => readIperf3Report('{}'), { code: 'IPERF3_REPORT' });
});

test('iperf3 gets the congestion control, the omitted second and the number of streams', (t) => {
  t.is(
    clientArguments({ server: '10.0.0.2', port: 5201, streams: 4, seconds: 3 }).join(' '),
    '--client 10.0.0.2 --port 5201 --congestion cubic --parallel 4 --time 3 --omit 1 --connect-timeout 3000 --json',
  );
  const reverse = clientArguments({ server: '10.0.0.2', port: 5201, streams: 1, seconds: 1, reverse: true });
  t.true(reverse.includes('--reverse'));
  const paced = clientArguments({
    server: '10.0.0.2',
    port: 5201,
    streams: 2,
    seconds: 1,
    bitsPerSecond: 3e9,
    bothWays: true,
  });
  t.true(paced.join(' ').endsWith('--bitrate 1500000000 --bidir --json'), paced.join(' '));
  t.is(serverArguments(5201).join(' '), '--server --one-off --forceflush --port 5201');
  t.is(serverArguments(5201, '192.0.2.2').join(' '), '--server --one-off --forceflush --bind 192.0.2.2 --port 5201');
});
