import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { readPcap } from '../../lib/capture/pcap.ts';
import { claimHeaders, offloadsToSwitchOff } from '../../lib/demo/capture-phase.ts';
import { CaptureRecord } from '../../lib/demo/capture-record.ts';
import { Claims } from '../../lib/demo/claims.ts';
import type { Expectation } from '../../lib/demo/inspect.ts';

const address = (text: string) => parseIpv4(text)!;
const EXPECTED: Expectation = {
  hosts: [
    { publicIp: address('192.0.2.1'), pod: address('10.244.30.2') },
    { publicIp: address('192.0.2.2'), pod: address('10.244.99.2') },
  ],
  port: 8285,
  innerTtl: 62,
};
const PACKETS = readPcap(readFileSync('test/vectors/flanneld-udp/h1-underlay.pcap')).packets;

function recordOf(packets: readonly { bytes: Uint8Array; timestampNs: bigint }[]): CaptureRecord {
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, EXPECTED);
  for (const { bytes, timestampNs } of packets) record.add(bytes, timestampNs);
  return record;
}

function claimsOf(record: CaptureRecord, sent: number): string[] {
  const claims = new Claims(() => {});
  claimHeaders(record.tally, sent, claims);
  return claims.all.map(({ name, state }) => `${name} ${state}`);
}

test('frames of flanneld make every claim hold', (t) => {
  const record = recordOf(PACKETS);
  const states = claimsOf(record, PACKETS.length).map((claim) => claim.split(' ').at(-1));
  t.is(states.length, 11);
  t.deepEqual(new Set(states), new Set(['ok']));
});

test('one wrong frame fails its claim only, and is shown', (t) => {
  const wrong = Uint8Array.from(PACKETS[0]!.bytes);
  wrong[64]! ^= 1; // the ICMP checksum
  const record = recordOf([...PACKETS, { bytes: wrong, timestampNs: 1n }]);
  t.deepEqual(
    claimsOf(record, PACKETS.length + 1).filter((claim) => claim.endsWith('FAILED')),
    ['inner checksum FAILED'],
  );
  t.is(record.tally.failures['inner-checksum'].count, 1);
  t.regex(record.tally.failures['inner-checksum'].example ?? '', /10\.244\.30\.2 > 10\.244\.99\.2.*ICMP/);
});

test('nothing captured proves nothing', (t) => {
  const claims = claimsOf(recordOf([]), 0);
  t.deepEqual(
    claims.filter((claim) => claim.endsWith('ok')),
    ['capture is complete ok'],
  );
});

test('a capture that missed packets says so, and one with more than were sent fails', (t) => {
  const record = recordOf(PACKETS);
  t.true(claimsOf(record, PACKETS.length + 5).includes('capture is complete skipped'));
  t.true(claimsOf(record, PACKETS.length - 5).includes('capture is complete FAILED'));
});

test('the capture file replaces what bears its name, and does not follow a link', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-demo-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const victim = join(directory, 'victim');
  const path = join(directory, 'capture.pcapng');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, path);
  recordOf(PACKETS.slice(0, 3)).save(path);
  t.is(readFileSync(victim, 'utf8'), 'precious');
  t.is(readFileSync(path).readUInt32LE(0), 0x0a0d0d0a, 'pcapng begins with a section header');
  t.throws(() => recordOf([]).save(join(directory, 'no', 'such')), { code: 'CAPTURE_NOT_WRITTEN' });
});

test('after an interruption nothing is claimed any more', (t) => {
  const lines: string[] = [];
  const claims = new Claims((line) => lines.push(line));
  const abort = new AbortController();
  claims.until(abort.signal);
  claims.check('water is wet', true, 'seen');
  abort.abort();
  claims.check('the lab answers', false, 'it is being removed');
  t.deepEqual(lines, ['  ok       water is wet: seen']);
});

test('checksum offload is switched off only where trains survive that', (t) => {
  t.true(offloadsToSwitchOff('6.18.44-generic').includes('tx'));
  t.true(offloadsToSwitchOff('6.11.0').includes('tx'));
  t.true(offloadsToSwitchOff('7.0.1').includes('tx'));
  t.false(offloadsToSwitchOff('6.10.14').includes('tx'));
  t.false(offloadsToSwitchOff('5.19.0').includes('tx'));
  t.true(offloadsToSwitchOff('5.19.0').includes('gso'));
});
