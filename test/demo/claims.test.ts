import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Wire } from '../../lib/capture/checks.ts';
import type { Expectation } from '../../lib/capture/inspect.ts';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { readPcap } from '../../lib/capture/pcap.ts';
import { CaptureRecord } from '../../lib/capture/record.ts';
import { claimHeaders, offloadsToSwitchOff } from '../../lib/demo/capture-phase.ts';
import { Claims } from '../../lib/demo/claims.ts';
import { judgeLine } from '../../lib/demo/wireshark.ts';

const address = (text: string) => parseIpv4(text)!;
const WIRE: Wire = { encapsulation: 'ip-in-udp', port: 8285 };
const EXPECTED: Expectation = {
  hosts: [
    { publicIp: address('192.0.2.1'), mac: 0xcad564454c9e, pod: address('10.244.30.2'), vtepMac: undefined },
    { publicIp: address('192.0.2.2'), mac: 0x024bba2da675, pod: address('10.244.99.2'), vtepMac: undefined },
  ],
  wire: WIRE,
};
const PACKETS = readPcap(readFileSync('test/vectors/flanneld-udp/h1-underlay.pcap')).packets;

function recordOf(packets: readonly { bytes: Uint8Array; timestampNs: bigint }[]): CaptureRecord {
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, EXPECTED);
  for (const { bytes, timestampNs } of packets) record.add(bytes, timestampNs);
  return record;
}

function claimsOf(record: CaptureRecord, sent: number): string[] {
  const claims = new Claims(() => {});
  claimHeaders(record.tally, WIRE, { packets: sent, by: 'the daemons counted as sent' }, claims);
  return claims.all.map(({ name, state }) => `${name} ${state}`);
}

test('frames of flanneld make every claim hold', (t) => {
  const record = recordOf(PACKETS);
  const states = claimsOf(record, PACKETS.length).map((claim) => claim.split(' ').at(-1));
  t.is(states.length, 13);
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
  t.is(record.tally.failures.get('inner-checksum')?.count, 1);
  t.regex(record.tally.failures.get('inner-checksum')?.example ?? '', /10\.244\.30\.2 > 10\.244\.99\.2.*ICMP/);
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

test('checksum offload is switched off only where trains survive that, or where there are none', (t) => {
  for (const encapsulation of ['ip-in-udp', 'vxlan'] as const) {
    const off = (kernel: string) => offloadsToSwitchOff(kernel, encapsulation);
    t.true(off('6.18.44-generic').includes('tx'));
    t.true(off('6.11.0').includes('tx'));
    t.true(off('7.0.1').includes('tx'));
    t.false(off('6.10.14').includes('tx'));
    t.false(off('5.19.0').includes('tx'));
    t.true(off('5.19.0').includes('gso'));
  }
  for (const encapsulation of ['ipip', 'none'] as const)
    t.true(offloadsToSwitchOff('5.19.0', encapsulation).includes('tx'));
});

test('of tshark, every line has to be from pod to pod and without fault', (t) => {
  const pods = ['10.244.15.2', '10.244.62.2'];
  const vxlan: Wire = { encapsulation: 'vxlan', port: 4789, vni: 1 };
  const judge = (line: string, wire: Wire = vxlan) => judgeLine(line, pods, wire);
  type Field = 'source' | 'ip' | 'udp' | 'tcp' | 'icmp' | 'checksum' | 'malformed';
  const line = (more: Partial<Record<Field, string>> = {}) =>
    [
      more.source ?? '192.0.2.1,10.244.15.2',
      '192.0.2.2,10.244.62.2',
      more.ip ?? '1,1',
      more.udp ?? '1',
      more.tcp ?? '',
      more.icmp ?? '1',
      more.checksum ?? '',
      more.malformed ?? '',
    ].join('\t');
  t.deepEqual(judge(line()), { betweenPods: true, faulty: false });
  const plain = '10.244.15.2\t10.244.62.2\t1\t\t1\t\t0x1234\t';
  t.deepEqual(judge(plain, { encapsulation: 'none' }), { betweenPods: true, faulty: false });
  t.false(judge(line({ source: '192.0.2.1' })).betweenPods, 'nothing inside');
  t.false(judge(line({ source: '192.0.2.1,10.244.15.3' })).betweenPods);
  for (const fault of [{ ip: '1,0' }, { udp: '1,0' }, { tcp: '0' }, { icmp: '0' }, { malformed: 'Malformed' }])
    t.true(judge(line(fault)).faulty, JSON.stringify(fault));
  t.false(judge(line({ udp: '2', icmp: '3' })).faulty, 'not verified, or not there, is no fault');
});

test("that Linux writes 0xffff for a TCP checksum of 0 is no fault of the kernel's packets, but would be one of ours", (t) => {
  const pods = ['10.244.15.2', '10.244.62.2'];
  const line = (checksum: string, ip = '1') => `10.244.15.2\t10.244.62.2\t${ip}\t\t0\t\t${checksum}\t`;
  t.false(judgeLine(line('0xffff'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0x1234'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0xffff', '0'), pods, { encapsulation: 'none' }).faulty);
  t.true(judgeLine(line('0xffff'), pods, { encapsulation: 'ipip' }).faulty);
});
