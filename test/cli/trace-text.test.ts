import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { terminalStyle } from '../../lib/cli/style.ts';
import { formatTrace } from '../../lib/cli/trace-text.ts';
import type { Point } from '../../lib/observe/trace/model.ts';
import type { TraceReport } from '../../lib/observe/trace/trace.ts';

const point = (place: string, device: string, nanoseconds: number, more: Partial<Point> = {}): Point => ({
  host: 'here',
  place,
  device,
  direction: 'out',
  kind: 'probe',
  seconds: 1,
  nanoseconds,
  bytes: 84,
  note: 'TTL 64',
  by: null,
  icmp: null,
  ...more,
});

const LOST = { arrived: false, code: 'dropped-no-route', text: 'does not arrive: weftd drops it', hint: 'weft peers' };

const REPORT: TraceReport = {
  source: '10.244.1.2',
  destination: '10.244.2.2',
  network: '',
  peer: '192.0.2.2',
  transport: 'icmp',
  port: null,
  tables: [
    { name: 'weftd', text: '0.1.0, ready', state: 'ok' },
    { name: 'lease', text: 'no lease has 10.244.2.2: no node holds that subnet', state: 'fault' },
    { name: 'forward', text: 'the firewall is not known', state: 'unknown' },
  ],
  suspects: [],
  wire: null,
  probes: [{ size: 84, points: [point('pod veth', 'veth', 0), point('weftd', '', 9000)], answer: LOST }],
  notes: [],
  answer: LOST,
};

test('a drop reason is explained by the sentence of its counter', (t) => {
  const lines = formatTrace(REPORT).split('\n');
  const at = lines.indexOf('does not arrive: weftd drops it');
  t.true(at > 0);
  t.regex(lines[at + 1]!, /^ {2}no-route: No peer holds the subnet of the destination;/);
  t.is(lines.at(-2), '  try: weft peers');
  // Of a newer weftd: nothing is known of it here.
  const strange = { ...LOST, code: 'dropped-bad-luck' };
  t.regex(formatTrace({ ...REPORT, answer: strange }), /\n {2}bad-luck\n/);
});

test('colour adds to what is there in words, and changes no column', (t) => {
  const style = terminalStyle({ isTTY: true }, {});
  const coloured = formatTrace(REPORT, style);
  const plain = formatTrace(REPORT);
  t.true(coloured.includes('\u001b[31mFAULT\u001b[39m'));
  t.true(coloured.includes('\u001b[31mdoes not arrive\u001b[39m: '));
  t.is(stripVTControlCharacters(coloured), plain);
  for (const line of plain.split('\n')) t.true(line.length <= 80, line);
});
