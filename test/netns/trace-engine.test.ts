/**
 * What weft trace shows of weftd's own part, by the tap:
 *
 *   pod1 ── cni0 [ h1 ] flannel0 ── weftd ── u0 ── bridge ── u0 ── weftd ── flannel0 [ h2 ] cni0 ── pod2
 */
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { BACKENDS } from '../../lib/lab/backends.ts';
import type { LabHost } from '../../lib/lab/model.ts';
import { type ExecResult, execInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import type { TraceReport } from '../../lib/observe/trace/trace.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('e');

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

/** From pod to pod of the other host, or with `args` alone. */
function weftTrace({ netns, controlSocket }: LabHost, args: readonly string[]): Promise<ExecResult> {
  const argv = [process.execPath, WEFT, 'trace', '--control-socket', controlSocket, ...args];
  return execInNetns(netns, argv, { allowFailure: true });
}

/** A busy machine may take longer than a trace waits: asked again until `enough`. */
async function traceUntil(
  t: ExecutionContext,
  host: LabHost,
  { pods }: Overlay,
  enough: (report: TraceReport) => boolean,
): Promise<TraceReport> {
  let output = '';
  let report: TraceReport | undefined;
  const met = await until(async () => {
    const { stdout, stderr } = await weftTrace(host, [pods[1]!.address, '--from', pods[0]!.address, '--json']);
    output = stdout + stderr;
    report = JSON.parse(stdout) as TraceReport;
    return enough(report);
  }, PATIENCE_MS);
  t.true(met, output);
  return report!;
}

function inside({ probes }: TraceReport): string[] {
  return (
    probes[0]!.points
      .filter(({ place }) => place === 'weftd')
      // A busy machine may let the monitor's probe wait for ours: then they are a train.
      .map(
        ({ kind, direction, note }) =>
          `${kind} ${direction}: ${note?.replace(/[\d.]+ us/, 'T us').replace(/, \d of a train of \d$/, '')}`,
      )
  );
}

for (const backend of ['udp', 'vxlan', 'ipip'] as const)
  test(`weft trace shows when weftd had the packet and its answer in hand: ${backend}`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      const overlay = await startOverlay(lab, { config: defaultConfig(BACKENDS[backend]) });
      const report = await traceUntil(
        t,
        lab.hosts[0]!,
        overlay,
        (each) => each.answer.arrived && inside(each).length === 2,
      );
      t.deepEqual(inside(report), ['probe out: sent to 192.0.2.2 in T us', 'answer in: from 192.0.2.2, T us']);
      t.deepEqual(report.notes, []);
      const places = report.probes[0]!.points.filter(({ kind }) => kind === 'probe').map(({ place }) => place);
      t.deepEqual(places, ['pod veth', 'bridge', 'overlay', 'weftd', 'underlay']);
      const { controlSocket } = lab.hosts[0]!;
      const isAlone = async () => (await askDaemon(controlSocket, '/v1/status')).tap.readers.length === 0;
      t.true(await until(isAlone, PATIENCE_MS), 'nobody reads the tap any more');
    });
  });

/** Host 2's tunnel packets come from an address that no lease has. */
const SOURCE_CHANGED = `table ip changed {
  chain out { type filter hook output priority 0; ip daddr 192.0.2.1 udp dport 8285 ip saddr set 192.0.2.77; }
}`;

test('what weftd drops is the answer, with its reason', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab);
    await traceUntil(t, lab.hosts[0]!, overlay, ({ answer }) => answer.arrived);
    await execInNetns(lab.hosts[1]!.netns, ['nft', SOURCE_CHANGED]);
    const report = await traceUntil(
      t,
      lab.hosts[0]!,
      overlay,
      ({ answer }) => answer.code === 'dropped-unknown-peer' && answer.text.includes('the answer'),
    );
    t.regex(report.answer.text, /^does not arrive: weftd drops the answer as unknown-peer/);
    const dropped = report.probes[0]!.points.find(({ place, kind }) => place === 'weftd' && kind === 'answer');
    t.is(dropped?.dropped, 'unknown-peer');
  });
});

test('without a tap weft trace says so, and goes on', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab, { daemonArgs: ['--tap-socket='] });
    const report = await traceUntil(t, lab.hosts[0]!, overlay, ({ answer }) => answer.arrived);
    t.deepEqual(inside(report), []);
    t.deepEqual(report.notes, ['inside weftd the probe is not watched: it has no tap (--tap-socket)']);
    const { stdout } = await weftTrace(lab.hosts[0]!, ['192.0.2.2']);
    t.regex(stdout, /^ note: inside weftd/m);
  });
});
