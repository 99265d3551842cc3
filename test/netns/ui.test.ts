/**
 * `weft ui` beside a running weftd: who may look, what they see, and that nothing is left.
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel.1, weftd      [ net ]        flannel.1, weftd
 */
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { tapSocketBeside } from '../../lib/control/tap-protocol.ts';
import { BACKENDS } from '../../lib/lab/backends.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { startReadyDaemon, whenPeersAreKnown } from '../../lib/lab/ready-daemon.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import type { PacketDetail, PacketLine } from '../../lib/ui/messages.ts';
import { PATIENCE_MS } from '../patience.ts';
import { ask, EventStream, enter } from '../ui/browser-like.ts';
import { captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { testInLabs } from './labs.ts';
import { PATIENTLY } from './pings.ts';
import { remainsOf, start } from './weft.ts';

const { id, test } = testInLabs('j');
const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
/** A group that has no members here, and a user that is in no group of ours. */
const GROUP = 54_321;
const STRANGER = 54_322;

/** Starts it in our own namespaces, as another user, and waits for its address. */
async function startUi(
  t: ExecutionContext,
  args: readonly string[],
  user: readonly string[] = [],
): Promise<{ ui: LabProcess; url: string }> {
  const ui = spawnInNetns(undefined, [...user, process.execPath, WEFT, 'ui', '--listen', '127.0.0.1:0', ...args]);
  const printed = () => ui.stdout().includes('\n') || !ui.running();
  t.true(await until(printed, PATIENCE_MS), 'no address was printed');
  t.regex(ui.stdout(), /^http:\/\/127\.0\.0\.1:\d+\/\?token=\S+\n$/, ui.stderr());
  return { ui, url: ui.stdout().trim() };
}

async function vxlanOverlay(lab: Lab, daemonArgs: readonly string[] = []): Promise<Overlay> {
  const overlay = await startOverlay(lab, { config: defaultConfig(BACKENDS.vxlan), daemonArgs });
  await whenPeersAreKnown(lab.hosts);
  return overlay;
}

const ping = (lab: Lab, address: string, ...args: readonly string[]) =>
  execInNetns(lab.hosts[0]!.podNetns, ['ping', '-n', '-c', '1', ...PATIENTLY, ...args, address], {
    allowFailure: true,
  });

/** The line of an echo request with so many bytes of data: pings until it is there. */
async function findEcho(
  t: ExecutionContext,
  lab: Lab,
  stream: EventStream,
  to: string,
  data: number,
): Promise<PacketLine> {
  // Ethernet, IPv4, ICMP.
  const length = 14 + 20 + 8 + data;
  const found = () =>
    stream
      .all('packets')
      .flatMap(({ lines }) => lines)
      .find((line) => line.length === length && line.direction === 'outbound' && line.words.startsWith('echo request'));
  const seen = async () => {
    if (found() === undefined) await ping(lab, to, '-s', `${data}`);
    return found() !== undefined;
  };
  t.true(await until(seen, PATIENCE_MS), 'the ping is in no list');
  return found()!;
}

test('a member of the groups sees peers, ticks and packets, whose fields and bytes are those that tshark reads of the wire', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { pods } = await vxlanOverlay(lab, [`--control-group=${GROUP}`, `--tap-group=${GROUP}`]);
    const [h1, h2] = lab.hosts;
    for (const directory of [dirname(h1!.controlSocket), dirname(dirname(h1!.controlSocket))])
      chmodSync(directory, 0o711);
    const user = ['setpriv', `--reuid=${STRANGER}`, `--regid=${STRANGER}`, `--groups=${GROUP}`];
    const { ui, url } = await startUi(t, ['--control-socket', h1!.controlSocket], user);
    const { base, cookie } = await enter(url);
    t.is((await ask(url)).status, 403);
    t.regex((await ask(base, { headers: { cookie } })).text, /<noscript>/);
    const stream = await EventStream.open(base, cookie);
    t.like(await stream.find('status'), { state: 'ready' });
    const { changed } = await stream.find('peers', (change) => change.changed.length > 0);
    t.deepEqual(
      changed.map(({ publicIp }) => publicIp),
      [h2!.underlayAddress],
    );
    t.is(await stream.find('tap'), null);
    await stream.find('tick');
    let line: PacketLine | undefined;
    const file = await captureWhile(lab, { netns: h1!.netns, device: 'u0', filter: 'udp port 4789' }, async () => {
      line = await findEcho(t, lab, stream, pods[1]!.address, 321);
    });
    t.like(line, {
      verdict: 'forwarded',
      peer: h2!.underlayAddress,
      source: pods[0]!.address,
      destination: pods[1]!.address,
    });
    const detail = JSON.parse((await ask(`${base}/packet/${line!.id}`, { headers: { cookie } })).text) as PacketDetail;
    const value = (header: string, field: string) => {
      const found = detail.headers.find(({ name }) => name === header)?.fields.find(({ name }) => name === field);
      return found?.known === true ? found.value : undefined;
    };
    const rows = await readFields(
      file,
      udpPortAs(4789, 'vxlan'),
      [
        'icmp.seq',
        'ip.id',
        'ip.src',
        'ip.dst',
        'ip.len',
        'udp.length',
        'vxlan.vni',
        'eth.dst',
        'eth.src',
        'icmp.ident',
        'frame.len',
      ],
      `icmp.type == 8 and ip.id == ${value('inner IPv4', 'ID')} and ip.len == ${20 + 8 + 321}`,
    );
    t.is(rows.length, 1, JSON.stringify(rows));
    const [
      ,
      ,
      sources = '',
      destinations = '',
      lengths = '',
      udpLength = '',
      vni = '',
      macs = '',
      sourceMacs = '',
      ident = '',
      frame = '',
    ] = rows[0]!;
    // Outer and inner, as tshark prints two fields of one name.
    const pair = (text: string) => text.split(',');
    t.deepEqual([value('IPv4', 'source'), value('inner IPv4', 'source')], pair(sources));
    t.deepEqual([value('IPv4', 'destination'), value('inner IPv4', 'destination')], pair(destinations));
    t.deepEqual([value('IPv4', 'length'), value('inner IPv4', 'length')], pair(lengths));
    t.deepEqual([value('Ethernet', 'destination'), value('inner Ethernet', 'destination')], [undefined, pair(macs)[1]]);
    t.deepEqual([value('Ethernet', 'source'), value('inner Ethernet', 'source')], [undefined, pair(sourceMacs)[1]]);
    t.is(value('UDP', 'length'), udpLength);
    t.is(Number(value('VXLAN', 'VNI')), Number(vni));
    t.is(Number(value('ICMP', 'identifier')), Number(pair(ident)[0]));
    t.is(detail.length, Number(frame));
    // ping's data counts up from its 17th byte on: what is at the end of what was kept.
    const data = Buffer.from(detail.bytes, 'hex').subarray(-64);
    t.true(
      data.every((byte, i) => i === 0 || byte === ((data[i - 1]! + 1) & 0xff)),
      detail.bytes,
    );
    stream.close();
    const { code } = await ui.stop('SIGINT');
    t.is(code, 0, ui.stderr());
    await t.throwsAsync(ask(base), { code: 'ECONNREFUSED' });
    const readers = async () => (await askDaemon(h1!.controlSocket, '/v1/status')).tap.readers;
    t.true(await until(async () => (await readers()).length === 0, PATIENCE_MS));
  });
});

