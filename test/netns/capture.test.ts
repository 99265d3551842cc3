import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import { tsharkDecoding, type Wire } from '../../lib/capture/checks.ts';
import { askDaemon } from '../../lib/control/client.ts';
import { BACKENDS, VXLAN_PORT } from '../../lib/lab/backends.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { type ExecResult, execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import type { PacketReport } from '../../lib/observe/packet-line.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';
import { PATIENTLY } from './pings.ts';

// `weft capture` as it is typed on a host, while pods talk.

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const HAS_TSHARK = spawnSync('tshark', ['--version']).error === undefined;
/** Bytes of data in an echo of ours: weftd's own probes have others. */
const PAYLOAD = 333;

const reason = whySkipped();
if (reason !== undefined) process.stderr.write(`Skipping weft capture: ${reason}\n`);
const test = reason === undefined ? anyTest.serial : anyTest.serial.skip;

interface World {
  readonly t: ExecutionContext;
  readonly lab: Lab;
  readonly overlay: Overlay;
  /** Removed after the test. */
  readonly folder: string;
  readonly device: string;
}

async function withWorld(
  t: ExecutionContext,
  backend: 'udp' | 'vxlan',
  body: (world: World) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-capture-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await withLab({ id: `c${process.pid.toString(36)}`, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab, { config: { Network: '10.244.0.0/16', Backend: BACKENDS[backend] } });
    for (const { controlSocket } of lab.hosts)
      t.true(await until(async () => (await askDaemon(controlSocket, '/v1/status')).peers === 1, PATIENCE_MS));
    const world = { t, lab, overlay, folder, device: backend === 'udp' ? 'flannel0' : 'flannel.1' };
    // The first packet may wait for a neighbour.
    await ping(world, 1, 0);
    await body(world);
  });
}

const weft = (lab: Lab, args: readonly string[]): string[] => [
  process.execPath,
  WEFT,
  'capture',
  '--control-socket',
  lab.hosts[0]!.controlSocket,
  ...args,
];

/** Starts a capture; resolves when it sees packets. `onBytes` gets its standard output, which is a pipe, as it comes. */
async function begin(
  { t, lab }: World,
  args: readonly string[],
  onBytes?: (bytes: Buffer) => void,
): Promise<LabProcess> {
  const capture = spawnInNetns(lab.hosts[0]!.netns, weft(lab, args));
  if (onBytes !== undefined) capture.child.stdout?.on('data', onBytes);
  await until(() => /capturing on|showing what/.test(capture.stderr()) || !capture.running(), PATIENCE_MS);
  t.true(capture.running(), capture.stderr());
  return capture;
}

/** Ends it as Ctrl-C does. */
async function end({ t }: World, capture: LabProcess): Promise<string> {
  t.is((await capture.stop('SIGINT', PATIENCE_MS)).code, 0, capture.stderr());
  t.regex(capture.stderr(), COUNTS);
  return capture.stdout();
}

const COUNTS = /^weft: [\d,]+(?: dropped)? packets? .*(?:lost by the kernel|not read in time)/m;

function run({ lab }: World, args: readonly string[], wrapper: readonly string[] = []): Promise<ExecResult> {
  return execInNetns(lab.hosts[0]!.netns, [...wrapper, ...weft(lab, args)], { allowFailure: true });
}

/** Answered pings from pod to pod. */
async function ping({ lab, overlay }: World, count: number, size = PAYLOAD): Promise<void> {
  const argv = ['ping', ...PATIENTLY, '-i', '0.05', '-c', `${count}`, '-s', `${size}`, overlay.pods[1]!.address];
  await execInNetns(lab.hosts[0]!.podNetns, argv, { timeoutMs: 2 * PATIENCE_MS });
}

async function tcp({ lab, overlay, t }: World): Promise<void> {
  const server = spawnInNetns(lab.hosts[1]!.podNetns, ['iperf3', '-s', '-1', '--forceflush']);
  t.true(await until(() => server.stdout().includes('Server listening'), PATIENCE_MS));
  await execInNetns(lab.hosts[0]!.podNetns, ['iperf3', '-c', overlay.pods[1]!.address, '-n', '2M']);
  await server.stop();
}

