import test from 'ava';
import { formatOverhead } from '../../../lib/cli/commands/overhead-report.ts';
import type { DirectionReport } from '../../../lib/observe/overhead/edge-pairs.ts';
import type { OverheadReport } from '../../../lib/observe/overhead/overhead.ts';

const NONE: DirectionReport = {
  packets: 0,
  paired: 0,
  bytes: 0,
  lost: 0,
  onTheWay: 0,
  strangers: 0,
  p50: null,
  p90: null,
  p99: null,
  max: null,
  mean: null,
  octaves: [],
};
const MANY: DirectionReport = {
  ...NONE,
  packets: 1_234_567,
  paired: 1_234_560,
  bytes: 1.6e9,
  lost: 7,
  p50: 41_000,
  p90: 63_000,
  p99: 140_000,
  max: 1_900_000,
  mean: 45_000,
  octaves: [...Array.from({ length: 15 }, () => 0), 1_204_560, 0, 30_000],
};
/** Of stages whose turns all took from 2^`octave` ns. */
const stage = (octave: number) => ({
  turns: 4,
  packets: 8,
  sum: 4 * 2 ** octave,
  buckets: [...Array.from({ length: octave }, () => 0), 4],
});
const EMPTY = { turns: 0, packets: 0, sum: 0, buckets: [] };

const REPORT: OverheadReport = {
  network: '',
  overlayDevice: 'flannel0',
  underlayDevice: 'eth0',
  seconds: 10,
  outbound: MANY,
  inbound: MANY,
  notSeen: 12_345,
  stages: {
    asleep: EMPTY,
    outbound: { wake: EMPTY, read: stage(11), code: stage(9), send: stage(12), frames: EMPTY },
    inbound: { wake: EMPTY, receive: EMPTY, code: EMPTY, write: EMPTY, messages: EMPTY },
  },
  drops: { 'no-route': 7 },
  daemonCpu: { userSeconds: 0.5, systemSeconds: 1.5 },
  machineCpuSeconds: 6.4,
  ownCpuSeconds: 2,
  notes: ['a note'],
};

test('what is seen in ten busy seconds fits 80 columns', (t) => {
  const text = formatOverhead(REPORT);
  t.is(
    text,
    `10 s between flannel0 and eth0
1,234,560 of 1,234,567 packets out and 1,234,560 of 1,234,567 in paired
at most 14 lost between the edges
weftd dropped 7 no-route
12,345 frames or packets came too fast to be looked at: they are in no figure,
or seem lost

         p50      p90       p99     Max
out  41.0 us  63.0 us  140.0 us  1.9 ms
in   41.0 us  63.0 us  140.0 us  1.9 ms

where, by the p50 of a turn
out  queue 31.6 us, read 2.9 us, our code 724 ns, send 5.8 us
in   the clock measured no turn

out, packets by time, from
  32.8 us |########################################   1,204,560
  65.5 us |                                                   0
 131.1 us |#                                             30,000

in, packets by time, from
  32.8 us |########################################   1,204,560
  65.5 us |                                                   0
 131.1 us |#                                             30,000

CPU of weftd      0.63 s per GB, 0.81 us a packet (user 25 %, kernel 75 %)
of the machine    2.00 s per GB, 2.59 us a packet, 2.00 s of it this command's
over 3.2 GB of inner packets, 1.3 kB each, in 10 s

note: a note
`,
  );
  for (const line of text.split('\n')) t.true(line.length <= 80, line);
});

test('what could not be measured is said and not drawn', (t) => {
  const quiet = formatOverhead({ ...REPORT, outbound: NONE, inbound: NONE, notSeen: 0, drops: {}, notes: [] });
  t.regex(quiet, /^out {2}no packet passed$/m);
  t.regex(quiet, /^No packet was paired: there is no figure for what one costs\. Does anything pass\?$/m);
  t.notRegex(quiet, /packets by time|dropped|too fast/);
  t.regex(formatOverhead({ ...REPORT, notSeen: 0 }), /^14 lost between the edges$/m);
  const few = formatOverhead({ ...REPORT, outbound: { ...MANY, bytes: 9_999_999 }, inbound: NONE });
  t.regex(few, /^CPU of weftd {6}1\.62 us a packet \(user/m, 'of so few bytes no figure for a GB');
  const one = formatOverhead({ ...REPORT, outbound: { ...MANY, paired: 200, bytes: 16_800 }, inbound: NONE });
  t.regex(one, /^of the machine {4}32\.0 ms a packet, /m, 'of few packets on a busy machine');
  t.regex(formatOverhead({ ...REPORT, daemonCpu: null }), /^CPU of weftd: it cannot be read from here$/m);
});
