import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { BACKENDS, type BackendName } from '../../lib/lab/backends.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import { startKernelPeer } from '../../lib/lab/kernel-peer.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { type ExecResult, execInNetns, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { connectPod } from '../../lib/lab/pod.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import type { TraceReport } from '../../lib/observe/trace/trace.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

// pod1 - cni0 [ h1 ] flannel* == u0 192.0.2.1 - bridge - 192.0.2.2 u0 == flannel* [ h2 ] cni0 - pod2; weft trace runs on h1
const { id, test } = testInLabs('r');

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

class Trace {
  readonly #t: ExecutionContext;
  readonly lab: Lab;
  readonly from: string;
  readonly to: string;

  constructor(t: ExecutionContext, lab: Lab, from: string, to: string) {
    this.#t = t;
    this.lab = lab;
    this.from = from;
    this.to = to;
  }

  run(args: readonly string[], wrapper: readonly string[] = []): Promise<ExecResult> {
    const { netns, controlSocket } = this.lab.hosts[0]!;
    const argv = [...wrapper, process.execPath, WEFT, 'trace', '--control-socket', controlSocket, ...args];
    return execInNetns(netns, argv, { allowFailure: true });
  }

  async json(args: readonly string[] = []): Promise<TraceReport> {
    const { stdout, stderr } = await this.run([this.to, '--from', this.from, '--json', ...args]);
    this.#t.is(stderr, '');
    return JSON.parse(stdout) as TraceReport;
  }

  /** A busy machine may take longer than a trace waits: asked again until it says so. */
  async says(code: string, words: RegExp, args: readonly string[] = []): Promise<TraceReport> {
    let report: TraceReport | undefined;
    await until(async () => {
      report = await this.json(args);
      return report.answer.code === code && words.test(report.answer.text);
    }, PATIENCE_MS);
    const shown = JSON.stringify(
      {
        answer: report?.answer,
        suspects: report?.suspects,
        way: report === undefined ? [] : wayOf(report),
        tables: report?.tables,
        notes: report?.notes,
      },
      null,
      1,
    );
    this.#t.is(report?.answer.code, code, shown);
    this.#t.regex(report!.answer.text, words);
    this.#t.is(report!.answer.arrived, code === 'arrived');
    return report!;
  }

  /** Breaks something on a host, sees what is said of it, and mends it. */
  async broken(
    host: number,
    breaking: string,
    mending: string,
    code: string,
    words: RegExp,
    args: readonly string[] = [],
  ): Promise<TraceReport> {
    await this.sh(host, breaking);
    const report = await this.says(code, words, args);
    await this.sh(host, mending);
    return report;
  }

  async sh(host: number, script: string): Promise<void> {
    await execInNetns(this.lab.hosts[host - 1]!.netns, ['sh', '-ec', script]);
  }
}

async function start(t: ExecutionContext, lab: Lab, backend: BackendName): Promise<{ trace: Trace; overlay: Overlay }> {
  const overlay = await startOverlay(lab, { config: defaultConfig(BACKENDS[backend]) });
  const [one, two] = overlay.pods;
  return { trace: new Trace(t, lab, one!.address, two!.address), overlay };
}

/** "pod veth in, bridge in, ..." of the probe, then of the answer. */
function wayOf({ probes }: TraceReport, host = 'here'): string[] {
  return probes[0]!.points
    .filter(({ host: on, place }) => on === host && place !== 'weftd')
    .filter(({ kind }) => kind === 'probe' || kind === 'answer')
    .map(({ kind, place, direction }) => `${kind} ${place} ${direction}`);
}

const WAY = [
  'probe pod veth in',
  'probe bridge in',
  'probe overlay out',
  'probe underlay out',
  'answer underlay in',
  'answer overlay in',
  'answer bridge out',
  'answer pod veth out',
];

const TABLES = {
  udp: ['weftd', 'lease', 'route', 'device', 'forward', 'underlay', 'socket', 'sizes'],
  vxlan: ['weftd', 'lease', 'route', 'device', 'neighbor', 'fdb', 'forward', 'underlay', 'socket', 'sizes'],
  ipip: ['weftd', 'lease', 'route', 'device', 'forward', 'underlay', 'socket', 'sizes'],
  'host-gw': ['weftd', 'lease', 'route', 'forward', 'underlay', 'sizes'],
} as const;

for (const backend of ['udp', 'vxlan', 'ipip', 'host-gw'] as const) {
  test(`weft trace follows a packet that arrives, small and as large as it may be: ${backend}`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      const { trace } = await start(t, lab, backend);
      const report = await trace.says('arrived', /^arrived: 10\.244\.\d+\.2 answers \d{4} bytes$/);
      t.deepEqual(
        wayOf(report),
        WAY.filter((step) => backend !== 'host-gw' || !step.includes('overlay')),
      );
      t.is(report.probes.length, 2);
      t.true(report.wire?.seen);
      t.deepEqual(
        report.tables.map(({ name }) => name),
        TABLES[backend],
      );
      // From the host itself, to the peer by its public IP; TCP to a port that is closed.
      const toPeer = await trace.run(['192.0.2.2']);
      t.is(toPeer.code, 0, toPeer.stdout + toPeer.stderr);
      const tcp = await trace.says('arrived', /port is closed/, ['--port', '9']);
      t.is(tcp.transport, 'tcp');
      await trace.says('arrived', /port is closed/, ['--port', '9', '--udp']);
      const far = await trace.says('arrived', /^arrived/, ['--far', `netns:${lab.hosts[1]!.netns}`]);
      t.true(wayOf(far, 'far').includes('probe bridge out'));
      const { stdout } = await trace.run([trace.to, '--from', trace.from]);
      for (const line of stdout.split('\n')) t.true(line.length <= 80, line);
    });
  });
}

