import test from 'ava';
import { formatPrefix } from '../../lib/addr/prefix.ts';
import { WeftError } from '../../lib/error.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { flanneldKeys } from './vectors.ts';

/** "SubnetLen Min Max" of a parsed config, and the same for IPv6 if it is on. */
function ranges(text: string): string {
  const config = parseNetworkConfig(text);
  const parts = [config, ...(config.ipv6 === undefined ? [] : [config.ipv6])];
  return parts
    .map((p) => `${formatPrefix(p.network)} ${formatPrefix(p.subnetMin)}..${formatPrefix(p.subnetMax)}`)
    .join(' ');
}

function problem(text: string): string {
  try {
    parseNetworkConfig(text);
  } catch (error) {
    if (error instanceof WeftError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
}

test('applies the defaults of flannel to IPv4', (t) => {
  const cases: [string, string][] = [
    ['{"Network":"10.244.0.0/16"}', '10.244.0.0/16 10.244.1.0/24..10.244.255.0/24'],
    ['{"Network":"10.0.0.0/8"}', '10.0.0.0/8 10.0.1.0/24..10.255.255.0/24'],
    ['{"Network":"10.1.0.0/22"}', '10.1.0.0/22 10.1.1.0/24..10.1.3.0/24'],
    ['{"Network":"10.1.0.0/23"}', '10.1.0.0/23 10.1.0.128/25..10.1.1.128/25'],
    ['{"Network":"10.1.0.0/28"}', '10.1.0.0/28 10.1.0.4/30..10.1.0.12/30'],
    ['{"Network":"255.0.0.0/8"}', '255.0.0.0/8 255.0.1.0/24..255.255.255.0/24'],
    ['{"Network":"10.244.7.9/16"}', '10.244.0.0/16 10.244.1.0/24..10.244.255.0/24'],
    ['{"Network":"10.1.0.0/16","SubnetLen":28}', '10.1.0.0/16 10.1.0.16/28..10.1.255.240/28'],
    ['{"Network":"10.1.0.0/16","SubnetLen":18}', '10.1.0.0/16 10.1.64.0/18..10.1.192.0/18'],
    ['{"Network":"10.1.0.0/16","SubnetLen":0,"SubnetMin":"0.0.0.0"}', '10.1.0.0/16 10.1.1.0/24..10.1.255.0/24'],
    ['{"Network":"10.1.0.0/16","SubnetMin":"10.1.0.0","SubnetMax":"10.1.9.0"}', '10.1.0.0/16 10.1.0.0/24..10.1.9.0/24'],
    ['{"network":"10.1.0.0/16","SUBNETLEN":26,"subnetmin":"10.1.5.64"}', '10.1.0.0/16 10.1.5.64/26..10.1.255.192/26'],
    ['{"Network":"10.9.0.0/16","Unknown":[{}],"NETWORK":"10.1.0.0/16"}', '10.1.0.0/16 10.1.1.0/24..10.1.255.0/24'],
  ];
  for (const [text, expected] of cases) t.is(ranges(text), expected, text);
});

test('applies the defaults of flannel to IPv6', (t) => {
  const v4 = '"Network":"10.1.0.0/16","EnableIPv6":true';
  const head = '10.1.0.0/16 10.1.1.0/24..10.1.255.0/24';
  const cases: [string, string][] = [
    ['"IPv6Network":"fd00:1::/48"', 'fd00:1::/48 fd00:1:0:1::/64..fd00:1:0:ffff::/64'],
    ['"IPv6Network":"fd00::/62"', 'fd00::/62 fd00:0:0:1::/64..fd00:0:0:3::/64'],
    ['"IPv6Network":"fd00::/63"', 'fd00::/63 fd00::8000:0:0:0/65..fd00:0:0:1:8000::/65'],
    ['"IPv6Network":"fd00::/124"', 'fd00::/124 fd00::4/126..fd00::c/126'],
    ['"IPv6Network":"ffff::/16"', 'ffff::/16 ffff:0:0:1::/64..ffff:ffff:ffff:ffff::/64'],
    ['"IPv6Network":"fd00::/48","IPv6SubnetLen":56', 'fd00::/48 fd00:0:0:100::/56..fd00:0:0:ff00::/56'],
  ];
  for (const [fields, expected] of cases) t.is(ranges(`{${v4},${fields}}`), `${head} ${expected}`, fields);
  t.is(
    ranges(`{${v4},"IPv6Network":"fd00::/48","IPv6SubnetMin":"fd00:0:0:7::","IPv6SubnetMax":null}`),
    `${head} fd00::/48 fd00:0:0:7::/64..fd00:0:0:ffff::/64`,
  );
  t.is(
    ranges('{"Network":"10.1.0.0/16","IPv6Network":"nonsense"}'),
    head,
    'IPv6 fields do not matter while IPv6 is off',
  );
});

test('names the field and the value that are wrong', (t) => {
  const cases: [string, string][] = [
    ['', 'not valid JSON: line 1, column 1: a value is expected, found the end'],
    ['null', 'must be a JSON object, is null'],
    ['[]', 'must be a JSON object, is an array'],
    ['{}', 'Network is missing: must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":null}', 'Network is null: must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":10}', 'Network is 10: must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":"0.0.0.0/0"}', 'Network is "0.0.0.0/0": must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":"10.1.0.0"}', 'Network is "10.1.0.0": must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":"010.0.0.0/8"}', 'Network is "010.0.0.0/8": must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":"fd00::/48"}', 'Network is "fd00::/48": must be an IPv4 prefix such as "10.244.0.0/16"'],
    ['{"Network":"10.1.0.0/31"}', 'Network is 10.1.0.0/31: must be /28 or larger to hold four subnets'],
    ['{"Network":"10.1.0.0/29"}', 'Network is 10.1.0.0/29: must be /28 or larger to hold four subnets'],
    ['{"Network":"10.1.0.0/16","SubnetLen":31}', 'SubnetLen is 31: must be 30 or less'],
    ['{"Network":"10.1.0.0/16","SubnetLen":33}', 'SubnetLen is 33: must be 30 or less'],
    [
      '{"Network":"10.1.0.0/16","SubnetLen":17}',
      'SubnetLen is 17: must be 18 or more, so that 10.1.0.0/16 holds four subnets',
    ],
    ['{"Network":"10.1.0.0/16","SubnetLen":-1}', 'SubnetLen is -1: must be a whole number'],
    ['{"Network":"10.1.0.0/16","SubnetLen":1e9}', 'SubnetLen is 1e9: must be a whole number'],
    ['{"Network":"10.1.0.0/16","SubnetLen":24.5}', 'SubnetLen is 24.5: must be a whole number'],
    ['{"Network":"10.1.0.0/16","SubnetLen":24.0}', 'SubnetLen is 24.0: must be a whole number'],
    ['{"Network":"10.1.0.0/16","SubnetLen":"24"}', 'SubnetLen is "24": must be a whole number'],
    ['{"Network":"10.1.0.0/16","SubnetMin":"10.2.0.0"}', 'SubnetMin is 10.2.0.0: must lie in 10.1.0.0/16'],
    [
      '{"Network":"10.1.0.0/16","SubnetMin":"10.1.1.7"}',
      'SubnetMin is 10.1.1.7: must be the start of a /24, such as 10.1.1.0',
    ],
    [
      '{"Network":"10.1.0.0/16","SubnetMax":"10.1.0.1"}',
      'SubnetMax is 10.1.0.1: must be the start of a /24, such as 10.1.0.0',
    ],
    ['{"Network":"10.1.0.0/16","SubnetMax":null}', 'SubnetMax is null: must be an IPv4 address'],
    [
      '{"Network":"10.1.0.0/16","SubnetMin":"10.1.9.0","SubnetMax":"10.1.8.0"}',
      'SubnetMin is 10.1.9.0: is above SubnetMax 10.1.8.0',
    ],
    [
      '{"Network":"10.1.0.0/16","EnableIPv4":false}',
      'EnableIPv4 is false: must be true: an IPv6-only network cannot be kept in etcd',
    ],
    ['{"Network":"10.1.0.0/16","EnableIPv6":"yes"}', 'EnableIPv6 is "yes": must be true or false'],
    [
      '{"Network":"10.1.0.0/16","EnableIPv6":true}',
      'IPv6Network is missing: must be an IPv6 prefix such as "fd00:10:244::/48"',
    ],
    [
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"10.2.0.0/16"}',
      'IPv6Network is "10.2.0.0/16": must be an IPv6 prefix such as "fd00:10:244::/48"',
    ],
    [
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/125"}',
      'IPv6Network is fd00::/125: must be /124 or larger to hold four subnets',
    ],
    [
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","IPv6SubnetLen":127}',
      'IPv6SubnetLen is 127: must be 126 or less',
    ],
    [
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","IPv6SubnetMin":"fe00::"}',
      'IPv6SubnetMin is fe00::: must lie in fd00::/48',
    ],
    ['{"Network":"10.1.0.0/16","Backend":null}', 'Backend is null: must be an object with a Type'],
    ['{"Network":"10.1.0.0/16","Backend":"udp"}', 'Backend is "udp": must be an object with a Type'],
    ['{"Network":"10.1.0.0/16","Backend":["udp"]}', 'Backend is an array: must be an object with a Type'],
    ['{"Network":"10.1.0.0/16","Backend":{}}', 'Backend.Type is missing: must name a backend, such as "udp"'],
    ['{"Network":"10.1.0.0/16","Backend":{"Type":8}}', 'Backend.Type is 8: must be a string'],
    ['{"__proto__":{"Network":"10.1.0.0/16"}}', 'Network is missing: must be an IPv4 prefix such as "10.244.0.0/16"'],
    [
      `{"Network":"${'1'.repeat(1_500_000)}"}`,
      `Network is "${'1'.repeat(77)}...": must be an IPv4 prefix such as "10.244.0.0/16"`,
    ],
  ];
  for (const [text, expected] of cases) t.is(problem(text), expected, text.slice(0, 200));
});

test('takes udp when there is no Backend, and the Type in lower case otherwise', (t) => {
  t.like(parseNetworkConfig('{"Network":"10.1.0.0/16"}'), { backendType: 'udp', backend: {} });
  const config = parseNetworkConfig('{"Network":"10.1.0.0/16","backend":{"type":"VXLAN","Port":4789}}');
  t.like(config, { backendType: 'vxlan', backend: { type: 'VXLAN', Port: 4789 } });
});

test('reads the configs that flanneld ran with', (t) => {
  const configs = (['udp', 'vxlan', 'host-gw'] as const).map((backend) => {
    const text = flanneldKeys(backend).find(({ key }) => key === 'config')?.value ?? '';
    return parseNetworkConfig(text);
  });
  t.deepEqual(
    configs.map((config) => config.backendType),
    ['udp', 'vxlan', 'host-gw'],
  );
  t.deepEqual(configs[1]?.backend, { Type: 'vxlan', Port: 4789, VNI: 1 });
});
