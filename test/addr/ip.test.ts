import test from 'ava';
import { addressBits, addressBytes, familyOf, formatIp, type IpAddress } from '../../lib/addr/ip.ts';
import { isHostAddress4, parseIpv4 } from '../../lib/addr/ipv4.ts';
import { isLinkLocal6, isMulticast6, parseIpv6 } from '../../lib/addr/ipv6.ts';
import { formatPrefix, hostPrefix } from '../../lib/addr/prefix.ts';

const ADDRESSES: readonly (readonly [address: IpAddress, text: string, bytes: readonly number[]])[] = [
  [0, '0.0.0.0', [0, 0, 0, 0]],
  [0xc0000201, '192.0.2.1', [192, 0, 2, 1]],
  [0xffffffff, '255.255.255.255', [255, 255, 255, 255]],
  [1n, '::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  [
    0x2001_0db8_0000_0000_89ab_cdef_0000_0102n,
    '2001:db8::89ab:cdef:0:102',
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0x89, 0xab, 0xcd, 0xef, 0, 0, 1, 2],
  ],
];

for (const [address, text, bytes] of ADDRESSES)
  test(`${text}: family, text, bytes in network order, and the prefix that holds it alone`, (t) => {
    const bits = bytes.length * 8;
    t.is(addressBits(familyOf(address)), bits);
    t.is(formatIp(address), text);
    t.deepEqual([...addressBytes(address)], [...bytes]);
    t.is(formatPrefix(hostPrefix(address)), `${text}/${bits}`);
  });

test('which IPv4 addresses one host may have', (t) => {
  for (const text of ['1.0.0.0', '10.0.0.1', '126.255.255.255', '128.0.0.1', '169.254.0.1', '223.255.255.255'])
    t.true(isHostAddress4(parseIpv4(text)!), text);
  for (const text of ['0.0.0.0', '0.255.255.255', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'])
    t.false(isHostAddress4(parseIpv4(text)!), text);
});

test('which IPv6 addresses are multicast, which are link-local', (t) => {
  for (const text of ['ff00::', 'ff02::1:ff00:1', 'ffff::']) t.true(isMulticast6(parseIpv6(text)!), text);
  for (const text of ['::', '::1', 'fe80::1', 'feff::', '2001:db8::1']) t.false(isMulticast6(parseIpv6(text)!), text);
  for (const text of ['fe80::', 'fe80::1', 'febf::1']) t.true(isLinkLocal6(parseIpv6(text)!), text);
  for (const text of ['fe7f::1', 'fec0::1', 'ff02::1', '::1']) t.false(isLinkLocal6(parseIpv6(text)!), text);
});
