import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { CaptureRecord } from '../../lib/capture/record.ts';
import { PROBE4_MIN, probe4 } from '../../lib/wire/probe.ts';
import { address, changed, OUTER_IP, OUTER_UDP, UDP_EXPECTED, UDP_FRAMES } from './frames.ts';

const tshark = spawnSync('tshark', ['--version']).error === undefined;

(tshark ? test : test.skip)("no packet of the capture file has a time that is not the kernel's (N9)", (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-demo-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'capture.pcapng');
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, UDP_EXPECTED);
  const frames = UDP_FRAMES.slice(0, 3);
  for (const frame of frames) record.add(frame);
  record.save(path);
  const fields = ['frame.interface_name', 'frame.time_epoch', 'frame.time_delta', 'frame.len'];
  const argv = ['-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  const { stdout } = spawnSync('tshark', argv, { encoding: 'utf8' });
  t.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')),
    frames.map(({ length }) => ['u0', '', '', String(length)]),
  );
});

test('the capture file replaces what bears its name, and does not follow a link', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-demo-test-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const victim = join(directory, 'victim');
  const path = join(directory, 'capture.pcapng');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, path);
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, UDP_EXPECTED);
  for (const frame of UDP_FRAMES.slice(0, 3)) record.add(frame);
  record.save(path);
  t.is(readFileSync(victim, 'utf8'), 'precious');
  t.is(readFileSync(path).readUInt32LE(0), 0x0a0d0d0a, 'pcapng begins with a section header');
  t.throws(() => record.save(join(directory, 'no', 'such')), { code: 'CAPTURE_NOT_WRITTEN' });
});

test("the probes of peer monitors are nobody's traffic, and are left out", (t) => {
  const probe = probe4(address('10.244.30.0'), address('10.244.99.0'), { token: 1n, sequence: 1, size: PROBE4_MIN });
  const inner = OUTER_UDP + 8;
  const bytes = new Uint8Array(inner + probe.length);
  bytes.set(UDP_FRAMES[0]!.subarray(0, inner));
  bytes.set(probe, inner);
  const frame = changed(bytes, [OUTER_IP], (view) => {
    view.setUint16(OUTER_IP + 2, bytes.length - OUTER_IP);
    view.setUint16(OUTER_UDP + 4, bytes.length - OUTER_UDP);
  });
  const record = new CaptureRecord('u0', LINKTYPE_ETHERNET, UDP_EXPECTED);
  for (const each of [UDP_FRAMES[0]!, frame]) record.add(each);
  t.is(record.frames, 1);
  t.is(record.tally.failures.size, 0);
});
