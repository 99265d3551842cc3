import { execFileSync } from 'node:child_process';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import type { InterfaceOptions } from '../../lib/daemon/cmdline/options.ts';
import { chooseExternalInterface } from '../../lib/daemon/host/external-interface.ts';
import { readHostNetwork } from '../../lib/daemon/host/host-network.ts';
import { WeftError } from '../../lib/error.ts';
import { testInFreshNamespace } from './enter.ts';

// One namespace: lo, and two veth pairs of which one end each is used.
//   nat0  10.0.2.15/24       default route, metric 100
//   und0  192.0.2.1/24, 192.0.2.2/24 (dynamic, listed by the kernel first), fe80, 2001:db8::1; MTU 1400
const test = testInFreshNamespace();

function ip(command: string): void {
  execFileSync('ip', command.split(' '));
}

function setUp(): void {
  ip('link add nat0 type veth peer name nat1');
  ip('link add und0 mtu 1400 type veth peer name und1');
  for (const name of ['nat0', 'nat1', 'und0', 'und1']) ip(`link set ${name} up`);
  ip('addr add 10.0.2.15/24 dev nat0');
  ip('addr add 192.0.2.2/24 dev und0 valid_lft 3600 preferred_lft 3600');
  ip('addr add 192.0.2.1/24 dev und0');
  ip('addr add 2001:db8::1/64 dev und0 nodad');
}

function choose(options: Partial<InterfaceOptions> = {}): [name: string, address: string, reason: string] {
  const nothing = { iface: [], ifaceRegex: [], ifaceCanReach: undefined, publicIp: undefined, publicIpv6: undefined };
  const external = chooseExternalInterface({ ...nothing, ...options }, readHostNetwork());
  return [external.name, formatIpv4(external.ipv4), external.reason];
}

test('nothing but a loopback: no default route', (t) => {
  t.throws(() => choose(), { instanceOf: WeftError, code: 'NO_DEFAULT_ROUTE', message: /^No default route/ });
});

test('the kernel gives links, addresses and routes from which each rule finds its interface', (t) => {
  setUp();
  const und0: [string, string] = ['und0', '192.0.2.1'];
  t.deepEqual(choose({ iface: ['und0'] }), [...und0, '-iface=und0']);
  t.deepEqual(choose({ iface: ['192.0.2.2'] }), ['und0', '192.0.2.2', '-iface=192.0.2.2']);
  t.deepEqual(choose({ ifaceRegex: ['^und'] }), [...und0, '-iface-regex=^und matches und0']);
  t.deepEqual(choose({ publicIp: address('192.0.2.1') }), [...und0, 'holds -public-ip=192.0.2.1']);
  const reach = choose({ ifaceCanReach: address('192.0.2.77') });
  t.deepEqual([reach[0], reach[2]], ['und0', '-iface-can-reach=192.0.2.77']);
  t.throws(() => choose({ ifaceCanReach: address('203.0.113.1') }), { code: 'UNKNOWN_INTERFACE' });
});

test('the default route with the lowest metric decides, also one over several hops', (t) => {
  ip('route add default via 10.0.2.2 dev nat0 metric 200');
  t.deepEqual(choose(), ['nat0', '10.0.2.15', 'first default route']);
  ip('route add default metric 100 nexthop via 192.0.2.77 dev und0 nexthop via 10.0.2.2 dev nat0');
  t.deepEqual(choose(), ['und0', '192.0.2.1', 'first default route']);
});

test('MTU, index and IPv6 address are those of the interface', (t) => {
  const nothing = { ifaceRegex: [], ifaceCanReach: undefined, publicIp: undefined, publicIpv6: undefined };
  const external = chooseExternalInterface({ iface: ['und0'], ...nothing }, readHostNetwork());
  t.is(external.mtu, 1400);
  t.is(external.ipv6, parseIpv6('2001:db8::1'));
  t.true(execFileSync('ip', ['-o', 'link', 'show', 'und0'], { encoding: 'utf8' }).startsWith(`${external.index}: `));
});

test('an unknown interface lists those there are with their addresses', (t) => {
  const error = t.throws(() => choose({ iface: ['eth9'] }), { instanceOf: WeftError, code: 'UNKNOWN_INTERFACE' });
  t.true(error?.hint?.includes('nat0 (10.0.2.15)'), error?.hint);
  t.true(error?.hint?.includes('und0 (192.0.2.1, 192.0.2.2)'), error?.hint);
  t.true(error?.hint?.includes('nat1 (no IPv4 address)'), error?.hint);
});

function address(text: string): Ipv4 {
  return parseIpv4(text)!;
}