test('weft trace names what stands in the way: forwarding, filters, routes, sizes, devices, daemons, leases', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { trace, overlay } = await start(t, lab, 'udp');
    const subnet = trace.from.replace(/2$/, '0/24');
    const table = (hook: string, rule: string): string =>
      `nft add table inet broken; nft 'add chain inet broken ${hook} { type filter hook ${hook} priority 0; ${rule} }'`;
    const mended = 'nft delete table inet broken';

    const policy = await trace.broken(
      1,
      table('forward', 'policy drop;'),
      mended,
      'firewall-forward',
      /chain forward of table inet broken: policy drop/,
    );
    t.deepEqual(wayOf(policy), ['probe pod veth in', 'probe bridge in']);

    await trace.broken(
      1,
      `ip link add dm0 up type veth peer name dm1; ip link set dm1 up; ip route add ${trace.from}/32 dev dm0; echo 1 > /proc/sys/net/ipv4/conf/cni0/rp_filter`,
      'echo 0 > /proc/sys/net/ipv4/conf/cni0/rp_filter; ip link del dm0',
      'rp-filter',
      /rp_filter is 1 on cni0, and the way back to 10\.244\.\d+\.2 leads to dm0/,
    );
    await trace.broken(
      1,
      'echo 0 > /proc/sys/net/ipv4/ip_forward',
      'echo 1 > /proc/sys/net/ipv4/ip_forward',
      'ip-forward',
      /net\.ipv4\.ip_forward is 0/,
    );
    const route = await trace.broken(
      1,
      `ip route del ${subnet} dev cni0`,
      `ip route add ${subnet} dev cni0`,
      'pod-route',
      /cni0 has no route to its own pods: 10\.244\.\d+\.2 leads to flannel0/,
    );
    t.true(wayOf(route).includes('answer overlay in'));

    // Small ones pass: only the second probe finds it.
    const mtu = await trace.broken(
      2,
      'ip link set cni0 mtu 1471',
      'ip link set cni0 mtu 1472',
      'mtu',
      /1472 bytes are too many: 10\.244\.\d+\.\d+ lets 1471 through/,
    );
    t.true(mtu.probes[0]!.answer.arrived);

    const blocked = await trace.broken(
      2,
      `${table('input', '')}; nft add rule inet broken input udp dport 8285 drop`,
      mended,
      'port-blocked',
      /192\.0\.2\.2 answers pings on the underlay, but no tunnel packet came back: UDP port 8285/,
    );
    t.is(wayOf(blocked).at(-1), 'probe underlay out');

    const throughFar = ['--far', `netns:${lab.hosts[1]!.netns}`];
    await trace.broken(
      2,
      `${table('input', '')}; nft add rule inet broken input udp dport 8285 drop`,
      mended,
      'firewall-input',
      /the firewall drops it on 192\.0\.2\.2, the tunnel packet: chain input of table inet broken/,
      throughFar,
    );
    // Behind the tunnel, which is open: not the port's fault.
    await trace.broken(
      2,
      table('forward', 'policy drop;'),
      mended,
      'far-silent',
      /the tunnel to 192\.0\.2\.2 works, its own device answers through it/,
    );

    await deviceIsDown(trace);
    await trace.says('arrived', /./);

    // The far host's own faults, seen there.
    const far = ['--far', `netns:${lab.hosts[1]!.netns}`];
    await trace.broken(
      2,
      table('forward', 'policy drop;'),
      mended,
      'firewall-forward',
      /on 192\.0\.2\.2: chain forward/,
      far,
    );
    await trace.broken(
      2,
      'echo 0 > /proc/sys/net/ipv4/ip_forward',
      'echo 1 > /proc/sys/net/ipv4/ip_forward',
      'ip-forward',
      /ip_forward is 0 on 192\.0\.2\.2/,
      far,
    );

    await overlay.daemons[1]!.stop();
    await trace.says('far-daemon-stopped', /nobody there takes UDP port 8285, so weftd does not run/);
    const key = `/coreos.com/network/subnets/${trace.to.replace(/2$/, '0-24')}`;
    await etcdctl(lab, ['del', '--', key]);
    await trace.says('lease-gone', /the lease of 10\.244\.\d+\.0\/24 \(192\.0\.2\.2\) is gone from the store/);

    await overlay.daemons[0]!.stop();
    const stopped = await trace.says('daemon-stopped', /weftd does not run on this host/);
    t.is(stopped.tables[0]?.state, 'fault');
  });
});

