import test from 'ava';
import { printFrame, printPacket } from '../../lib/wire/print.ts';
import { concat, hex } from './bytes.ts';

// Both from test/vectors; the checksum of the outer UDP header is the partial one that a capture on the sender sees.
const UDP_BACKEND = hex(`
  024bba2da675 cad564454c9e 0800
  4500 0070 5aa0 4000 4011 5bd9 c0000201 c0000202
  205d 205d 005c 8471
  4500 0054 2747 4000 3e01 7e76 0af41e02 0af46302
  08 00 1726 542a 0001 7418036b 00000000 48580e00 00000000 1011121314151617 18191a1b1c1d1e1f
  2021222324252627 28292a2b2c2d2e2f 3031323334353637`);
const VXLAN_BACKEND = hex(`
  267b35cfb5b9 ea91725265ef 0800
  4500 00a2 5106 0000 4011 a541 c0000202 c0000201
  c501 12b5 008e 84a3
  08000000 00000100
  ae276f579087 766bd964b440 0800
  45c0 0070 5a77 0000 4001 bc6c 0af43e00 0af40f02
  0b00 f4ff 00000000
  4500 0054 5b72 4000 0101 bb4b 0af40f02 0af43e02
  0800 34d0 5687 0001 a618036b 00000000 fe500600 00000000 1011121314151617 18191a1b1c1d1e1f
  2021222324252627 28292a2b2c2d2e2f 3031323334353637`);

const SIX = 'fd000000000000000000000000000001 fd000000000000000000000000000002';

const CASES: readonly (readonly [name: string, bytes: Uint8Array, line: string])[] = [
  [
    'IP in UDP in IP, outer checksum and all',
    UDP_BACKEND.subarray(14),
    'IPv4 192.0.2.1 > 192.0.2.2 ttl 64 id 23200 DF | UDP 8285 > 8285 length 92 bad-checksum | ' +
      'IPv4 10.244.30.2 > 10.244.99.2 ttl 62 id 10055 DF | ICMP echo request id 21546 seq 1 | 56 bytes',
  ],
  [
    'a UDP checksum of 0',
    hex('4500 001e 0000 4000 4011 f0b8 0a000001 0a003616  0001 0002 000a 0000 abcd'),
    'IPv4 10.0.0.1 > 10.0.54.22 ttl 64 id 0 DF | UDP 1 > 2 length 10 no-checksum | 2 bytes',
  ],
  [
    'a first fragment, whose UDP length speaks of more than is here',
    hex('4500 001e 0007 2000 4011 46c6 0a000001 0a000002  0001 0002 0800 1234 abcd'),
    'IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 MF | UDP 1 > 2 length 2048 | 2 bytes',
  ],
  [
    'a later fragment, which has no transport header',
    hex('4500 001c 0007 0010 4011 66b8 0a000001 0a000002  0001 0002 0800 1234'),
    'IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 fragment at 128 | 8 bytes',
  ],
  [
    'a protocol it does not know',
    hex(`60000000 0004 59 40 ${SIX} 01020304`),
    'IPv6 fd00::1 > fd00::2 hop-limit 64 | protocol 89 | 4 bytes',
  ],
  [
    'IPv6 extension headers and a fragment',
    hex(`60000000 0012 3c 40 ${SIX}  2c00 0000 00000000  1100 0001 deadbeef  0001`),
    'IPv6 fd00::1 > fd00::2 hop-limit 64 | extension headers 16 | fragment id 3735928559 at 0 MF | UDP truncated (2 bytes)',
  ],
  [
    'an extension header past the end',
    hex(`60000000 0008 3c 40 ${SIX}  2c01 0000 00000000`),
    'IPv6 fd00::1 > fd00::2 hop-limit 64 | extension headers truncated (8 bytes)',
  ],
  [
    'an ICMPv6 error about a cut packet',
    hex(`60000000 0008 3a 40 ${SIX}  0100 0000 00000000`),
    'IPv6 fd00::1 > fd00::2 hop-limit 64 | ICMPv6 unreachable (no route) bad-checksum',
  ],
  [
    'an ICMP error about a header that is longer than what is quoted',
    hex(
      '4500 0030 0000 4000 4001 26cb 0a000001 0a000002  0b00 f4ff 00000000  4f00 003c 0000 0000 0111 0000 0a000002 0a000001',
    ),
    'IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 0 DF | ICMP time exceeded bad-checksum | 20 bytes',
  ],
  ['nothing', hex(''), 'IP truncated (0 bytes)'],
  ['a version that is not IP', hex('aaaaaaaa'), 'IP version 10 wrong-version (4 bytes)'],
  ['half an IPv4 header', hex('4500001400000000'), 'IPv4 truncated (8 bytes)'],
  ['half an IPv6 header', hex('6000000000000000'), 'IPv6 truncated (8 bytes)'],
];

