import test from 'ava';
import { PLAIN } from '../../lib/cli/style.ts';
import { LEAST_COLUMNS, LEAST_ROWS, type TopView, topScreen } from '../../lib/cli/top-screen.ts';
import type { Peer } from '../../lib/control/protocol.ts';
import { Minute } from '../../lib/watch/minute.ts';
import type { Tick } from '../../lib/watch/tick.ts';
import { PEERS, STATUS } from './replies.ts';

const SIZE = { rows: 24, columns: 80 };

const TICK: Tick = {
  at: '2026-11-22T11:00:00.000Z',
  seconds: 1,
  outbound: { packets: 12_345, bytes: 2_000_000, packetsPerRead: 12.25, packetsPerWrite: 64 },
  inbound: { packets: 0.4, bytes: 20, packetsPerRead: null, packetsPerWrite: null },
  drops: { 'not-ip': 0.5, 'no-route': 12 },
  socketOverflow: 3,
  peers: [{ publicIp: '192.0.2.2', outboundPackets: 10, outboundBytes: 1e6, inboundPackets: 0, inboundBytes: 0 }],
  cpu: 0.42,
  stages: null,
};

function view(change: Partial<TopView> = {}): TopView {
  const minute = new Minute();
  minute.push(TICK);
  const common = { gone: undefined, order: 'traffic', scrolled: 0, clock: '12:31:07' } as const;
  return { status: STATUS, peers: PEERS.peers, minute, ...common, ...change };
}

const peer = (number: number, health: Partial<NonNullable<Peer['health']>> | null): Peer => ({
  ...PEERS.peers[0]!,
  publicIp: `192.0.2.${number}`,
  subnet: `10.244.${number}.0/24`,
  health:
    health === null
      ? null
      : {
          over: 'overlay',
          rttMs: 0.25,
          loss: 0,
          probes: 20,
          lastSeen: null,
          pathMtu: null,
          pathMtuDirection: null,
          underlayRttMs: null,
          ...health,
        },
});

test('node, rates, drops, batch sizes, CPU and peers are on one screen of 80 columns', (t) => {
  const lines = topScreen(view(), SIZE, PLAIN);
  const text = lines.join('\n');
  t.regex(lines[0]!, /^weft top {2}192\.0\.2\.1 {2}udp {2}10\.244\.0\.0\/16 {2}ready .* 12:31:07$/);
  t.regex(text, /^ out +12,345 packets\/s +16\.0 Mb\/s +12\.3 packets a read, 64\.0 a write$/m);
  t.regex(text, /^ in +0\.4 packets\/s +160 b\/s +- packets a read, - a write$/m);
  t.regex(text, /^ drops {2}no-route 12\/s, not-ip 0\.5\/s, socket full 3\.0\/s$/m);
  t.regex(text, /CPU now 42 % of a core$/m);
  t.regex(text, /^192\.0\.2\.2 +10\.244\.99\.0\/24 +8\.0 Mb\/s +0 b\/s +- +- +█$/m);
  t.regex(text, /^192\.0\.2\.130 .* ignored: its backend/m);
  t.deepEqual(
    lines.filter((line) => line.length > 80),
    [],
  );
});

test('no size makes it longer, wider or break', (t) => {
  const many = Array.from({ length: 300 }, (_, number) => peer(number, {}));
  const alarms = Array.from({ length: 30 }, (_, number) => `Alarm ${number} ${'that is a long sentence '.repeat(9)}`);
  for (const rows of [0, 1, LEAST_ROWS - 1, LEAST_ROWS, 24, 60])
    for (const columns of [0, 5, LEAST_COLUMNS - 1, LEAST_COLUMNS, 80, 200])
      for (const status of [undefined, STATUS, { ...STATUS, alarms }]) {
        const lines = topScreen(view({ peers: many, status, scrolled: 290 }), { rows, columns }, PLAIN);
        const isSmall = rows < LEAST_ROWS || columns < LEAST_COLUMNS;
        t.true(lines.length <= Math.max(1, rows - 1), `${lines.length} lines of ${rows}`);
        t.true(lines.every((line) => line.length <= columns));
        if (isSmall)
          t.regex(lines.join(''), columns > 50 ? /^weft top needs 60 x 12; this is \d+ x \d+$/ : /^w?e?f?t?/);
        else if (status !== undefined) t.regex(lines.at(-1)!, /of 300 peers/);
      }
});

test('peers are ordered as asked, and what is alike by address', (t) => {
  const peers = [peer(30, { rttMs: 5 }), peer(4, { loss: 0.5 }), peer(2, null), peer(100, { rttMs: 50 })];
  const shown = (order: TopView['order']): (string | undefined)[] =>
    topScreen(view({ peers, order }), SIZE, PLAIN).flatMap((line) => /^192\.0\.2\.\d+(?= +10)/.exec(line)?.[0] ?? []);
  const of = (...numbers: number[]): string[] => numbers.map((number) => `192.0.2.${number}`);
  t.deepEqual(shown('traffic'), of(2, 4, 30, 100));
  t.deepEqual(shown('rtt'), of(100, 30, 4, 2));
  t.deepEqual(shown('loss'), of(4, 30, 100, 2));
  t.deepEqual(shown('peer'), of(2, 4, 30, 100));
});

test('a daemon that does not answer, and one that waits, say so in words', (t) => {
  const gone = { message: 'No control socket at /run/weft/weft.sock', hint: 'is weftd running?' };
  const lines = topScreen(view({ gone }), SIZE, PLAIN);
  t.regex(lines[0]!, / no answer /);
  t.deepEqual(lines.slice(1, 3), [gone.message, gone.hint]);
  const waitingFor = { code: 'CONFIG_MISSING', message: 'no configuration', hint: null, since: '', attempts: 1 };
  t.is(topScreen(view({ status: { ...STATUS, waitingFor } }), SIZE, PLAIN)[1], 'CONFIG_MISSING: no configuration');
});