/** One line, and perhaps one more that says what to do. */
function isOneClearLine({ t }: World, { code, stderr, stdout }: ExecResult, words: RegExp, expected = 1): void {
  t.is(code, expected, stderr);
  t.regex(stderr, words);
  t.regex(stderr, /^weft: [^\n]+\n(?:[^\n]+\n)?$/);
  t.notRegex(stderr, /\n {4}at /);
  t.is(stdout, '');
}

const FIELDS = [
  'frame.interface_name',
  'frame.packet_flags_direction',
  'frame.time_epoch',
  '_ws.malformed',
  'ip.checksum.status',
  'udp.checksum.status',
  'tcp.checksum.status',
  'icmp.checksum.status',
  'tcp.checksum',
  'icmp.type',
  'data.len',
  'frame.len',
  'tcp.len',
] as const;
type Row = Readonly<Record<(typeof FIELDS)[number], string>>;

const CHECKED = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);

/** Every packet of a file as tshark has it. iperf3's bytes are no message of another protocol. */
function tshark({ t, folder }: World, path: string, wire: Wire): Row[] {
  const argv = ['-r', path, ...tsharkDecoding(wire), ...CHECKED, '-d', 'tcp.port==5201,data', '-T', 'fields'];
  const { status, stdout, stderr } = spawnSync('tshark', [...argv, ...FIELDS.flatMap((field) => ['-e', field])], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder },
    maxBuffer: 1 << 28,
    timeout: PATIENCE_MS,
  });
  t.is(stderr.replace(/^Running as user "root".*\n/gm, ''), '');
  t.is(status, 0);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => Object.fromEntries(line.split('\t').map((value, index) => [FIELDS[index], value])) as Row);
}

/** What every capture of pings, and of TCP, has to be. */
function checkFile(world: World, path: string, wire: Wire, pings: number): Row[] {
  const { t, device } = world;
  const rows = tshark(world, path, wire);
  for (const row of rows) {
    t.is(row['_ws.malformed'], '');
    // 0: bad. 0xffff and 0 are the same to who adds; Linux writes the first.
    for (const name of ['ip', 'udp', 'tcp', 'icmp'] as const)
      if (row[`${name}.checksum.status`].split(',').includes('0') && row['tcp.checksum'] !== '0xffff')
        t.fail(`wrong checksum: ${JSON.stringify(row)}`);
    t.regex(row['frame.time_epoch'], /^\d+\.\d{9}$/);
  }
  t.true(
    rows.some((row) => !row['frame.time_epoch'].endsWith('000')),
    'no nanoseconds',
  );
  t.deepEqual([...new Set(rows.map((row) => row['frame.interface_name']))].toSorted(), [device, 'u0']);
  const ours = rows.filter((row) => row['data.len'] === `${PAYLOAD - 8}` || row['data.len'] === `${PAYLOAD}`);
  const sights = ours.map(
    (row) => `${row['frame.interface_name']} ${row['icmp.type']} ${row['frame.packet_flags_direction']}`,
  );
  // Requests go out on both edges, answers come in. Where a packet is, tshark counts or writes in hex.
  for (const edge of [device, 'u0'])
    for (const [type, direction] of [
      ['8', '(?:2|0x0*2)'],
      ['0', '(?:1|0x0*1)'],
    ])
      t.is(
        sights.filter((sight) => new RegExp(`^${edge} ${type} ${direction}$`).test(sight)).length,
        pings,
        sights.join('; '),
      );
  return rows;
}

const bytesOn = (rows: readonly Row[], edge: string): number =>
  rows.filter((row) => row['frame.interface_name'] === edge).reduce((sum, row) => sum + Number(row['tcp.len']), 0);

for (const backend of ['udp', 'vxlan'] as const)
  test(`${backend}: what capture writes Wireshark reads, on both edges, with names, directions and nanoseconds`, async (t) => {
    const wire: Wire =
      backend === 'udp'
        ? { encapsulation: 'ip-in-udp', port: 8285 }
        : { encapsulation: 'vxlan', port: VXLAN_PORT, vni: 1 };
    await withWorld(t, backend, async (world) => {
      const [path, piped] = [join(world.folder, 'file.pcapng'), join(world.folder, 'piped.pcapng')];
      const chunks: Buffer[] = [];
      const toFile = await begin(world, ['-w', path]);
      const toPipe = await begin(world, ['-w', '-'], (bytes) => chunks.push(bytes));
      await ping(world, 5);
      await tcp(world);
      t.is(await end(world, toFile), '');
      await end(world, toPipe);
      t.regex(toFile.stderr(), /; 0 lost by the kernel/);
      t.is(statSync(path).mode & 0o777, 0o600);
      writeFileSync(piped, Buffer.concat(chunks));
      if (!HAS_TSHARK) {
        t.log('tshark is not installed: the files are not read');
        return;
      }
      for (const file of [path, piped]) {
        const rows = checkFile(world, file, wire, 5);
        t.true(rows.every((row) => Number(row['frame.len']) <= 1514));
        // iperf3's server does not wait for the last of 2 MB.
        for (const edge of [world.device, 'u0'])
          t.true(bytesOn(rows, edge) > 500_000, `${edge}: ${bytesOn(rows, edge)}`);
      }
      await closedPipe(world);
      if (backend === 'vxlan') await deviceGone(world);
    });
  });