/** weftd sets it up each second; here somebody sets it down at once. */
async function deviceIsDown(trace: Trace): Promise<void> {
  const script = 'while :; do ip link set flannel0 down; sleep 0.02; done';
  const holding = spawnInNetns(trace.lab.hosts[0]!.netns, ['sh', '-c', script]);
  try {
    await trace.says('device-down', /flannel0 is down/);
  } finally {
    await holding.stop();
  }
  const { netns } = trace.lab.hosts[0]!;
  await execInNetns(netns, ['ip', 'link', 'set', 'flannel0', 'up']);
}

test('weft trace names a lease with another VtepMAC than its device has', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig(BACKENDS.vxlan)));
    const peer = await startKernelPeer(lab, lab.hosts[1]!, { subnet: '10.244.250.0/24' });
    await startDaemon(lab, lab.hosts[0]!);
    const own = await connectPod(lab.hosts[0]!);
    await peer.update();
    const trace = new Trace(t, lab, own.address, peer.pod.address);
    await trace.says('arrived', /./);
    const key = '/coreos.com/network/subnets/10.244.250.0-24';
    const lease = (await etcdctl(lab, ['get', '--print-value-only', '--', key])).stdout.trim();
    await etcdctl(lab, ['put', '--', key, lease.replace(/"VtepMAC":"[^"]*"/, '"VtepMAC":"02:00:00:00:00:99"')]);
    await trace.says(
      'vtep-mac',
      /the lease says that the VTEP on 192\.0\.2\.2 is 02:00:00:00:00:99, its flannel\.1 is 02:6b:/,
      ['--far', `netns:${lab.hosts[1]!.netns}`],
    );
  });
});

test('weft trace says in one line what it cannot trace', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { trace } = await start(t, lab, 'udp');
    const fails = async (args: readonly string[], line: RegExp, wrapper: readonly string[] = []): Promise<void> => {
      const { code, stderr, stdout } = await trace.run(args, wrapper);
      t.true(code === 1 || code === 2);
      t.regex(stderr, line);
      t.is(stdout, '');
      t.true(stderr.trimEnd().split('\n').length <= 2, stderr);
    };
    await fails(['h2'], /^weft: "h2" is no IPv4 address of a pod and no peer's public IP$/m);
    await fails(['198.51.100.1'], /^weft: 198\.51\.100\.1 is in none of the daemon's networks \(10\.244\.0\.0\/16\)/);
    await fails(['fd00::1'], /weft trace follows IPv4 packets only/);
    await fails([trace.to, '--from', trace.to], /is no pod of this host, whose subnet is/);
    await fails(
      [trace.to, '--from', trace.from.replace(/2$/, '77')],
      /^weft: No network namespace of this host has the address/,
    );
    await fails([trace.to, '--far', 'netns:nowhere'], /^weft: Cannot look at netns:nowhere: /);
    await fails([trace.to, '--far', '-oProxyCommand=x'], /is no name of a host/);
    await fails([trace.to, '--tcp'], /need a --port/);
    await fails([trace.to, '--size', '30', '--port', '1'], /less than its headers, 40 bytes/);
    await fails(['\u001b[31mx'], /^weft: "\\u001b\[31mx" is no IPv4 address/);
    const without = (capability: string): string[] => ['setpriv', '--inh-caps=-all', `--bounding-set=-${capability}`];
    await fails([trace.to], /^weft: Not permitted to capture on "flannel0"/, without('net_raw'));
    await fails(
      [trace.to, '--from', trace.from],
      /^weft: Not permitted to enter network namespace/,
      without('sys_admin'),
    );
  });
});
