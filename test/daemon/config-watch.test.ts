import test from 'ava';
import { ConfigWatch, configChanges } from '../../lib/daemon/config-watch.ts';
import { WeftError } from '../../lib/error.ts';
import type { Fault } from '../../lib/faults.ts';
import { until } from '../../lib/lab/until.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../lib/lease/network-config.ts';

const BEFORE = '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":7}}';

const changes: readonly (readonly [after: string, changes: readonly string[]])[] = [
  ['{"backend":{"vni":7,"TYPE":"VXLAN"},"SubnetLen":24,"Network":"10.244.0.0/16","Unknown":1}', []],
  [
    '{"Network":"10.244.0.0/16","SubnetLen":26,"Backend":{"Type":"vxlan","VNI":7}}',
    [
      'SubnetLen 24 to 26',
      'SubnetMin 10.244.1.0/24 to 10.244.0.64/26',
      'SubnetMax 10.244.255.0/24 to 10.244.255.192/26',
    ],
  ],
  ['{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":8}}', ['Backend.VNI 7 to 8']],
  [
    '{"Network":"10.244.0.0/16","Backend":{"Type":"udp"}}',
    ['Backend.Type "vxlan" to "udp"', 'Backend.VNI 7 to not given'],
  ],
  [
    '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":7,"Port":4789,"x\\u001b":"\\u001b[31m"}}',
    ['Backend.Port not given to 4789', 'Backend.x\\u001b not given to "\\u001b[31m"'],
  ],
];
for (const [after, expected] of changes)
  test(`what changes is named, field by field: ${after} (N8)`, (t) => {
    t.deepEqual(configChanges(parseNetworkConfig(BEFORE), parseNetworkConfig(after)), expected);
  });

test('IPv6 that is switched on is a change with its prefixes (N8)', (t) => {
  const after = parseNetworkConfig(BEFORE.replace('{', '{"EnableIPv6":true,"IPv6Network":"fd00::/48",'));
  t.deepEqual(configChanges(parseNetworkConfig(BEFORE), after).slice(0, 2), [
    'EnableIPv6 false to true',
    'IPv6Network not given to fd00::/48',
  ]);
});

test('a changed configuration is an alarm until it is as before; what cannot be read says nothing (N8)', async (t) => {
  const running = parseNetworkConfig(BEFORE);
  const unreachable = (): never => {
    throw new WeftError('STORE_UNREACHABLE', 'gone');
  };
  const missing = (): never => {
    throw new WeftError('CONFIG_MISSING', 'No network configuration at /x/config');
  };
  const changed = (): NetworkConfig => parseNetworkConfig(BEFORE.replace('7', '8'));
  const answers: (() => NetworkConfig)[] = [changed, unreachable, missing, () => running];
  const reports: (readonly Fault[])[] = [];
  const watch = new ConfigWatch({
    running,
    key: '/x/config',
    read: async () => (answers.shift() ?? unreachable)(),
    faults: { report: (_part, faults) => reports.push(faults) },
    intervalMs: 1,
  });
  t.teardown(() => watch.close());
  t.true(await until(() => reports.length === 3, 20_000));
  const [first, second, third] = reports.map((faults) => faults.map(({ text, blocks }) => `${blocks} ${text}`).join());
  t.regex(
    first!,
    /^false The configuration at \/x\/config has changed: Backend.VNI 7 to 8; nodes that start from now on use it/,
  );
  t.regex(second!, /^false No network configuration at \/x\/config; this node goes on/);
  t.is(third, '');
});
