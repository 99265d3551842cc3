import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import type { BackendName } from '../../lib/lab/backends.ts';
import { BACKENDS } from '../../lib/lab/backends.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { type ExecResult, execInNetns, spawnInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import type { VerifyReport } from '../../lib/observe/verify/report.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';

// `weft verify` as it is typed on a host, while pods talk.

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

const reason = whySkipped();
if (reason !== undefined) process.stderr.write(`Skipping weft verify: ${reason}\n`);
const test = reason === undefined ? anyTest.serial : anyTest.serial.skip;

function weft(lab: Lab, args: readonly string[]): string[] {
  return [process.execPath, WEFT, 'verify', '--control-socket', lab.hosts[0]!.controlSocket, ...args];
}

/** Runs `traffic` while the first host's packets are looked at, by a weft in the namespace `from`; returns what is reported. */
async function verifyDuring(
  t: ExecutionContext,
  lab: Lab,
  traffic: () => Promise<unknown>,
  from = lab.hosts[0]!.netns,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<VerifyReport> {
  const verifying = spawnInNetns(from, weft(lab, ['--seconds', '0', '--json']));
  t.true(await until(() => verifying.stderr().includes('Looking at') || !verifying.running(), PATIENCE_MS));
  await traffic();
  const { code } = await verifying.stop(signal);
  const report = JSON.parse(verifying.stdout()) as VerifyReport;
  t.is(code, report.ok ? 0 : 1, verifying.stderr());
  return report;
}

async function talk(lab: Lab, { pods }: Overlay): Promise<void> {
  const [from, to] = lab.hosts;
  const address = pods[1]!.address;
  await execInNetns(from!.podNetns, ['ping', '-c', '20', '-i', '0.01', '-s', '1000', address]);
  const server = spawnInNetns(to!.podNetns, ['iperf3', '-s', '-1', '--forceflush']);
  await until(() => server.stdout().includes('Server listening'), PATIENCE_MS);
  await execInNetns(from!.podNetns, ['iperf3', '-c', address, '-n', '20M']);
  await server.stop();
}

/** A host without a lease says something in the tunnel's words. */
async function intrude(lab: Lab): Promise<ExecResult> {
  const { netns, underlayInterface } = lab.hosts[1]!;
  await execInNetns(netns, ['ip', 'address', 'add', '192.0.2.99/24', 'dev', underlayInterface]);
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.bind(8285, '192.0.2.99', () => {
      const inner = Buffer.from('4500001c00000000' + '3e11' + '0000' + '0af40102' + '0af40202' + '0001000200080000', 'hex');
      socket.send(inner, 8285, '192.0.2.1', () => socket.close());
    });`;
  return execInNetns(netns, [process.execPath, '-e', script]);
}

for (const backend of ['udp', 'vxlan', 'ipip'] as const satisfies readonly BackendName[])
  test(`${backend}: all that two Wefts send each other is right, cut and finished as on the wire`, async (t) => {
    await withLab({ id: `v${process.pid.toString(36)}`, hosts: 2 }, async (lab) => {
      const overlay = await startOverlay(lab, { config: { Network: '10.244.0.0/16', Backend: BACKENDS[backend] } });
      // From wherever it is asked, it looks where the daemon is.
      const { netns, podNetns } = lab.hosts[0]!;
      const report = await verifyDuring(t, lab, () => talk(lab, overlay), backend === 'ipip' ? podNetns : netns);
      t.deepEqual(report.faults, []);
      t.true(report.ok);
      // 20 MB in packets of at most 1,500 bytes, but for what iperf3 left in its socket; what was lost by the capture is counted.
      t.true(report.checked + report.lost > 5_000, JSON.stringify({ ...report, directions: [] }));
      t.deepEqual(report.directions.map(({ from, to }) => `${from} > ${to}`).toSorted(), [
        '192.0.2.1 > 192.0.2.2',
        '192.0.2.2 > 192.0.2.1',
      ]);
      if (backend !== 'udp') return;
      // Ended as a service manager ends it.
      const bad = await verifyDuring(t, lab, () => intrude(lab), netns, 'SIGTERM');
      t.false(bad.ok);
      t.true(bad.faults.map(({ check }) => check).includes('outer-addresses'), JSON.stringify(bad));
    });
  });

test('what cannot be done is one line: no daemon, no right, a network that is not there; nothing seen is no success', async (t) => {
  await withLab({ id: `w${process.pid.toString(36)}`, hosts: 2 }, async (lab) => {
    const { netns } = lab.hosts[0]!;
    const run = (args: readonly string[], wrapper: readonly string[] = []) =>
      execInNetns(netns, [...wrapper, ...weft(lab, args)], { allowFailure: true });
    t.like(await run([]), { code: 1, stdout: '' });
    await startOverlay(lab);
    const idle = await run(['--seconds', '0.1']);
    t.is(idle.code, 1);
    t.regex(idle.stdout, /NOTHING was checked/);
    t.regex((await run(['--network', 'nobody'])).stderr, /nobody/);
    const noRight = await run(
      ['--seconds', '0.1'],
      ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'],
    );
    t.is(noRight.code, 1);
    t.regex(noRight.stderr, /^weft: .*(?:permi|CAP_NET_RAW)/i);
    t.notRegex(noRight.stderr, /\n {4}at /);
  });
});
