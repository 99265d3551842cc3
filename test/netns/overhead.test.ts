import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { BACKENDS, type BackendName } from '../../lib/lab/backends.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns, type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { percentile } from '../../lib/measure/statistics.ts';
import type { OverheadReport } from '../../lib/observe/overhead/overhead.ts';
import { PATIENCE_MS } from '../patience.ts';
import { captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { testInLabs } from './labs.ts';
import { PATIENTLY } from './pings.ts';

const { id, test } = testInLabs('h');

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const PINGS = 300;
const ECHO_REQUEST = '8';
const ECHO_REPLY = '0';

const KINDS = {
  udp: { device: 'flannel0', filter: 'udp port 8285', decodeAs: udpPortAs(8285, 'ip') },
  vxlan: { device: 'flannel.1', filter: 'udp port 4789', decodeAs: udpPortAs(4789, 'vxlan') },
} as const satisfies Partial<Record<BackendName, unknown>>;

/** `weft overhead --json` on the first host while `body` runs. */
async function overheadWhile(
  t: ExecutionContext,
  lab: Lab,
  body: (looking: LabProcess) => Promise<void>,
): Promise<OverheadReport> {
  const { netns, controlSocket } = lab.hosts[0]!;
  const argv = [process.execPath, WEFT, 'overhead', '--json', '--seconds', '0', '--control-socket', controlSocket];
  const looking = spawnInNetns(netns, argv);
  t.true(await until(() => looking.stderr().includes('Looking at') || !looking.running(), PATIENCE_MS));
  await body(looking);
  const { code } = await looking.stop('SIGINT');
  t.is(code, 0, looking.stderr());
  return JSON.parse(looking.stdout()) as OverheadReport;
}

/** Microseconds of each echo by its sequence number, of one type, as tshark reads a file. */
async function stamps(file: string, decodeAs: string | undefined, type: string): Promise<Map<string, number>> {
  const rows = await readFields(file, decodeAs, ['icmp.seq', 'frame.time_epoch'], `icmp.type == ${type}`);
  // Less a large number of seconds, or a double has no room for microseconds.
  return new Map(rows.map(([sequence = '', time = '']) => [sequence, Number(time.slice(5)) * 1e6]));
}

async function pings(t: ExecutionContext, lab: Lab, { pods }: Overlay): Promise<void> {
  const argv = ['ping', '-n', '-q', '-c', String(PINGS), '-i', '0.005', ...PATIENTLY, pods[1]!.address];
  const { stdout } = await execInNetns(lab.hosts[0]!.podNetns, argv);
  t.regex(stdout, new RegExp(` ${PINGS} received`));
}

for (const [backend, { device, filter, decodeAs }] of Object.entries(KINDS))
  test(`weft overhead agrees with what tshark exports of the same packets: ${backend}`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      // Probes are in no figure of either side.
      const config = defaultConfig(BACKENDS[backend as keyof typeof KINDS]);
      const overlay = await startOverlay(lab, { config, daemonArgs: ['--peer-probe-interval=off'] });
      await execInNetns(lab.hosts[0]!.podNetns, ['ping', '-n', '-c', '1', ...PATIENTLY, overlay.pods[1]!.address]);
      const { netns } = lab.hosts[0]!;
      let report: OverheadReport | undefined;
      let overlayFile = '';
      const underlayFile = await captureWhile(lab, { netns, device: 'u0', filter }, async () => {
        overlayFile = await captureWhile(lab, { netns, device, filter: 'icmp' }, async () => {
          report = await overheadWhile(t, lab, () => pings(t, lab, overlay));
        });
      });
      for (const [direction, type] of [
        ['outbound', ECHO_REQUEST],
        ['inbound', ECHO_REPLY],
      ] as const) {
        const inner = await stamps(overlayFile, undefined, type);
        const outer = await stamps(underlayFile, decodeAs, type);
        const elapsed = [...inner].flatMap(([sequence, at]) => {
          const other = outer.get(sequence);
          return other === undefined ? [] : [Math.abs(other - at)];
        });
        const { packets, paired, lost, p50, octaves } = report![direction];
        t.true(elapsed.length > PINGS * 0.9, `${direction}: tshark pairs ${elapsed.length}`);
        t.true(packets >= PINGS && paired >= PINGS, `${direction}: ${paired} of ${packets}`);
        t.is(lost, 0);
        t.is(
          octaves.reduce((sum, count) => sum + count, 0),
          paired,
        );
        const expected = percentile(elapsed, 0.5) * 1000;
        t.true(Math.abs(p50! / expected - 1) < 0.2, `${direction}: p50 ${p50} ns, by tshark ${expected}`);
        t.log(`${direction}: p50 ${(p50! / 1000).toFixed(1)} us, by tshark ${(expected / 1000).toFixed(1)}`);
      }
      t.is(report!.notSeen, 0);
      t.deepEqual(report!.notes, []);
      t.true(report!.daemonCpu !== null && report!.machineCpuSeconds > 0);
      t.true(report!.stages !== null && report!.stages.asleep.turns > 0);
    });
  });

