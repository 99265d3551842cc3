/**
 * `weft bench --serve` and `--peer` as users type them, on the two hosts of a lab, which are the two machines; a weftd runs on
 * each. Whatever ends a run, nothing of it is left on either, and the weftds are as they were.
 */
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { FarReport } from '../../lib/bench/far/far-report.ts';
import { askDaemon } from '../../lib/control/client.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { execInNetns, type LabProcess, listNamespaces, processesIn, spawnInNetns } from '../../lib/lab/netns.ts';
import { startOverlay } from '../../lib/lab/overlay.ts';
import { whenPeersAreKnown } from '../../lib/lab/ready-daemon.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('j');

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const SHORT = ['--rounds', '1', '--seconds', '1', '--udp-seconds', '0.1', '--pings', '20'];

interface FarEnd {
  readonly process: LabProcess;
  readonly token: string;
}

function bench(host: LabHost, args: readonly string[], environment: readonly string[] = []): LabProcess {
  const argv = [process.execPath, WEFT, 'bench', '--control-socket', host.controlSocket, ...args];
  return spawnInNetns(host.netns, ['env', ...environment, ...argv]);
}

async function serve(t: ExecutionContext, host: LabHost): Promise<FarEnd> {
  const far = bench(host, ['--serve', host.underlayAddress]);
  const tokenOf = () => /token +(\S+)/.exec(far.stdout())?.[1];
  t.true(await until(() => tokenOf() !== undefined || !far.running(), PATIENCE_MS), far.stderr());
  return { process: far, token: tokenOf() ?? '' };
}

/** What a run makes: namespaces and a folder for each side, named after it; and whoever runs in the hosts beside the weftds. */
function remains(near: LabProcess, far: LabProcess, lab: Lab, standing: readonly number[]): string[] {
  const ids = [`n${near.pid.toString(36)}`, `f${far.pid.toString(36)}`];
  const processes = processesIn(lab.hosts.map(({ netns }) => netns)).filter((pid) => !standing.includes(pid));
  return [
    ...listNamespaces().filter((name) => ids.some((own) => name.startsWith(`weftbench-${own}-`))),
    ...readdirSync(tmpdir()).filter((name) => ids.some((own) => name.startsWith(`weft-bench-${own}-`))),
    ...processes.filter((pid) => existsSync(`/proc/${pid}/exe`)).map((pid) => `process ${pid} ${executable(pid)}`),
  ];
}

function executable(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return 'that has ended';
  }
}

/** What must be as before: the process, its lease, its devices, its configuration. */
async function standingOf(lab: Lab) {
  const links = await Promise.all(
    lab.hosts.map(({ netns }) =>
      execInNetns(netns, ['sh', '-c', 'ls /sys/class/net; ip -4 -o addr; ip route; ip neigh show nud permanent']),
    ),
  );
  const states = await Promise.all(lab.hosts.map(({ controlSocket }) => askDaemon(controlSocket, '/v1/status')));
  return {
    links: links.map(({ stdout }) => stdout.replaceAll(/(valid|preferred)_lft \S+/g, '')),
    states: states.map(({ pid, state, lease, backend, network, alarms }) => ({
      pid,
      state,
      backend,
      network,
      alarms,
      lease: { ...lease, expiresAt: null },
    })),
  };
}

async function withTwoMachines(body: (lab: Lab, near: LabHost, far: LabHost) => Promise<void>): Promise<void> {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await startOverlay(lab);
    await whenPeersAreKnown(lab.hosts);
    const [near, far] = lab.hosts;
    await body(lab, near!, far!);
  });
}

test('between two machines: underlay, the overlay that runs, weftds of its own; then nothing is left', async (t) => {
  await withTwoMachines(async (lab, nearHost, farHost) => {
    const before = await standingOf(lab);
    const standing = processesIn(lab.hosts.map(({ netns }) => netns));
    const far = await serve(t, farHost);
    const file = join(lab.directory, 'token');
    writeFileSync(file, `${far.token.toLowerCase()}\n`);
    const peer = ['--peer', farHost.underlayAddress, ...SHORT, '--json', '--token-file', file];
    const near = bench(nearHost, [...peer, '--tests', 'tcp1,udp64,rtt']);
    const { code } = await near.exited;
    t.is(code, 0, `${near.stderr()}${near.stdout()}`);
    const report = JSON.parse(near.stdout()) as FarReport;
    t.deepEqual([report.failures, report.notMeasured, report.lost, report.interrupted], [[], [], null, false]);
    t.is(report.near.address, nearHost.underlayAddress);
    t.is(report.far.address, farHost.underlayAddress);
    t.like(report.overlay, { backend: 'udp', mtu: 1472 });
    for (const path of ['underlay', 'overlay', 'weft-udp', 'weft-vxlan'])
      for (const [metric, ways] of [
        ['throughput', 2],
        ['rate', 2],
        ['p50', 1],
      ] as const) {
        const rows = report.results.filter((row) => row.path === path && row.metric === metric);
        t.is(rows.length, ways, `${path} ${metric}`);
        for (const row of rows) t.true(row.median > 0 && row.samples.length === 1, JSON.stringify(row));
      }
    // Of the overlays both weftds are read, and of the underlay there are none.
    const daemons = report.results.filter(({ metric }) => metric === 'daemonCpu');
    t.deepEqual([...new Set(daemons.map(({ path }) => path))], ['overlay', 'weft-udp', 'weft-vxlan']);
    t.deepEqual(new Set(daemons.map(({ side }) => side)), new Set(['near', 'far']));
    t.deepEqual(report.tcpMss, { underlay: 1448, overlay: 1420, 'weft-udp': 1420, 'weft-vxlan': 1398 });
    // Its own are on the near side's way out when the report is printed; the far side's follow.
    t.true(
      await until(() => remains(near, far.process, lab, [...standing, far.process.pid]).length === 0, PATIENCE_MS),
      remains(near, far.process, lab, standing).join(),
    );
    t.deepEqual(await standingOf(lab), before);
    const end = await far.process.stop('SIGINT');
    t.is(end.code, 0, far.process.stderr());
    t.deepEqual(remains(near, far.process, lab, standing), []);
    t.false(near.stderr().includes(far.token));
  });
});

