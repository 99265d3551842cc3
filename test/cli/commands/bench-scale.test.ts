import test from 'ava';
import { formatScale } from '../../../lib/cli/commands/bench-scale.ts';

test('each scale is a table, and what was not measured is none', (t) => {
  t.deepEqual(formatScale({ routes: [], peers: [], leases: [] }), []);
  const texts = formatScale({
    routes: [
      { routes: 2, nanosecondsPerLookup: 3.7, loadMs: 1.25 },
      { routes: 100_000, nanosecondsPerLookup: 4.21, loadMs: 80 },
    ],
    peers: [
      {
        peers: 1000,
        knownSeconds: 1.5,
        packetsPerSecond: 140_000,
        limit: 'sender',
        residentBytes: 121e6,
        restCpuShare: 0.024,
      },
    ],
    leases: [
      { perSecond: 0, leases: 0, gigabitsPerSecond: 6.5, lastSeconds: 0 },
      { perSecond: 1000, leases: 3000, gigabitsPerSecond: 6.1, lastSeconds: 0.062 },
    ],
  });
  t.deepEqual(texts, [
    `Routes: a lookup in the packet code, and building the whole table
 Routes  ns a lookup  built in ms
      2         3.70          1.3
100,000         4.21         80.0
`,
    `Peers: 64-byte packets to a real one among others that only have a lease
Peers  packets/s  limited by  resident  CPU at rest  known after s
1,000    140,000      sender  121.0 MB        2.4 %           1.50
`,
    `Leases that arrive beside one TCP stream
Leases/s  leases  TCP Gb/s  last one known after s
       0       0      6.50                       -
   1,000   3,000      6.10                   0.062
`,
  ]);
});