test('without the group of the tap there is a sentence; weftd killed and started again: the page goes on by itself', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { daemons, pods } = await vxlanOverlay(lab, [`--control-group=${GROUP}`]);
    const h1 = lab.hosts[0]!;
    for (const directory of [dirname(h1.controlSocket), dirname(dirname(h1.controlSocket))])
      chmodSync(directory, 0o711);
    const user = ['setpriv', `--reuid=${STRANGER}`, `--regid=${STRANGER}`, `--groups=${GROUP}`];
    const limited = await startUi(t, ['--control-socket', h1.controlSocket], user);
    const other = await startUi(t, ['--control-socket', h1.controlSocket]);
    const [a, b] = [await enter(limited.url), await enter(other.url)];
    const member = await EventStream.open(a.base, a.cookie);
    const sentence = await member.find('tap', (problem) => problem !== null);
    t.regex(sentence!.text, /No permission to use .*\.tap\.sock/);
    t.regex(sentence!.hint!, /-tap-group/);
    await member.find('tick');
    const root = await EventStream.open(b.base, b.cookie);
    await findEcho(t, lab, root, pods[1]!.address, 77);
    await daemons[0]!.stop('SIGKILL');
    for (const stream of [member, root]) t.regex((await stream.find('gone')).text, /Nobody answers|No control socket/);
    const { pid } = await root.find('status');
    const again = await startReadyDaemon(lab, h1, [`--control-group=${GROUP}`]);
    for (const stream of [member, root])
      await stream.find('status', (status) => status.pid !== pid && status.state === 'ready');
    const ticks = root.all('tick').length;
    t.true(await until(() => root.all('tick').length > ticks, PATIENCE_MS));
    await findEcho(t, lab, root, pods[1]!.address, 78);
    t.is(again.status.tap.socket, tapSocketBeside(h1.controlSocket));
    for (const { ui } of [limited, other]) t.is((await ui.stop('SIGTERM')).code, 0);
    t.true(await until(() => !member.isOpen && !root.isOpen, PATIENCE_MS));
    await again.process.stop();
  });
});

