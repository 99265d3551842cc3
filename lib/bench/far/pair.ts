/**
 * A weftd of the benchmark's own on this machine, one end of a pair:
 *
 *   [ pod ] eth0 198.18.1.2 ── cni0 [ router ] flannel0 ── weftd in our namespace ── UDP, the real underlay
 *
 * The daemon runs where its socket has to be; its device, its routes and the pod are in namespaces of their own. Ports, files
 * and etcd are its own too. Each side has an etcd on 127.0.0.1, with its own lease and, written by us, that of the other side:
 * no store is open to the network.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askDaemon } from '../../control/client.ts';
import type { StatusReply } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { ipBatch, run } from '../../lab/command.ts';
import { weftdPath } from '../../lab/daemon.ts';
import { runEtcd } from '../../lab/etcd.ts';
import { execInNetns, type LabProcess, spawnInNetns, whyNotReady } from '../../lab/netns.ts';
import { connectPod } from '../../lab/pod.ts';
import { answersEcho } from '../echo.ts';
import type { Role } from './handshake.ts';
import type { Ports } from './ports.ts';
import type { PairBackend } from './requests.ts';

/** RFC 2544's addresses for benchmarks, a /16 for each backend; the near side has subnet 1, the far side subnet 2. */
const NETWORKS = { udp: '198.18', vxlan: '198.19' } as const satisfies Record<PairBackend, string>;
const SUBNETS = { near: 1, far: 2 } as const satisfies Record<Role, number>;
/** No other VXLAN network need have it: the port is ours. */
const VNI = 1;
/** Our choice: a busy machine takes many seconds for what else takes one. */
const START_MS = 60_000;
const FIRST_ECHO_MS = 15_000;
const STOP_MS = 10_000;

export interface PairPlace {
  readonly role: Role;
  /** Of the underlay, dotted quads: this machine's, and the other's as this one reaches it. */
  readonly own: string;
  readonly other: string;
  readonly ports: Ports;
  /** Makes names of namespaces: of this process, and of no other. */
  readonly id: string;
}

interface Running {
  readonly backend: PairBackend;
  readonly daemon: LabProcess;
}

export class Pair {
  readonly #place: PairPlace;
  readonly #router: string;
  readonly #pod: string;
  #directory: string | undefined;
  #etcd: LabProcess | undefined;
  #running: Running | undefined;

  constructor(place: PairPlace) {
    this.#place = place;
    this.#router = `weftbench-${place.id}-router`;
    this.#pod = `weftbench-${place.id}-pod`;
  }