test('TCP in super-packets and trains is paired whole, both ways, and nothing is lost', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab, { config: defaultConfig(BACKENDS.udp) });
    const [from, to] = lab.hosts;
    const report = await overheadWhile(t, lab, async () => {
      const server = spawnInNetns(to!.podNetns, ['iperf3', '-s', '-1', '--forceflush']);
      await until(() => server.stdout().includes('Server listening'), PATIENCE_MS);
      await execInNetns(from!.podNetns, ['iperf3', '-c', overlay.pods[1]!.address, '-n', '20M']);
      await server.stop();
    });
    const { outbound, inbound, stages } = report;
    // iperf3 does not wait for the last of 20 MB.
    t.true(outbound.packets > 8000, `${outbound.packets}`);
    t.true(outbound.bytes > 10_000_000, JSON.stringify(report));
    for (const { packets, paired, lost, onTheWay } of [outbound, inbound]) t.is(packets, paired + lost + onTheWay);
    // What a busy machine's ring had no room for on one edge seems lost; what the device's queue had no room for is.
    const { stdout } = await execInNetns(from!.netns, ['ip', '-s', '-j', 'link', 'show', 'dev', 'flannel0']);
    const [{ stats64 }] = JSON.parse(stdout) as [{ stats64: { tx: { dropped: number } } }];
    const dropped = stats64.tx.dropped + Object.values(report.drops).reduce((sum, count) => sum + count, 0);
    if (report.notSeen + dropped === 0) t.deepEqual([outbound.lost, inbound.lost], [0, 0], JSON.stringify(report));
    // How many of its few hundred turns the clock measured is chance.
    t.true(stages!.asleep.turns > 0);
  });
});

test('weftd that ends while weft overhead looks: at once, what was seen and that it has ended', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab, { config: defaultConfig(BACKENDS.udp) });
    const report = await overheadWhile(t, lab, async (looking) => {
      await pings(t, lab, overlay);
      await overlay.daemons[0]!.stop('SIGKILL');
      // Nobody has to tell it that there is nothing more to see.
      t.true(await until(() => !looking.running(), PATIENCE_MS));
    });
    t.true(report.outbound.paired >= PINGS, JSON.stringify(report.outbound));
    t.deepEqual([report.stages, report.drops, report.daemonCpu], [null, {}, null]);
    t.regex(report.notes.join('\n'), /^weftd did not answer at the end \(.*weft\.sock.*\): its clock, its drops/m);
    t.regex(report.notes.join('\n'), /the overlay there is not seen any more/);
  });
});

test('weft overhead says in one line what it cannot measure', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await startOverlay(lab, { config: defaultConfig(BACKENDS['host-gw']) });
    const { netns, controlSocket } = lab.hosts[0]!;
    const run = (args: readonly string[]) =>
      execInNetns(netns, [process.execPath, WEFT, 'overhead', ...args], { allowFailure: true });
    const hostGw = await run(['--control-socket', controlSocket]);
    t.is(hostGw.code, 1);
    t.regex(hostGw.stderr, /^weft: No packet of this network goes through weftd: host-gw has no device of its own\n/);
    const none = await run(['--control-socket', '/nowhere.sock']);
    t.is(none.code, 1);
    t.regex(none.stderr, /^weft: .*\/nowhere\.sock/);
  });
});