/** Who reads goes away, as head does: that is no failure, and no stack trace. */
async function closedPipe(world: World): Promise<void> {
  const { t } = world;
  for (const args of [['-w', '-'], [], ['--json']]) {
    const capture = await begin(world, args);
    capture.child.stdout?.destroy();
    t.true(
      await until(async () => {
        await ping(world, 1);
        return !capture.running();
      }, PATIENCE_MS),
    );
    t.is((await capture.exited).code, 0, capture.stderr());
    t.regex(capture.stderr(), COUNTS);
    t.notRegex(capture.stderr(), /\n {4}at /);
    t.true(capture.stderr().split('\n').length <= 4, capture.stderr());
  }
}

/** The overlay's device is deleted; weftd makes another, which is not the one that was asked for. */
async function deviceGone(world: World): Promise<void> {
  const { t, lab, device, folder } = world;
  const { netns } = lab.hosts[0]!;
  const [both, one] = [join(folder, 'both.pcapng'), join(folder, 'one.pcapng')];
  const onBoth = await begin(world, ['-w', both]);
  const onOne = await begin(world, ['-w', one, '--edge', 'overlay']);
  await ping(world, 3);
  await execInNetns(netns, ['ip', 'link', 'delete', device]);
  t.is((await onOne.exited).code, 1, onOne.stderr());
  t.regex(onOne.stderr(), /^weft: overlay device "flannel\.1" is gone/m);
  t.regex(onOne.stderr(), /^weft: No device is left to capture on$/m);
  t.notRegex(onOne.stderr(), /\n {4}at /);
  t.true(await until(() => onBoth.stderr().includes('is gone'), PATIENCE_MS));
  t.true(onBoth.running());
  await end(world, onBoth);
  if (!HAS_TSHARK) return;
  const wire: Wire = { encapsulation: 'vxlan', port: VXLAN_PORT, vni: 1 };
  const echoes = (path: string): number => tshark(world, path, wire).filter((row) => row['data.len'] !== '').length;
  t.is(echoes(one), 6);
  t.true(echoes(both) >= 12);
}

test('lines: 80 columns, both edges, outer and inner, and counts at the end; each choice takes what it says', async (t) => {
  await withWorld(t, 'udp', async (world) => {
    const peer = world.lab.hosts[1]!.underlayAddress;
    const pod = world.overlay.pods[1]!.address;
    const all = await begin(world, []);
    const icmp = await begin(world, ['--inner', `icmp and host ${pod}`]);
    const json = await begin(world, ['--json']);
    const wide = await begin(world, ['--wide', '--peer', peer, 'udp port 8285']);
    const nobody = await begin(world, ['--inner', 'host 198.51.100.1']);
    await ping(world, 3);
    await tcp(world);

    const lines = linesOf(await end(world, all));
    t.true(lines.length > 100);
    for (const line of lines) t.true(line.length <= 80 && /^[\x20-\x7e]*$/.test(line), line);
    t.true(
      lines.some((line) => / u0 +> .*192\.0\.2\.1 > 192\.0\.2\.2.* \| .*echo request 1/.test(line)),
      lines[0],
    );
    t.true(lines.some((line) => line.includes(` flannel0 < ${pod} > `) && line.includes('echo reply 3')));
    t.true(lines.some((line) => / \| .*tcp \d+ > 5201/.test(line)));

    const echoes = linesOf(await end(world, icmp));
    t.true(echoes.length >= 12 && echoes.every((line) => line.includes('echo re')), echoes.join('\n'));
    t.regex(icmp.stderr(), new RegExp(`^weft: ${echoes.length} packets shown of [\\d,]+ seen`, 'm'));

    const records = linesOf(await end(world, json)).map((line) => JSON.parse(line) as PacketReport);
    const requests = records.filter(({ inner, direction }) => direction === 'out' && inner.endsWith('echo request 1'));
    t.deepEqual([...new Set(requests.map(({ device, outer }) => `${device} ${outer}`))].toSorted(), [
      'flannel0 null',
      'u0 192.0.2.1 > 192.0.2.2 udp 8285',
    ]);
    for (const record of records)
      t.deepEqual(Object.keys(record), [
        'time',
        'device',
        'direction',
        'length',
        'outer',
        'inner',
        'sinceUs',
        'verdict',
        'notes',
      ]);

    t.true(linesOf(await end(world, wide)).some((line) => line.length > 80));
    t.is(await end(world, nobody), '');
    t.regex(nobody.stderr(), /^weft: 0 packets shown of [\d,]+ seen; 0 lost by the kernel/m);

    const four = await begin(world, ['-c', '4', '--peer', pod]);
    await ping(world, 3);
    t.is((await four.exited).code, 0);
    t.is(linesOf(four.stdout()).length, 4);
    t.regex(four.stderr(), /^weft: 4 packets shown of /m);

    const timed = await run(world, ['--duration', '0.2']);
    t.is(timed.code, 0, timed.stderr);
    t.regex(timed.stderr, COUNTS);
    await droppedPackets(world);
  });
});

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1);