  /** Namespace of the pod, its address and that of the other side's; undefined while no weftd runs. */
  get path():
    | { readonly netns: string; readonly own: string; readonly other: string; readonly pid: number }
    | undefined {
    if (this.#running === undefined) return undefined;
    const { backend, daemon } = this.#running;
    const own = `${subnetOf(backend, this.#place.role)}.2`;
    return { netns: this.#pod, own, other: `${subnetOf(backend, this.#otherRole)}.2`, pid: daemon.pid };
  }

  /** Starts weftd. Resolves to the MAC address of its VTEP. Codes: TOOL_MISSING, LAB_COMMAND_FAILED, ETCD_FAILED, DAEMON_FAILED. */
  async start(backend: PairBackend): Promise<string | null> {
    await this.stop();
    const directory = await this.#prepare();
    await this.#put(backend, 'config', configOf(backend, this.#place));
    const files = join(directory, backend);
    const daemon = spawnInNetns(undefined, [process.execPath, weftdPath(), ...this.#flags(backend, files)], {
      logFile: `${files}.log`,
    });
    this.#running = { backend, daemon };
    let status: StatusReply | undefined;
    const isReady = async (): Promise<boolean> => {
      status = await askDaemon(`${files}.sock`, '/v1/status').catch(() => undefined);
      return status?.state === 'ready';
    };
    const why = await whyNotReady(daemon, isReady, START_MS);
    if (why !== undefined || status === undefined) {
      const lines = daemon.stdout().trimEnd().split('\n');
      throw new WeftError('DAEMON_FAILED', `Cannot start weftd of the pair: ${why}:\n${lines.slice(-3).join('\n')}`);
    }
    await connectPod({ netns: this.#router, podNetns: this.#pod, subnetFile: `${files}.env` });
    return status.backend?.vtepMac ?? null;
  }

  /** Tells our weftd of the other side's and waits until packets pass. Code: PATH_DOWN. */
  async join(vtepMac: string | null): Promise<void> {
    const { path } = this;
    if (path === undefined || this.#running === undefined)
      throw new WeftError('FAR_REQUEST', 'No weftd of a pair runs');
    const { backend } = this.#running;
    const value = {
      PublicIP: this.#place.other,
      PublicIPv6: null,
      ...(backend === 'vxlan' && { BackendType: 'vxlan', BackendData: { VNI, VtepMAC: vtepMac } }),
    };
    await this.#put(backend, `subnets/${subnetOf(backend, this.#otherRole)}.0-24`, JSON.stringify(value));
    if (await answersEcho(path.netns, path.other, FIRST_ECHO_MS)) return;
    const port = this.#place.ports.pair[backend];
    throw new WeftError('PATH_DOWN', `No echo through the weftds of the pair (${backend})`, {
      hint: `Does a firewall drop UDP port ${port} between ${this.#place.own} and ${this.#place.other}?`,
    });
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.daemon.stop('SIGTERM', STOP_MS);
  }

  /** Removes everything; goes on when a part of it fails. */
  async close(): Promise<void> {
    await this.stop();
    await this.#etcd?.stop('SIGTERM', STOP_MS);
    if (this.#directory === undefined) return;
    for (const netns of [this.#pod, this.#router]) await run('ip', ['netns', 'del', netns]).catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #otherRole(): Role {
    return this.#place.role === 'near' ? 'far' : 'near';
  }

  /** Namespaces, directory and etcd, once. */
  async #prepare(): Promise<string> {
    if (this.#directory !== undefined && this.#etcd?.running() === true) return this.#directory;
    this.#directory ??= await this.#makePlace();
    this.#etcd = await this.#startEtcd(this.#directory);
    return this.#directory;
  }

  async #makePlace(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), `weft-bench-${this.#place.id}-`));
    // From here on `close` removes it, also when what follows fails.
    this.#directory = directory;
    await ipBatch(undefined, [`netns add ${this.#router}`, `netns add ${this.#pod}`]);
    for (const netns of [this.#router, this.#pod]) await ipBatch(netns, ['link set lo up']);
    await execInNetns(this.#router, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    return directory;
  }

  #startEtcd(directory: string): Promise<LabProcess> {
    const { clients, peers } = this.#place.ports.etcd;
    const [client, peer] = [`http://127.0.0.1:${clients}`, `http://127.0.0.1:${peers}`];
    const flags = [
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ];
    return runEtcd(undefined, flags, { name: `etcd of the pair on ${client}`, logFile: join(directory, 'etcd.log') });
  }

  async #put(backend: PairBackend, key: string, value: string): Promise<void> {
    const endpoint = `--endpoints=http://127.0.0.1:${this.#place.ports.etcd.clients}`;
    const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', endpoint, 'put', '--', `${prefixOf(backend)}/${key}`, value];
    await execInNetns(undefined, argv);
  }

  #flags(backend: PairBackend, files: string): string[] {
    const names = `name=${backend},etcd-prefix=${prefixOf(backend)},subnet-file=${files}.env,netns=${this.#router}`;
    return [
      `--iface=${this.#place.own}`,
      `--etcd-endpoints=http://127.0.0.1:${this.#place.ports.etcd.clients}`,
      `--state-dir=${files}.state`,
      `--control-socket=${files}.sock`,
      `--network=${names}`,
      '--offload=auto',
    ];
  }
}

/** "198.18.1" */
function subnetOf(backend: PairBackend, role: Role): string {
  return `${NETWORKS[backend]}.${SUBNETS[role]}`;
}

function prefixOf(backend: PairBackend): string {
  return `/weft-bench/${backend}`;
}

/** The network configuration: this side's subnet is the only one it may take. */
function configOf(backend: PairBackend, { role, ports }: PairPlace): string {
  const subnet = `${subnetOf(backend, role)}.0`;
  const port = ports.pair[backend];
  return JSON.stringify({
    Network: `${NETWORKS[backend]}.0.0/16`,
    SubnetLen: 24,
    SubnetMin: subnet,
    SubnetMax: subnet,
    Backend: backend === 'udp' ? { Type: 'udp', Port: port } : { Type: 'vxlan', VNI, Port: port },
  });
}
