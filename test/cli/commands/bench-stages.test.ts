import test from 'ava';
import { toStageRows } from '../../../lib/bench/stage-times.ts';
import { formatStageCosts } from '../../../lib/cli/commands/bench-stages.ts';

test('a packet of TCP and one of 64 bytes, by path: the sum of the stages, and what of it is our code', (t) => {
  const place = { setting: 'free', test: 'tcp1', path: 'weft-udp' } as const;
  const receiver = { 'wake-up': 100, receive: 300, code: 150.4, write: 700 };
  const rows = toStageRows([
    { ...place, stages: { sender: { 'wake-up': 1, read: 2, code: 3, send: 4 }, receiver } },
    { ...place, path: 'kernel-to-weft', stages: { receiver } },
    { ...place, test: 'udp64', stages: { receiver } },
    { ...place, test: 'tcp4', stages: { receiver } },
    { ...place, setting: 'one-core', stages: { receiver } },
  ]);
  t.is(
    formatStageCosts(rows),
    `Time of weftd for a packet, ns, free: without what it waits in queues
Test   Path            sender  our code  receiver  our code
tcp1   weft-udp            10         3     1,250       150
tcp1   kernel-to-weft       -         -     1,250       150
udp64  weft-udp             -         -     1,250       150
`,
  );
  t.is(formatStageCosts([]), '');
  t.is(formatStageCosts(undefined), '');
});