async function droppedPackets(world: World): Promise<void> {
  const { t, lab, overlay } = world;
  const dropped = await begin(world, ['--dropped']);
  const noRoute = await begin(world, ['--reason', 'no-route', '--json']);
  const once = async (args: readonly string[]): Promise<unknown> =>
    execInNetns(lab.hosts[0]!.podNetns, ['ping', '-c', '1', '-W', '1', ...args], { allowFailure: true });
  const seen = async (): Promise<boolean> => {
    // Nobody has this subnet; and a TTL that ends at weftd.
    await once(['10.244.251.9']);
    await once(['-t', '2', overlay.pods[1]!.address]);
    return /ttl-expired/.test(dropped.stdout()) && /no-route/.test(dropped.stdout()) && noRoute.stdout() !== '';
  };
  t.true(await until(seen, PATIENCE_MS), `${dropped.stdout()}${noRoute.stdout()}`);
  const lines = linesOf(await end(world, dropped));
  t.regex(dropped.stderr(), /^weft: \d+ no-route: No peer holds the subnet of the destination;/m);
  for (const line of lines) {
    t.regex(line, /^[\d:.]+ weftd > .*dropped: [a-z-]+/);
    t.true(line.length <= 80, line);
  }
  const verdicts = linesOf(await end(world, noRoute)).map((line) => (JSON.parse(line) as PacketReport).verdict);
  t.true(
    verdicts.every((verdict) => verdict?.startsWith('dropped: no-route')),
    verdicts.join(),
  );
}

test('what cannot be done is one clear line, and destroys nothing', async (t) => {
  await withWorld(t, 'udp', async (world) => {
    const { folder, lab } = world;
    const refused = async (args: readonly string[], words: RegExp, code = 1, wrapper: readonly string[] = []) => {
      isOneClearLine(world, await run(world, args, wrapper), words, code);
    };
    const kept = join(folder, 'kept.pcapng');
    t.is((await run(world, ['-w', kept, '--duration', '0.1'])).code, 0);
    const before = readFileSync(kept);
    t.true(before.length > 0);
    // The words are libpcap's.
    await refused(['-w', kept, 'udp', 'prot', '53'], /The filter "udp prot 53" is not one: .*syntax error/);
    await refused(['-w', kept, '--inner', 'icmp and host'], /The filter "icmp and host" is not one: .*syntax error/);
    await refused(['-w', kept, '--peer', '198.51.100.7'], /No peer has .*198\.51\.100\.7/);
    await refused(['-w', kept, '--peer', 'a b'], /"a b" is no address/, 2);
    await refused(['-w', kept, '--network', 'nowhere'], /nowhere/);
    await refused(['-w', kept, '--edge', 'eth7'], /"eth7" is neither overlay nor underlay/);
    await refused(['-w', kept, '--reason', 'bad-luck'], /"bad-luck" is no drop reason/, 2);
    // More than a timer can count would be none at all.
    await refused(['-w', kept, '--duration', '31536000'], /must be 0\.1 to 2147483 seconds/, 2);
    await refused(['-w', kept, '-G', '31536000'], /from 1 to 2147483/, 2);
    await refused(['--dropped', 'udp port 53'], /--inner/, 2);
    await refused(['-w', kept, '--dropped', '--tap-socket', join(folder, 'none')], /none/);
    await refused(['-w', kept, '--control-socket', join(folder, 'none')], /No control socket at/);
    const noRight = ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'];
    await refused(['-w', kept], /Not permitted to capture on "flannel0"/, 1, noRight);
    t.deepEqual(readFileSync(kept), before);

    const [link, text] = [join(folder, 'link'), join(folder, 'text')];
    symlinkSync(kept, link);
    writeFileSync(text, 'letters\n');
    await refused(['-w', link], /it is a symbolic link/);
    await refused(['-w', text], /there is a file already, and it is no capture/);
    await refused(['-w', folder], /Cannot write captured packets to .*: EISDIR/);
    await refused(['-w', join(folder, 'no', 'file')], /Cannot write captured packets to .*: ENOENT/);
    t.is(readFileSync(text, 'utf8'), 'letters\n');
    t.deepEqual(readFileSync(kept), before);
    await fullDisk(world, lab);
  });
});

