import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { formatMac } from '../../../lib/addr/mac.ts';
import { type Ipv4Prefix, parsePrefix } from '../../../lib/addr/prefix.ts';
import { randomMac, VtepMacs } from '../../../lib/daemon/files/vtep-macs.ts';
import type { Lease } from '../../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../../lib/lease/lease-attrs.ts';
import { logTo } from '../../log.ts';

async function scratch(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-state-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The store of one daemon start, and what it logged. */
async function start(directory: string, random = Math.random) {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const log = logTo((fields, message, level) => lines.push({ level, fields: { ...fields }, message }));
  const macs = await VtepMacs.load({ directory, log, random });
  return { macs, lines, warnings: () => lines.filter(({ level }) => level === 'warn') };
}

function lease(publicIp: string, mac: string, vni = 1): Lease {
  const attrs = decodeLeaseAttrs(
    `{"PublicIP":"${publicIp}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":${vni},"VtepMAC":"${mac}"}}`,
  );
  const ipv4 = parsePrefix('10.244.1.0/24') as Ipv4Prefix;
  return { subnets: { ipv4, ipv6: undefined }, attrs, expiresAtMs: undefined };
}

const OUR_IP = parseIpv4('192.0.2.1')!;
const FILE = 'vtep-macs.json';

test('addresses are locally administered and unicast, whatever chance says', (t) => {
  for (const random of [() => 0, () => 0.999999999999, Math.random, Math.random, Math.random]) {
    const text = formatMac(randomMac(random));
    t.regex(text, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  }
  t.is(formatMac(randomMac(() => 0)), '02:00:00:00:00:00');
  t.is(formatMac(randomMac(() => 0.999999999999)), 'fe:ff:ff:ff:ff:fe');
});

test('an address is the same at every start, of each network and device its own', async (t) => {
  const directory = join(await scratch(t), 'weft');
  const first = await start(directory);
  t.deepEqual(first.lines, []);
  const mac = first.macs.macOf('blue', 'flannel.1');
  t.is(first.macs.macOf('blue', 'flannel.1'), mac);
  const others = [first.macs.macOf('', 'flannel.1'), first.macs.macOf('blue', 'flannel.2')];
  t.is(new Set([mac, ...others]).size, 3);
  await first.macs.save();
  const second = await start(directory);
  t.is(second.macs.macOf('blue', 'flannel.1'), mac);
  t.deepEqual([second.macs.macOf('', 'flannel.1'), second.macs.macOf('blue', 'flannel.2')], others);
  t.deepEqual(second.lines, []);
});

test('the file is 0600 in a 0700 directory, has a version, and nothing else is there', async (t) => {
  const directory = join(await scratch(t), 'weft');
  const { macs } = await start(directory, () => 0);
  macs.macOf('', 'flannel.1');
  // Two networks that start at once.
  await Promise.all([macs.save(), macs.save()]);
  t.deepEqual(await readdir(directory), [FILE]);
  t.is((await stat(join(directory, FILE))).mode & 0o7777, 0o600);
  t.is((await stat(directory)).mode & 0o7777, 0o700);
  const text = await readFile(join(directory, FILE), 'utf8');
  t.deepEqual(JSON.parse(text), { version: 1, macs: { '/flannel.1': '02:00:00:00:00:00' } });
});

test('nothing is written while there is nothing to keep', async (t) => {
  const directory = await scratch(t);
  await (await start(directory)).macs.save();
  t.deepEqual(await readdir(directory), []);
});

const bad: readonly (readonly [what: string, text: string, reason: RegExp])[] = [
  ['is empty', '', /JSON/],
  ['is cut', '{"version":1,"macs":{"/flannel.1":"02:0', /JSON/],
  ['is a list', '[]', /no JSON object/],
  ['is of a later version', '{"version":2,"macs":{}}', /its version is 2, not 1/],
  ['has no version', '{"macs":{}}', /its version is undefined/],
  ['has no macs', '{"version":1,"macs":[]}', /no object "macs"/],
  ['has a multicast address', '{"version":1,"macs":{"/flannel.1":"03:00:00:00:00:01"}}', /is no entry/],
  ['has an address of zeros', '{"version":1,"macs":{"/flannel.1":"00:00:00:00:00:00"}}', /is no entry/],
  ['has a number for an address', '{"version":1,"macs":{"/flannel.1":2}}', /is no entry/],
  ['has a key without a network', '{"version":1,"macs":{"flannel.1":"02:00:00:00:00:01"}}', /is no entry/],
  ['has more than a megabyte', ' '.repeat(1_100_000), /1100000 bytes/],
];
for (const [what, text, reason] of bad)
  test(`a file that ${what} is set aside with a warning, and a new address is made`, async (t) => {
    const directory = await scratch(t);
    await writeFile(join(directory, FILE), text);
    const { macs, warnings } = await start(directory);
    t.is(warnings().length, 1);
    t.regex(warnings()[0]?.message ?? '', /^The saved VtepMACs cannot be used/);
    t.regex(String(warnings()[0]?.fields.reason), reason);
    t.is(await readFile(join(directory, `${FILE}.bad`), 'utf8'), text);
    const mac = macs.macOf('', 'flannel.1');
    await macs.save();
    const again = await start(directory);
    t.is(again.macs.macOf('', 'flannel.1'), mac);
    t.deepEqual(again.lines, []);
  });

const foreign: readonly (readonly [what: string, make: (path: string) => unknown])[] = [
  ['a symbolic link', async (path) => symlink('/etc/passwd', path)],
  ['a named pipe', (path) => execFileSync('mkfifo', [path])],
  ['a directory', async (path) => mkdir(path)],
];
for (const [what, make] of foreign)
  test(`${what} in its place is neither read nor written through`, async (t) => {
    const directory = await scratch(t);
    await make(join(directory, FILE));
    const { macs, warnings } = await start(directory);
    t.is(warnings().length, 1);
    macs.macOf('', 'flannel.1');
    await macs.save();
    t.true((await stat(join(directory, FILE))).isFile());
    t.deepEqual((await readdir(directory)).toSorted(), [FILE, `${FILE}.bad`]);
    t.false((await readFile('/etc/passwd', 'utf8')).includes('flannel'));
  });

test('a directory that takes nothing is reported once, and the address lasts as long as the daemon', async (t) => {
  // A file where the directory should be: root may write everywhere else.
  const directory = join(await scratch(t), 'file');
  await writeFile(directory, '');
  await chmod(directory, 0o400);
  const { macs, warnings } = await start(directory);
  const before = warnings().length;
  const mac = macs.macOf('', 'flannel.1');
  await macs.save();
  macs.macOf('', 'flannel.2');
  await macs.save();
  const unsaved = warnings().slice(before);
  t.is(unsaved.length, 1);
  t.regex(unsaved[0]?.message ?? '', /^VtepMACs cannot be saved/);
  t.regex(String(unsaved[0]?.fields.hint), /-state-dir/);
  t.is(macs.macOf('', 'flannel.1'), mac);
});

test('without a saved address the one in our lease is taken over, for the VNI it stands for', async (t) => {
  const directory = await scratch(t);
  const { macs, lines } = await start(directory);
  macs.reconcile('', OUR_IP, [lease('192.0.2.2', '02:00:00:00:00:02'), lease('192.0.2.1', 'c6:d2:32:6f:8f:44')]);
  t.is(formatMac(macs.macOf('', 'flannel.1')), 'c6:d2:32:6f:8f:44');
  t.not(formatMac(macs.macOf('', 'flannel.2')), 'c6:d2:32:6f:8f:44');
  t.deepEqual(
    lines.map(({ level, message }) => `${level} ${message}`),
    ['info VtepMAC taken over from our lease'],
  );
  t.is(lines[0]?.fields.device, 'flannel.1', 'a network without a name has none before it');
  await macs.save();
  const again = await start(directory);
  again.macs.reconcile('', OUR_IP, [lease('192.0.2.1', '02:00:00:00:00:09')]);
  t.is(formatMac(again.macs.macOf('', 'flannel.1')), 'c6:d2:32:6f:8f:44', 'what is saved wins over the lease');
});

test('both families of a dual-stack lease are taken over', async (t) => {
  const { macs } = await start(await scratch(t));
  const attrs = decodeLeaseAttrs(
    '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan",' +
      '"BackendData":{"VNI":7,"VtepMAC":"02:00:00:00:00:04"},"BackendV6Data":{"VNI":7,"VtepMAC":"02:00:00:00:00:06"}}',
  );
  macs.reconcile('red', OUR_IP, [{ ...lease('192.0.2.1', '02:00:00:00:00:00'), attrs }]);
  t.is(formatMac(macs.macOf('red', 'flannel.7')), '02:00:00:00:00:04');
  t.is(formatMac(macs.macOf('red', 'flannel-v6.7')), '02:00:00:00:00:06');
});

const notTaken: readonly (readonly [what: string, publicIp: string, leases: Lease[]])[] = [
  ['of a group', '192.0.2.1', [lease('192.0.2.1', '03:00:00:00:00:01')]],
  ['that is no address', '192.0.2.1', [lease('192.0.2.1', 'x')]],
  [
    'that another node has too',
    '192.0.2.1',
    [lease('192.0.2.1', '02:00:00:00:00:01'), lease('192.0.2.2', '02:00:00:00:00:01')],
  ],
  ['behind the NAT address of every VM', '10.0.2.15', [lease('10.0.2.15', '02:00:00:00:00:01')]],
];
for (const [what, publicIp, leases] of notTaken)
  test(`an address in our lease ${what} is not taken over`, async (t) => {
    const { macs, lines } = await start(await scratch(t), () => 0.5);
    macs.reconcile('', parseIpv4(publicIp)!, leases);
    t.is(formatMac(macs.macOf('', 'flannel.1')), formatMac(randomMac(() => 0.5)));
    t.deepEqual(lines, []);
  });

test('an address that another node publishes is given up: a disk was copied', async (t) => {
  const directory = await scratch(t);
  const original = await start(directory);
  const mac = formatMac(original.macs.macOf('', 'flannel.1'));
  const kept = original.macs.macOf('blue', 'flannel.1');
  await original.macs.save();
  const copy = await start(directory);
  copy.macs.reconcile('', OUR_IP, [lease('192.0.2.2', mac)]);
  const made = formatMac(copy.macs.macOf('', 'flannel.1'));
  t.not(made, mac);
  t.is(copy.macs.macOf('blue', 'flannel.1'), kept, 'another network is none of its business');
  t.is(copy.warnings().length, 1);
  t.like(copy.warnings()[0]?.fields, { device: 'flannel.1', mac, publicIp: '192.0.2.2' });
  await copy.macs.save();
  t.is(formatMac((await start(directory)).macs.macOf('', 'flannel.1')), made);
});
