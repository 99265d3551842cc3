import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { SavedLeases } from '../../../lib/daemon/files/saved-leases.ts';
import { logTo } from '../../log.ts';

test('the version of each lease outlives the daemon, by the subnet file of its network (L8 b)', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-leases-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const lines: string[] = [];
  const log = logTo((_fields, message) => lines.push(message));
  const saved = new SavedLeases({ directory, log });
  t.is(await saved.lastOf('/run/flannel/subnet.env'), undefined);
  // Another weftd with the same directory.
  await new SavedLeases({ directory, log }).keep('/run/red.env', '1 10.6.1.0-24 7');
  await saved.keep('/run/flannel/subnet.env', '1 10.5.1.0-24 3');
  await saved.keep('/run/flannel/../flannel/subnet.env', '1 10.5.1.0-24 9');
  t.deepEqual(JSON.parse(readFileSync(join(directory, 'leases.json'), 'utf8')), {
    version: 1,
    leases: { '/run/flannel/subnet.env': '1 10.5.1.0-24 9', '/run/red.env': '1 10.6.1.0-24 7' },
  });
  t.is(await new SavedLeases({ directory, log }).lastOf('/run/flannel/subnet.env'), '1 10.5.1.0-24 9');
  t.deepEqual(lines, []);
  writeFileSync(join(directory, 'leases.json'), '{"version":1,"leases":{"/a":7}}');
  t.is(await new SavedLeases({ directory, log }).lastOf('/a'), undefined);
  t.is(lines.length, 1);
});