/** `ip netns exec` gives a program mounts of its own: the full disk goes with it. */
async function fullDisk(world: World, lab: Lab): Promise<void> {
  const { t, folder } = world;
  const [disk, saved] = [folder, join(tmpdir(), `weft-capture-${process.pid}.pcapng`)];
  t.teardown(() => rmSync(saved, { force: true }));
  const script =
    'exec 7>"$2"; mount -t tmpfs -o size=64k none "$1" || exit 9; f=$1/full; shift 2; "$@" -w "$f"; c=$?; cat "$f" >&7; exit $c';
  const argv = ['sh', '-c', script, 'sh', disk, saved, ...weft(lab, [])];
  const capture = spawnInNetns(lab.hosts[0]!.netns, argv);
  t.true(await until(() => capture.stderr().includes('capturing on') || !capture.running(), PATIENCE_MS));
  await tcp(world);
  t.is((await capture.exited).code, 1, capture.stderr());
  t.regex(
    capture.stderr(),
    /^weft: Cannot write more of .*: ENOSPC.*; the first \d+ bytes are whole and can be read$/m,
  );
  t.notRegex(capture.stderr(), /\n {4}at /);
  t.regex(capture.stderr(), COUNTS);
  const kept = Number(/the first (\d+) bytes/.exec(capture.stderr())?.[1]);
  t.is(statSync(saved).size, kept);
  if (!HAS_TSHARK) return;
  t.true(tshark(world, saved, { encapsulation: 'ip-in-udp', port: 8285 }).length > 10);
}

test('a capture ends when nobody reads it any more, or ever did, also while there is nothing to write', async (t) => {
  await withWorld(t, 'udp', async (world) => {
    const { folder, lab } = world;
    const nothing = ['--inner', 'host 198.51.100.7', '-w', '-'];
    for (const args of [nothing, ['--dropped', ...nothing]]) {
      const capture = await begin(world, args);
      capture.child.stdout?.destroy();
      t.true(await until(() => !capture.running(), PATIENCE_MS), args.join(' '));
      t.regex(capture.stderr(), /Nobody reads standard output any more/);
    }
    const pipe = join(folder, 'pipe');
    await execInNetns(lab.hosts[0]!.netns, ['mkfifo', pipe]);
    const waits = spawnInNetns(lab.hosts[0]!.netns, weft(lab, ['-w', pipe]));
    // From when on it waits shows nowhere: before, a signal ends it without a word.
    const asks = async () => {
      waits.child.kill('SIGINT');
      return !waits.running();
    };
    t.true(await until(asks, PATIENCE_MS));
    t.notRegex(waits.stderr(), /Cannot open/);
  });
});

test('a weftd that is stopped does not keep a capture of its tap from ending', async (t) => {
  await withWorld(t, 'udp', async (world) => {
    const { pid } = await askDaemon(world.lab.hosts[0]!.controlSocket, '/v1/status');
    const capture = await begin(world, ['--dropped']);
    process.kill(pid, 'SIGSTOP');
    try {
      await end(world, capture);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});