for (const [name, bytes, line] of CASES) test(`prints ${name}`, (t) => t.is(printPacket(bytes), line));

test('prints a frame of the vxlan backend with an ICMP error and what it is about', (t) => {
  t.is(
    printFrame(VXLAN_BACKEND),
    'Ethernet ea:91:72:52:65:ef > 26:7b:35:cf:b5:b9 IPv4 | IPv4 192.0.2.2 > 192.0.2.1 ttl 64 id 20742 | ' +
      'UDP 50433 > 4789 length 142 bad-checksum | VXLAN vni 1 | Ethernet 76:6b:d9:64:b4:40 > ae:27:6f:57:90:87 IPv4 | ' +
      'IPv4 10.244.62.0 > 10.244.15.2 ttl 64 tos 0xc0 id 23159 | ICMP time exceeded | ' +
      'about IPv4 10.244.15.2 > 10.244.62.2 ttl 1 id 23410 DF | 84 bytes',
  );
});

test('prints a frame that is not IP', (t) => {
  t.is(
    printFrame(hex('ffffffffffff 000000000001 0806 0001')),
    'Ethernet 00:00:00:00:00:01 > ff:ff:ff:ff:ff:ff ARP | ARP truncated (2 bytes)',
  );
  t.is(printFrame(hex('ffffffffffff')), 'Ethernet truncated (6 bytes)');
});

test('prints what follows an IPv4 header with protocol 4 or 41 as the packet it is', (t) => {
  const four = '4500 0014 0000 0000 4001 66e7 0a000001 0a000002';
  t.is(
    printPacket(hex(`4500 0028 0000 0000 4004 66d0 0a000001 0a000002 ${four}`)),
    'IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 0 | IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 0 | ICMP truncated (0 bytes)',
  );
  t.is(
    printPacket(hex(`4500 003c 0000 0000 4029 6697 0a000001 0a000002 60000000 0000 3b 40 ${SIX}`)),
    'IPv4 10.0.0.1 > 10.0.0.2 ttl 64 id 0 | IPv6 fd00::1 > fd00::2 hop-limit 64 | protocol 59',
  );
});

test('looks into a tunnel only on the ports it is told', (t) => {
  t.regex(printFrame(UDP_BACKEND, new Map()), /UDP 8285 > 8285 length 92 bad-checksum \| 84 bytes$/);
  t.regex(printFrame(VXLAN_BACKEND, new Map([[4789, 'ip']])), /\| IP version 0 wrong-version \(134 bytes\)$/);
});

test('stops after three tunnels in one another', (t) => {
  let packet = hex('4500 0014 0000 0000 4001 0000 0a000001 0a000002');
  for (let depth = 0; depth < 6; depth++) {
    const length = packet.length + 28;
    const word = (value: number) => value.toString(16).padStart(4, '0');
    const outer = hex(`4500 ${word(length)} 0000 0000 4011 0000 0a000001 0a000002 205d 205d ${word(length - 20)} 0000`);
    packet = concat(outer, packet);
  }
  const layers = printPacket(packet).split(' | ');
  t.is(layers.filter((layer) => layer.startsWith('IPv4')).length, 4);
  t.is(layers.at(-1), '76 bytes');
});