test('weft ui says in one line what it cannot do', async (t) => {
  const run = (args: readonly string[]) =>
    execInNetns(undefined, [process.execPath, WEFT, 'ui', ...args], { allowFailure: true });
  const { ui, url } = await startUi(t, ['--control-socket', '/nowhere.sock']);
  const { port } = new URL(url);
  for (const [args, line] of [
    [
      ['--listen', `127.0.0.1:${port}`],
      /^weft: Cannot listen on 127\.0\.0\.1:\d+: another program does\ntake any free port with: --listen 127\.0\.0\.1:0\n$/,
    ],
    [
      ['--listen', '0.0.0.0:0'],
      /^weft: Cannot listen on 0\.0\.0\.0:0: other machines reach it, and nothing is encrypted\n.*--allow-remote\n$/,
    ],
    [['--listen', 'nowhere'], /^weft: Cannot listen on "nowhere": it is no address with a port\n[^\n]*\n$/],
    [['--lab', '--hosts', '1'], /whole number from 2 to 20/],
  ] as const) {
    const { code, stderr } = await run(args);
    t.true(code === 1 || code === 2, `${code}`);
    t.regex(stderr, line);
  }
  // No weftd: the page says so, and that it will come back.
  const { base, cookie } = await enter(url);
  const stream = await EventStream.open(base, cookie);
  t.regex((await stream.find('gone')).text, /No control socket at \/nowhere\.sock/);
  t.is((await ui.stop('SIGINT')).code, 0);
});

test('beyond loopback it listens when told to, and says that nothing is encrypted', async (t) => {
  const ui = spawnInNetns(undefined, [
    process.execPath,
    WEFT,
    'ui',
    '--listen',
    '0.0.0.0:0',
    '--allow-remote',
    '--control-socket',
    '/nowhere.sock',
  ]);
  t.true(await until(() => ui.stdout().includes('\n') || !ui.running(), PATIENCE_MS));
  t.regex(ui.stderr(), /^weft: Nothing is encrypted: whoever sees this address/);
  const { base, cookie } = await enter(ui.stdout().trim());
  const { port } = new URL(base);
  t.is((await ask(base, { headers: { cookie, host: `evil.example:${port}` } })).status, 421);
  await ui.stop('SIGINT');
});

test('weft ui --lab shows moving packets and drops, and a signal removes all of it', async (t) => {
  const { child, outcome, progress } = start(['ui', '--lab', '--listen', '127.0.0.1:0']);
  let printed = '';
  child.stdout!.on('data', (part: Buffer) => {
    printed += part.toString();
  });
  t.true(await until(() => printed.includes('\n') || child.exitCode !== null, PATIENCE_MS), progress());
  t.regex(printed, /^http:/, progress());
  const { base, cookie } = await enter(printed.trim());
  const stream = await EventStream.open(base, cookie);
  await stream.find('tick', ({ outbound, inbound }) => outbound.packets > 0 && inbound.packets > 0);
  await stream.find('packets', ({ lines }) => lines.some(({ reason }) => reason === 'no-route'));
  await stream.find('packets', ({ lines }) => lines.some(({ words }) => words.startsWith('udp ')));
  await stream.find('packets', ({ lines }) => lines.some(({ words }) => words.startsWith('tcp ')));
  child.kill('SIGINT');
  const { signal, pid } = await outcome;
  t.is(signal, 'SIGINT');
  t.deepEqual(remainsOf('u', pid), []);
  t.false(stream.isOpen);
});
