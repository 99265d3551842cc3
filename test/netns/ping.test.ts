import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import type { PeerPing } from '../../lib/cli/commands/ping.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { type ExecResult, execInNetns } from '../../lib/lab/netns.ts';
import { type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { openRawIcmp } from '../../lib/measure/raw-icmp.ts';
import { whySkipped } from './enter.ts';

//   [ h1 ] u0 192.0.2.1 ── bridge ── 192.0.2.2 u0 [ h2 ]        weft ping runs in h1

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

function reasonToSkip(): string | undefined {
  const reason = whySkipped();
  if (reason !== undefined) return reason;
  try {
    createRequire(import.meta.url).resolve('raw-socket');
    return undefined;
  } catch {
    return 'the optional package raw-socket is not installed';
  }
}

const reason = reasonToSkip();
if (reason !== undefined) process.stderr.write(`Skipping weft ping: ${reason}\n`);
const test = reason === undefined ? anyTest.serial : anyTest.serial.skip;

function weftPing(lab: Lab, args: readonly string[], wrapper: readonly string[] = []): Promise<ExecResult> {
  const host = lab.hosts[0]!;
  const argv = [...wrapper, process.execPath, WEFT, 'ping', '--control-socket', host.controlSocket, ...args];
  return execInNetns(host.netns, argv, { allowFailure: true });
}

async function pingJson(lab: Lab, args: readonly string[]): Promise<{ code: number | undefined; peers: PeerPing[] }> {
  const { code, stdout } = await weftPing(lab, [...args, '--json', '--count', '10', '--interval', '0.02']);
  return { code, peers: (JSON.parse(stdout) as { peers: PeerPing[] }).peers };
}

test('weft ping asks a peer over the underlay and through the overlay, from where the daemon is (N5), and reports loss and errors', async (t) => {
  const id = `p${process.pid.toString(36)}`;
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab);
    await bothPathsAnswer(t, lab, overlay);
    await leavesFromTheDaemon(t, lab);
    await silenceIsLoss(t, lab, overlay);
    await missingRightIsOneLine(t, lab);
  });
});

async function bothPathsAnswer(t: ExecutionContext, lab: Lab, overlay: Overlay): Promise<void> {
  const all = await pingJson(lab, []);
  t.is(all.code, 0);
  t.is(all.peers.length, 1);
  const { publicIp, subnet, underlay, overlay: through, overlayCostMs } = all.peers[0]!;
  t.is(publicIp, '192.0.2.2');
  t.like(underlay, { address: '192.0.2.2', sent: 10, received: 10, lost: 0, errors: [] });
  t.like(through, { address: subnet.replace('/24', ''), sent: 10, received: 10, lost: 0, errors: [] });
  t.true(underlay.p50Ms !== null && through.p50Ms !== null && overlayCostMs !== null);
  const pod = overlay.pods[1]!.address;
  const toPod = await pingJson(lab, [pod]);
  t.like(toPod.peers[0]?.overlay, { address: pod, received: 10 });
  // No pod has this address: the peer's own host says so.
  const nobody = await pingJson(lab, [pod.replace(/\.2$/, '.99')]);
  t.is(nobody.code, 1);
  t.is(nobody.peers[0]?.overlay.received, 0);
  t.regex(nobody.peers[0]?.overlay.errors[0]?.message ?? '', /^ICMP unreachable \(host\) from /);
}

/** From the namespace of the underlay nothing leads into the overlay. */
async function leavesFromTheDaemon(t: ExecutionContext, lab: Lab): Promise<void> {
  const argv = [
    process.execPath,
    WEFT,
    'ping',
    '--json',
    '--count',
    '5',
    '--control-socket',
    lab.hosts[0]!.controlSocket,
  ];
  const { stdout, stderr } = await execInNetns(lab.etcdNetns, argv, { allowFailure: true });
  t.is(stderr, '');
  t.like((JSON.parse(stdout) as { peers: PeerPing[] }).peers[0], {
    underlay: { received: 5 },
    overlay: { received: 5 },
  });
}

async function silenceIsLoss(t: ExecutionContext, lab: Lab, overlay: Overlay): Promise<void> {
  await overlay.daemons[1]!.stop();
  const { code, peers } = await pingJson(lab, ['192.0.2.2']);
  t.is(code, 1);
  t.like(peers[0]?.underlay, { received: 10, lost: 0 });
  t.like(peers[0]?.overlay, { received: 0, lost: 10, p50Ms: null });
  t.is(peers[0]?.overlayCostMs, null);
}

async function missingRightIsOneLine(t: ExecutionContext, lab: Lab): Promise<void> {
  const { code, stderr } = await weftPing(lab, [], ['setpriv', '--inh-caps=-all', '--bounding-set=-net_raw']);
  t.is(code, 1);
  t.is(stderr, 'weft: Cannot open a raw ICMP socket: CAP_NET_RAW is missing\nRun it with sudo\n');
}

test('a raw ICMP socket opens and closes', (t) => {
  t.notThrows(() => openRawIcmp().close());
});
