/** A test has the place and name of the file it tests, or it is about a subject, and stands here with it. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

/** Tests of a room that are about more than one of its files, or about something that has no file. */
const SUBJECTS: Readonly<Record<string, string>> = {
  'page/built': 'the files that esbuild makes of the pages',
  'page/report': 'the page of lib/report in a browser',
  'page/live': 'the live page in a browser',
  'page/live-states': 'the same where something is missing or not as it should be',
  'page/theme': 'the colours of theme.css',
  'capture/inspect-encapsulations': 'the checks of a capture for VXLAN, IP in IP and none',
  'cli/bin': 'bin/weft and bin/weftd as a shell starts them',
  'cli/commands': 'what the commands print of the replies of a control server',
  'control/control': 'client and server of the control socket',
  'dataplane/fallback': 'offloads that the kernel refuses',
  'fastpath/golden': 'the packet code on what flannelds sent',
  'fastpath/gro': 'joining',
  'fastpath/header-checksum': 'header checksums that come out as 0',
  'fastpath/learning-room': 'room for learned addresses',
  'fastpath/probe': 'probes: which are taken, how they are answered',
  'fastpath/peers': 'peers that come and go',
  'fastpath/tap': 'what the packet code records, beside its twins',
  'fastpath/variables': 'where the packet code keeps what outlives a call',
  'control/schema': 'the replies of /v1 beside their JSON schema',
  'fastpath/super-packet': 'super-packets that arrive in one datagram',
  'fastpath/twin': 'the packet code on a TUN beside its twin',
  'fastpath/vxlan-twin': 'the packet code on a TAP beside its twin',
  'lease/lease-histories': 'LeaseSet beside its slow twin',
  'store/etcd/access': 'users, passwords and permissions',
  'store/etcd/acquire': 'how a node takes a subnet',
  'store/etcd/closing': 'the end of a store and of its process',
  'store/etcd/etcd-server': 'the etcd that tests start',
  'store/etcd/faults': 'an etcd that is down, hangs, or cannot be reached',
  'wire/golden-udp': 'headers on what flannelds with udp sent',
  'wire/golden-vxlan': "headers on what the kernel's VXLAN device sent",
  'wire/wire-formats': 'docs/wire-formats.md',
};

const rooms = readdirSync('lib', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** Tests of rooms: "wire/ipv4" for test/wire/ipv4.test.ts. */
const names = rooms
  .filter((room) => existsSync(join('test', room)))
  .flatMap((room) => readdirSync(join('test', room), { recursive: true, encoding: 'utf8' }).map((f) => join(room, f)))
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => file.replace(/\.test\.ts$/, ''));

const hasSource = (name: string): boolean => existsSync(join('lib', `${name}.ts`));

test('a test of a room is named after a file of it, or after a subject', (t) => {
  t.true(names.length > 80, `${names.length} tests found`);
  t.deepEqual(
    names
      .filter((name) => !hasSource(name) && SUBJECTS[name] === undefined)
      .map(
        (name) => `test/${name}.test.ts: there is no lib/${name}.ts; move it beside what it tests, or name its subject`,
      ),
    [],
  );
});

test('the list of subjects has no test that is gone, and none that has a file', (t) => {
  t.deepEqual(
    Object.keys(SUBJECTS).filter((name) => !names.includes(name) || hasSource(name)),
    [],
  );
});
