/**
 * What `weft ui` costs with a page open: its own CPU, and what weftd uses more. Two hosts of a lab with backend udp, leases of
 * nodes that do not exist, UDP between the two pods; weftd is measured with and without a page, in turn. Not a test, for its
 * result is times:
 *
 *   sudo node dist/test/ui/ui-cost.js [peers] [packets a second]
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LeaseWrites } from '../../lib/bench/lease-writes.ts';
import { askDaemon } from '../../lib/control/client.ts';
import { ipBatch, run } from '../../lib/lab/command.ts';
import { DEFAULT_ETCD_PREFIX } from '../../lib/lab/etcd.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { spawnInNetns } from '../../lib/lab/netns.ts';
import { startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { processCpuSeconds } from '../../lib/measure/cpu-time.ts';
import { median } from '../../lib/measure/statistics.ts';
import { PATIENCE_MS } from '../patience.ts';
import { EventStream, enter } from './browser-like.ts';

const ROUNDS = 5;
const ROUND_MS = 12_000;
/** The first readings, and what is made for a new page. */
const SETTLE_MS = 4000;
const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
/** RFC 2544's own: addresses of benchmarks. */
const NOBODY = '198.18';

const [peers = 1000, packets = 490] = process.argv.slice(2).map(Number);

async function writeLeases(lab: Lab): Promise<void> {
  const writes = Array.from({ length: peers - 1 }, (_, i) => ({
    key: `${DEFAULT_ETCD_PREFIX}/subnets/10.${200 + (i >> 8)}.${i & 255}.0-24`,
    value: JSON.stringify({ PublicIP: `${NOBODY}.${(i + 1) >> 8}.${(i + 1) & 255}`, PublicIPv6: null }),
  }));
  const wanted: LeaseWrites = { endpoint: lab.etcdEndpoint, writes, perSecond: null };
  const script = fileURLToPath(new URL('../../lib/bench/lease-writes.js', import.meta.url));
  await run('ip', ['netns', 'exec', lab.etcdNetns, process.execPath, script], { input: JSON.stringify(wanted) });
}

const cpuOf = (pid: number): number => processCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** Cores' worth of each process over a round. */
async function coresOf(pids: readonly number[]): Promise<number[]> {
  const before = pids.map(cpuOf);
  const start = performance.now();
  await delay(ROUND_MS);
  const seconds = (performance.now() - start) / 1000;
  return pids.map((pid, i) => (cpuOf(pid) - before[i]!) / seconds);
}

async function withPage(
  controlSocket: string,
  weftd: number,
): Promise<{ ui: number; weftd: number; lines: number; kilobytes: number }> {
  const argv = [process.execPath, WEFT, 'ui', '--listen', '127.0.0.1:0', '--control-socket', controlSocket];
  const ui = spawnInNetns(undefined, argv);
  await until(() => ui.stdout().includes('\n') || !ui.running(), PATIENCE_MS);
  const { base, cookie } = await enter(ui.stdout().trim());
  const stream = await EventStream.open(base, cookie);
  await stream.find('packets');
  await delay(SETTLE_MS);
  stream.told.length = 0;
  const [ofUi = Number.NaN, ofWeftd = Number.NaN] = await coresOf([ui.pid, weftd]);
  const lines = stream.all('packets').reduce((sum, batch) => sum + batch.lines.length, 0);
  const kilobytes = JSON.stringify(stream.told).length / 1000;
  stream.close();
  await ui.stop('SIGINT');
  return { ui: ofUi, weftd: ofWeftd, lines: lines / (ROUND_MS / 1000), kilobytes: kilobytes / (ROUND_MS / 1000) };
}

const percent = (cores: number): string => `${(cores * 100).toFixed(2)} %`;

await withLab({ id: `k${process.pid.toString(36)}`, hosts: 2 }, async (lab) => {
  const [h1, h2] = lab.hosts;
  for (const host of lab.hosts)
    await ipBatch(host.netns, [
      'link add nobody type veth peer name nobody-end',
      'link set nobody-end up',
      'link set nobody arp off up',
      `route add ${NOBODY}.0.0/16 dev nobody`,
    ]);
  const config = {
    Network: '10.0.0.0/8',
    SubnetLen: 24,
    SubnetMin: '10.1.0.0',
    SubnetMax: '10.99.0.0',
    Backend: { Type: 'udp' },
  };
  const { pods, daemons } = await startOverlay(lab, { config });
  await writeLeases(lab);
  const known = async () => (await askDaemon(h1!.controlSocket, '/v1/status')).peers >= peers;
  if (!(await until(known, PATIENCE_MS))) throw new Error('weftd does not know all peers');
  spawnInNetns(h2!.podNetns, ['iperf3', '-s'], { logFile: '/dev/null' });
  const flow = [
    'iperf3',
    '-c',
    pods[1]!.address,
    '-u',
    '--bidir',
    '-l',
    '600',
    '-b',
    `${(packets / 2) * 600 * 8}`,
    '-t',
    '0',
    '-i',
    '0',
  ];
  await delay(1000);
  spawnInNetns(h1!.podNetns, flow, { logFile: '/dev/null' });
  const weftd = daemons[0]!.pid;
  const rows = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [without = Number.NaN] = await coresOf([weftd]);
    const page = await withPage(h1!.controlSocket, weftd);
    rows.push({ ...page, more: page.weftd - without, without });
    process.stdout.write(
      `weft ui ${percent(page.ui)} of a core, ${page.lines.toFixed(0)} lines/s, ${page.kilobytes.toFixed(0)} kB/s; ` +
        `weftd ${percent(without)} without a page, ${percent(page.weftd)} with one\n`,
    );
  }
  process.stdout.write(
    `${peers} peers, ${packets} packets/s, median of ${ROUNDS}: weft ui ${percent(median(rows.map(({ ui }) => ui)))}, ` +
      `weftd ${percent(median(rows.map(({ more }) => more)))} more\n`,
  );
});