/** Starts a run and waits until both sides have weftds of their own. */
async function untilPairRuns(
  t: ExecutionContext,
  nearHost: LabHost,
  farHost: LabHost,
  far: FarEnd,
): Promise<LabProcess> {
  const peer = ['--peer', farHost.underlayAddress, ...SHORT, '--rounds', '9', '--json'];
  const near = bench(nearHost, [...peer, '--tests', 'rtt'], [`WEFT_BENCH_TOKEN=${far.token}`]);
  const inPair = () => near.stderr().includes('weft-udp  rtt  p50');
  t.true(await until(() => inPair() || !near.running(), PATIENCE_MS), near.stderr());
  t.true(near.running(), near.stderr());
  return near;
}

test('SIGKILL of the near side leaves nothing on either, and the far side serves the next one', async (t) => {
  await withTwoMachines(async (lab, nearHost, farHost) => {
    const before = await standingOf(lab);
    const standing = processesIn(lab.hosts.map(({ netns }) => netns));
    const far = await serve(t, farHost);
    const near = await untilPairRuns(t, nearHost, farHost, far);
    t.true(remains(near, far.process, lab, standing).length > 0);
    near.child.kill('SIGKILL');
    await near.exited;
    const left = () => remains(near, far.process, lab, [...standing, far.process.pid]);
    t.true(await until(() => left().length === 0, PATIENCE_MS), left().join());
    t.deepEqual(await standingOf(lab), before);
    const again = await untilPairRuns(t, nearHost, farHost, far);
    const { code } = await again.stop('SIGINT');
    t.is(code, 130, again.stderr());
    const report = JSON.parse(again.stdout()) as FarReport;
    t.true(report.interrupted);
    t.true(report.results.some(({ path }) => path === 'weft-udp'));
    t.is((await far.process.stop('SIGTERM')).code, 0);
    t.deepEqual(remains(again, far.process, lab, standing), []);
  });
});

test('Ctrl-C of the far side: the near side reports what it has, and why it is no more', async (t) => {
  await withTwoMachines(async (lab, nearHost, farHost) => {
    const before = await standingOf(lab);
    const standing = processesIn(lab.hosts.map(({ netns }) => netns));
    const far = await serve(t, farHost);
    const near = await untilPairRuns(t, nearHost, farHost, far);
    t.is((await far.process.stop('SIGINT')).code, 0, far.process.stderr());
    t.is((await near.exited).code, 1);
    const report = JSON.parse(near.stdout()) as FarReport;
    t.regex(report.lost ?? '', /SIGINT there/);
    t.false(report.interrupted);
    t.true(report.results.some(({ path }) => path === 'underlay'));
    t.deepEqual(remains(near, far.process, lab, standing), []);
    t.deepEqual(await standingOf(lab), before);
  });
});

test('what a user types wrong, and what is not there, is one line each', async (t) => {
  await withTwoMachines(async (_lab, nearHost, farHost) => {
    const far = await serve(t, farHost);
    const place = farHost.underlayAddress;
    const cases: readonly (readonly [RegExp, LabHost, readonly string[], string?])[] = [
      [/^weft: --serve 0\.0\.0\.0 would listen on every network/, farHost, ['--serve', '0.0.0.0']],
      [
        /^weft: Cannot listen on 192\.0\.2\.1:8290: this machine has no such address/,
        farHost,
        ['--serve', nearHost.underlayAddress],
      ],
      [/^weft: Cannot listen on 192\.0\.2\.2:8290: another program has that port/, farHost, ['--serve', place]],
      [/^weft: There is no terminal to ask for the token/, nearHost, ['--peer', place]],
      [/^weft: That is no token/, nearHost, ['--peer', place], 'secret'],
      [/^weft: 192\.0\.2\.2:8290 refuses the token/, nearHost, ['--peer', place], '00000-00000-00000-00000'],
      [/^weft: Cannot reach 192\.0\.2\.2:9000: nobody listens there/, nearHost, ['--peer', `${place}:9000`], far.token],
      [/^weft: Cannot read the token from \/none/, nearHost, ['--peer', place, '--token-file', '/none']],
      [/^weft: --settings, --paths, --budget and --flanneld are/, nearHost, ['--peer', place, '--settings', 'free']],
      [
        /^weft: --peer does not measure scale-peers, but tcp1, /,
        nearHost,
        ['--peer', place, '--tests', 'tcp1,scale-peers'],
      ],
    ];
    for (const [line, host, args, token] of cases) {
      const run = bench(host, args, token === undefined ? [] : [`WEFT_BENCH_TOKEN=${token}`]);
      const { code } = await run.exited;
      t.regex(run.stderr(), line);
      t.notRegex(run.stderr(), /\n {4}at /);
      t.not(code, 0);
    }
    t.is((await far.process.stop('SIGINT')).code, 0);
  });
});
