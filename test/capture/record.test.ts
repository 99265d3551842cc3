import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { CaptureRecord } from '../../lib/capture/record.ts';
import { UDP_EXPECTED, UDP_FRAMES } from './frames.ts';

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
