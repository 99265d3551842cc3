import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../../lib/capture/link-type.ts';
import { enhancedPacket, interfaceDescription, sectionHeader, simplePacket } from '../../lib/capture/pcapng.ts';
import { concat, hex, toHex } from '../wire/bytes.ts';
import { readCapture } from './read-capture.ts';

test('writes the section header block, byte for byte', (t) => {
  t.is(
    toHex(sectionHeader('weft')),
    toHex(
      hex(`0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff
           0400 0400 77656674  0000 0000  28000000`),
    ),
  );
});

test('writes an interface description with nanosecond resolution', (t) => {
  t.is(
    toHex(interfaceDescription({ name: 'eth0', linkType: LINKTYPE_ETHERNET, snapLength: 96 })),
    toHex(
      hex(`01000000 28000000 0100 0000 60000000
           0200 0400 65746830  0900 0100 09000000  0000 0000  28000000`),
    ),
  );
});

test('writes a packet padded to four bytes, with its comment', (t) => {
  const packet = { interfaceId: 2, timestampNs: 0x0102030405060708n, bytes: hex('aabbccddee'), originalLength: 1500 };
  t.is(
    toHex(enhancedPacket({ ...packet, comment: 'é' })),
    toHex(
      hex(`06000000 34000000 02000000 04030201 08070605 05000000 dc050000 aabbccdd ee000000
           0100 0200 c3a90000  0000 0000  34000000`),
    ),
  );
  t.is(
    toHex(enhancedPacket(packet)),
    toHex(hex('06000000 28000000 02000000 04030201 08070605 05000000 dc050000 aabbccdd ee000000 28000000')),
  );
});

test('writes a packet without a time, byte for byte', (t) => {
  t.is(
    toHex(simplePacket(hex('aabbccddee'), 1500)),
    toHex(hex('03000000 18000000 dc050000 aabbccdd ee000000 18000000')),
  );
});

test('cuts a comment that does not fit its length field, at a character', (t) => {
  // Each é has two bytes, so 65,535 falls in the middle of one.
  const bytes = enhancedPacket({
    interfaceId: 0,
    timestampNs: 0n,
    bytes: hex(''),
    originalLength: 0,
    comment: 'é'.repeat(40_000),
  });
  const view = new DataView(bytes.buffer);
  t.is(view.getUint16(30, true), 65_534);
  t.is(view.getUint32(4, true), bytes.length);
  t.is(view.getUint32(bytes.length - 4, true), bytes.length);
});

const tshark = spawnSync('tshark', ['--version']).error === undefined;
const withTshark = tshark ? test : test.skip;
const reason = tshark ? '' : ' (skipped: tshark is not installed)';

// 192.0.2.1 > 192.0.2.2, UDP, "hi"
const DATAGRAM = hex('4500 001e 0001 4000 4011 b6cc c0000201 c0000202  0007 0009 000a 0000 6869');
const FRAME = concat(hex('024bba2da675 cad564454c9e 0800'), DATAGRAM);

const U0 = interfaceDescription({ name: 'u0', linkType: LINKTYPE_ETHERNET, snapLength: 0 });
const FLANNEL0 = interfaceDescription({ name: 'flannel0', linkType: LINKTYPE_RAW, snapLength: 0 });
const OUTER = enhancedPacket({
  interfaceId: 0,
  timestampNs: 1_795_364_980_940_664_123n,
  bytes: FRAME,
  originalLength: FRAME.length,
  comment: 'outer, sent',
});
const INNER_CUT = enhancedPacket({
  interfaceId: 1,
  timestampNs: 1_795_364_980_940_664_999n,
  bytes: DATAGRAM.subarray(0, 28),
  originalLength: DATAGRAM.length,
});

function withCaptureFile<T>(blocks: readonly Uint8Array[], use: (path: string, directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'weft-pcapng-'));
  try {
    const path = join(directory, 'capture.pcapng');
    writeFileSync(path, concat(sectionHeader('weft test'), ...blocks));
    return use(path, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

withTshark(`Wireshark reads interfaces, nanoseconds, comments and packets${reason}`, (t) => {
  const fields = ['interface_name', 'time_epoch', 'len', 'cap_len', 'comment', 'protocols'].map(
    (name) => `frame.${name}`,
  );
  const run = withCaptureFile([U0, FLANNEL0, OUTER, INNER_CUT], (path) =>
    spawnSync(
      'tshark',
      ['-r', path, '-T', 'fields', ...[...fields, 'ip.src', 'udp.dstport'].flatMap((field) => ['-e', field])],
      {
        encoding: 'utf8',
      },
    ),
  );
  t.is(run.status, 0, run.stderr);
  t.deepEqual(
    run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')),
    [
      ['u0', '1795364980.940664123', '44', '44', 'outer, sent', 'eth:ethertype:ip:udp:echo', '192.0.2.1', '9'],
      ['flannel0', '1795364980.940664999', '30', '28', '', 'raw:ip:udp', '192.0.2.1', '9'],
    ],
  );
});

withTshark(`a packet survives the way through editcap into a classic file${reason}`, (t) => {
  const capture = withCaptureFile([U0, OUTER], (path, directory) => {
    const classic = join(directory, 'classic.pcap');
    const run = spawnSync('editcap', ['-F', 'nsecpcap', path, classic], { encoding: 'utf8' });
    t.is(run.status, 0, run.stderr);
    return readCapture(new Uint8Array(readFileSync(classic)));
  });
  t.is(capture.linkType, LINKTYPE_ETHERNET);
  t.deepEqual(
    capture.packets.map((packet) => [packet.timestampNs, toHex(packet.bytes), packet.length]),
    [[1_795_364_980_940_664_123n, toHex(FRAME), FRAME.length]],
  );
});
