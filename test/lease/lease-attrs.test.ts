import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import type { LeaseAttrs } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs, encodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { flanneldKeys } from './vectors.ts';

const UDP: LeaseAttrs = {
  publicIp: parseIpv4('192.168.64.3')!,
  publicIpv6: undefined,
  backendType: '',
  backendData: undefined,
  backendV6Data: undefined,
};

test('reads and writes the values that flanneld wrote, byte for byte', (t) => {
  let seen = 0;
  for (const backend of ['udp', 'vxlan', 'host-gw'] as const) {
    for (const { key, value } of flanneldKeys(backend).filter((entry) => entry.key !== 'config')) {
      t.is(encodeLeaseAttrs(decodeLeaseAttrs(value)), value, key);
      seen++;
    }
  }
  t.is(seen, 6);
});

test('writes what Go writes for each backend', (t) => {
  const vxlan = { VNI: 1, VtepMAC: 'c6:d2:32:6f:8f:44' };
  const cases: [Partial<LeaseAttrs>, string][] = [
    [{}, '{"PublicIP":"192.168.64.3","PublicIPv6":null}'],
    [{ backendType: 'ipip' }, '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"ipip"}'],
    [
      { backendType: 'vxlan', backendData: vxlan, backendV6Data: vxlan, publicIpv6: parseIpv6('2001:db8::1') },
      '{"PublicIP":"192.168.64.3","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}',
    ],
    [
      { backendType: 'extension', backendData: 'a<b>&\u2028\u00e9' },
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"extension","BackendData":"a\\u003cb\\u003e\\u0026\\u2028\u00e9"}',
    ],
    [{ backendData: null }, '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendData":null}'],
  ];
  for (const [change, expected] of cases) t.is(encodeLeaseAttrs({ ...UDP, ...change }), expected);
});

test('reads values as tolerantly as Go does', (t) => {
  const ip = UDP.publicIp;
  const cases: [string, Partial<LeaseAttrs>][] = [
    ['{"PublicIP":"192.168.64.3"}', {}],
    ['{"publicip":"192.168.64.3","PUBLICIPV6":null,"Later":1}', {}],
    ['{"PublicIP":"1.2.3.4","publicip":"192.168.64.3"}', {}],
    ['{"PublicIP":"::ffff:192.168.64.3"}', {}],
    ['{"PublicIP":"192.168.64.3","PublicIPv6":"2001:DB8::1"}', { publicIpv6: parseIpv6('2001:db8::1') }],
    ['{"PublicIP":"192.168.64.3","PublicIPv6":"1.2.3.4"}', { publicIpv6: parseIpv6('::ffff:1.2.3.4') }],
    ['{"PublicIP":"192.168.64.3","BackendType":null,"BackendData":null}', { backendData: null }],
    ['{"PublicIP":"192.168.64.3","backendtype":"vxlan"}', { backendType: 'vxlan' }],
    ['{"PublicIP":"192.168.64.3","__proto__":{"backendType":"x"}}', {}],
    ['{}', { publicIp: 0 }],
    ['null', { publicIp: 0 }],
  ];
  for (const [text, change] of cases) t.deepEqual(decodeLeaseAttrs(text), { ...UDP, publicIp: ip, ...change }, text);
});

test('refuses what Go refuses, and says why', (t) => {
  const cases: [string, string][] = [
    ['[]', 'must be a JSON object, is an array'],
    ['"x"', 'must be a JSON object, is "x"'],
    ['', 'line 1, column 1: a value is expected, found the end'],
    ['{"PublicIP":null}', 'PublicIP is null: must be an IPv4 address'],
    ['{"PublicIP":""}', 'PublicIP is "": must be an IPv4 address'],
    ['{"PublicIP":3232251907}', 'PublicIP is 3232251907: must be an IPv4 address'],
    ['{"PublicIP":"1.2.3"}', 'PublicIP is "1.2.3": must be an IPv4 address'],
    ['{"PublicIP":"1.2.3.04"}', 'PublicIP is "1.2.3.04": must be an IPv4 address'],
    ['{"PublicIP":"2001:db8::1"}', 'PublicIP is "2001:db8::1": must be an IPv4 address'],
    ['{"PublicIP":"1.2.3.4","PublicIPv6":""}', 'PublicIPv6 is "": must be an IPv6 address'],
    ['{"PublicIP":"1.2.3.4","PublicIPv6":[]}', 'PublicIPv6 is an array: must be an IPv6 address'],
    ['{"PublicIP":"1.2.3.4","BackendType":7}', 'BackendType is 7: must be a string'],
  ];
  for (const [text, message] of cases) t.is(t.throws(() => decodeLeaseAttrs(text))?.message, message, text);
});
