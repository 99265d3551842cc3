/**
 * tshark captures on an overlay by the interface that `weft wireshark install` gives it, here and as if on another host.
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel0, weftd       [ net ]        flannel0, weftd
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { createLab } from '../../lib/lab/lab.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { destroyLab, destroyLabNow } from '../../lib/lab/remove.ts';
import { until } from '../../lib/lab/until.ts';
import { PATIENCE_MS } from '../patience.ts';
import { fieldsOf, tshark } from '../wireshark/tshark.ts';
import { whySkipped } from './enter.ts';

const noTshark = spawnSync('tshark', ['--version']).error === undefined ? undefined : 'tshark is not installed';
const skipped = whySkipped() ?? noTshark;
if (skipped !== undefined) process.stderr.write(`Skipping tests of Wireshark's capture interface: ${skipped}\n`);
const test = skipped === undefined ? anyTest.serial : anyTest.skip;

const id = `ws${process.pid}`;
const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

interface World {
  readonly overlay: Overlay;
  readonly h1: LabHost;
  readonly h2: LabHost;
  readonly home: string;
}
let world: World;

if (skipped === undefined) {
  const home = mkdtempSync(join(tmpdir(), 'weft-wireshark-'));
  process.once('exit', () => {
    destroyLabNow(id);
    rmSync(home, { recursive: true, force: true });
  });
  anyTest.before('a lab of two hosts, and what weft wireshark installs', async (t) => {
    const lab = await createLab({ id, hosts: 2 });
    const overlay = await startOverlay(lab);
    const [h1, h2] = lab.hosts;
    world = { overlay, h1: h1!, h2: h2!, home };
    const ready = async () => (await askDaemon(h1!.controlSocket, '/v1/status')).peers === 1;
    t.true(await until(ready, PATIENCE_MS));
    const env = { PATH: process.env.PATH, HOME: home };
    const installed = spawnSync(process.execPath, [WEFT, 'wireshark', 'install'], { encoding: 'utf8', env });
    t.is(installed.status, 0, installed.stderr);
  });
  anyTest.after.always('nothing of the lab is left', () => destroyLab(id));
}

/** tshark beside h1's daemon, ended by the count that its options have; pod1 pings pod2 meanwhile. */
async function captureWhilePinging(
  t: ExecutionContext,
  options: readonly string[],
  path = process.env.PATH,
  destination = world.overlay.pods[1]!.address,
) {
  const { h1, home } = world;
  const env = ['env', `HOME=${home}`, `PATH=${path}`, `WEFT_CONTROL_SOCKET=${h1.controlSocket}`];
  const file = join(home, 'capture.pcapng');
  const argv = [...env, 'tshark', '-i', 'weft', ...options, '-w', file];
  const capture = spawnInNetns(h1.netns, argv);
  const ping = spawnInNetns(h1.podNetns, ['ping', '-q', '-i', '0.2', '-s', '1000', destination]);
  const programs: LabProcess[] = [capture, ping];
  t.teardown(() => Promise.all(programs.map((program) => program.stop())));
  const ended = await until(() => !capture.running(), PATIENCE_MS);
  t.true(ended, capture.stderr());
  await ping.stop('SIGINT');
  t.is((await capture.exited).code, 0, capture.stderr());
  t.notRegex(capture.stderr(), /Error/);
  return file;
}

const FIELDS = [
  'frame.interface_name',
  'frame.protocols',
  'icmp.type',
  'weft.finding',
  '_ws.malformed',
  '_ws.lua.error',
];

/** Only these can be pings of a pod's, on either edge. */
function checkPings(t: ExecutionContext, rows: readonly string[][], count: number): void {
  t.is(rows.length, count);
  for (const [name, protocols, type, ...faults] of rows) {
    t.regex(protocols!, name!.startsWith('flannel0') ? /^raw:ip:icmp/ : /^eth:ethertype:ip:udp:ip:icmp/);
    t.regex(type!, /^[08]$/);
    t.deepEqual(faults, ['', '', '']);
  }
}

test('both edges at once, with a filter of inner packets, read without a fault by the installed dissector', async (t) => {
  const file = await captureWhilePinging(t, ['-o', 'extcap.weft.inner:icmp[icmptype] != icmp-unreach', '-c', '12']);
  const rows = fieldsOf(t, world.home, file, FIELDS, [], false);
  checkPings(t, rows, 12);
  const edges = new Set(rows.map(([name]) => name!.split(' ')[0]));
  t.true(edges.has('flannel0') && edges.size > 1, [...edges].join());
});

test('one edge alone, cut at a snap length, with a capture filter', async (t) => {
  const options = [
    '-o',
    'extcap.weft.edge:underlay',
    '-o',
    'extcap.weft.snaplength:80',
    '-f',
    'udp port 8285',
    '-c',
    '6',
  ];
  const file = await captureWhilePinging(t, options);
  const rows = fieldsOf(t, world.home, file, ['frame.cap_len', 'frame.len', '_ws.malformed', 'weft'], [], false);
  t.is(rows.length, 6);
  for (const [kept, , malformed] of rows) t.deepEqual([Number(kept) <= 80, malformed], [true, '']);
});

test('what weftd drops, with the reason in the comment', async (t) => {
  // A subnet of the network that nobody has leased.
  const subnet = world.overlay.pods[0]!.address.split('.').slice(0, 2).join('.');
  const options = ['-o', 'extcap.weft.dropped:true', '-c', '3'];
  const file = await captureWhilePinging(t, options, process.env.PATH, `${subnet}.251.9`);
  const rows = fieldsOf(
    t,
    world.home,
    file,
    ['frame.comment', '_ws.malformed'],
    ['-Y', `ip.dst == ${subnet}.251.9`],
    false,
  );
  t.true(rows.length > 0);
  for (const [comment, malformed] of rows) {
    t.regex(comment!, /dropped.*no-route/);
    t.is(malformed, '');
  }
});

test('a remote host: the capture runs there, by an ssh that may not ask, and its packets arrive here', async (t) => {
  const { h2, home } = world;
  // In place of ssh: it notes its arguments, and runs what follows the host as a login shell of h2 would.
  const socket = `WEFT_CONTROL_SOCKET=${h2.controlSocket}`;
  const script = `#!/bin/sh\necho "$@" >'${home}/ssh.log'\nfor last; do :; done\nexec ip netns exec ${h2.netns} env ${socket} sh -c "$last"\n`;
  writeFileSync(join(home, 'ssh'), script, { mode: 0o755 });
  const options = ['-o', 'extcap.weft.remotehost:root@h2', '-o', `extcap.weft.remoteweft:${WEFT}`];
  const filters = ['-o', 'extcap.weft.inner:icmp', '-c', '8'];
  const file = await captureWhilePinging(t, [...options, ...filters], `${home}:${process.env.PATH}`);
  checkPings(t, fieldsOf(t, home, file, FIELDS, [], false), 8);
  const log = readFileSync(join(home, 'ssh.log'), 'utf8');
  t.true(log.startsWith('-T -o BatchMode=yes -o ConnectTimeout=10 -- root@h2 '), log);
});

test('what the capture says against a filter is in the dialogue', (t) => {
  const { home } = world;
  const { stderr } = tshark(home, ['-i', 'weft', '-o', 'extcap.weft.inner:icmpp', '-c', '1'], {
    WEFT_CONTROL_SOCKET: world.h1.controlSocket,
  });
  t.regex(stderr, /Error by extcap pipe: weft: The filter "icmpp" is not one: /);
});
