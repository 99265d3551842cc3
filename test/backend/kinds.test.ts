import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import type { ExternalInterface } from '../../lib/backend/backend.ts';
import { backendOf } from '../../lib/backend/kinds.ts';
import type { WeftError } from '../../lib/error.ts';
import { encodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../lib/lease/network-config.ts';

const EXTERNAL: ExternalInterface = {
  name: 'eth0',
  index: 2,
  mtu: 1500,
  ipv4: parseIpv4('192.0.2.1')!,
  ipv6: parseIpv6('2001:db8::1'),
  publicIp: parseIpv4('192.0.2.1')!,
  publicIpv6: parseIpv6('2001:db8::1'),
  reason: 'test',
};

function config(type: string, ipv6 = ''): NetworkConfig {
  return parseNetworkConfig(`{"Network":"10.5.0.0/16"${ipv6},"Backend":{"Type":"${type}"}}`);
}

const IPV6 = ',"EnableIPv6":true,"IPv6Network":"fd00:5::/48"';
const LEASES: readonly (readonly [type: string, ipv6: string, value: string])[] = [
  ['udp', '', '{"PublicIP":"192.0.2.1","PublicIPv6":null}'],
  ['udp', IPV6, '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1"}'],
  ['alloc', IPV6, '{"PublicIP":"192.0.2.1","PublicIPv6":null}'],
  ['ipip', '', '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"ipip"}'],
  [
    'vxlan',
    '',
    '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:2a"}}',
  ],
];

for (const [type, ipv6, value] of LEASES)
  test(`writes the lease of flanneld's ${type}${ipv6 === '' ? '' : ' in dual stack'}`, async (t) => {
    const network = config(type, ipv6);
    const attrs = await backendOf(network, '/t/config').leaseAttrs(EXTERNAL, network, () => 0x0200_0000_002a, []);
    t.is(encodeLeaseAttrs(attrs), value);
  });

test('a backend that cannot carry IPv6 writes no lease in a dual-stack network', async (t) => {
  const network = config('ipip', IPV6);
  const attrs = backendOf(network, '/t/config').leaseAttrs(EXTERNAL, network, () => 0, []);
  t.is(((await t.throwsAsync(attrs)) as WeftError).code, 'CONFIG_INVALID');
});

test('a backend that nobody has is refused, and those there are are named', (t) => {
  const error = t.throws(() => backendOf(config('constructor'), '/t/config')) as WeftError;
  t.is(error.code, 'UNSUPPORTED_BACKEND');
  t.is(
    error.message,
    'Backend type "constructor" of /t/config is not supported; supported: udp, vxlan, ipip, host-gw, alloc',
  );
});
