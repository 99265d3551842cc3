/**
 * A host for two-hosts.ts: a process in a network namespace of its own, with nothing but a loopback device, that runs
 * programs and a backend as it is told. Everything is gone when it ends, and it ends with its parent.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Backend, BackendOptions } from '../../lib/backend/backend.ts';
import { startIpipBackend } from '../../lib/backend/ipip.ts';
import { startUdpBackend } from '../../lib/backend/udp.ts';
import { startVxlanBackend } from '../../lib/backend/vxlan/vxlan.ts';
import { PeerMonitor } from '../../lib/daemon/peers/peer-monitor.ts';
import { UnderlayEcho } from '../../lib/daemon/peers/underlay-echo.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { SharedEngines } from '../../lib/engine/shared-engines.ts';
import { WeftError } from '../../lib/error.ts';
import { Faults } from '../../lib/faults.ts';
import { until } from '../../lib/lab/until.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { AF_INET } from '../../lib/linux/sockaddr.ts';
import { SOCK_RAW } from '../../lib/linux/socket.ts';
import { check } from '../../lib/sys/errno.ts';
import { close, sendto, socket, unshare } from '../../lib/sys/ffi.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { emitIcmpHeader, fillIcmpChecksum } from '../../lib/wire/icmp.ts';
import { ICMP_FRAGMENTATION_NEEDED, ICMP_HEADER, ICMP_UNREACHABLE } from '../../lib/wire/layout/icmp.ts';
import { IPPROTO_ICMP } from '../../lib/wire/layout/ip.ts';
import { logTo } from '../log.ts';
import { PATIENCE_MS } from '../patience.ts';

/** What of BackendOptions can be sent to another process. */
export type HostBackendOptions = Omit<BackendOptions, 'log' | 'engines' | 'faults' | 'startOver' | 'vtepMac'> & {
  /** By device. */
  readonly macs: Readonly<Record<string, number>>;
  /** The device that somebody deletes when the start needs its second engine; it goes on when the device is back. */
  readonly loseWhileStarting?: string;
};

export type BackendType = 'udp' | 'vxlan' | 'ipip';

export type HostRequest =
  | { readonly op: 'exec'; readonly program: string; readonly args: readonly string[] }
  | { readonly op: 'serve'; readonly address: string; readonly bytes: number }
  | { readonly op: 'fetch'; readonly from: string; readonly address: string }
  | { readonly op: 'read-only-sysctls' }
  | { readonly op: 'start'; readonly type: BackendType; readonly options: HostBackendOptions }
  | { readonly op: 'leases'; readonly network: string; readonly leases: readonly Lease[] }
  /** Probes the peers every second. */
  | { readonly op: 'monitor'; readonly network: string }
  /** Sends an ICMP "fragmentation needed" to `to` that quotes `quoted`, the IP packet that it is about. */
  | { readonly op: 'forge'; readonly to: string; readonly mtu: number; readonly quoted: Uint8Array }
  | { readonly op: 'state'; readonly network: string }
  | { readonly op: 'stop'; readonly network: string };

/** What a backend says of itself. */
export interface HostState {
  readonly deviceName: string;
  readonly overlayMtu: number;
  readonly port: number | undefined;
  readonly stats: ReturnType<Backend['stats']>;
  readonly routes: ReturnType<Backend['routes']>;
  readonly refused: ReturnType<Backend['refusedLeases']>;
  readonly offloads: ReturnType<Backend['offloads']>;
  readonly fdb: ReturnType<Backend['fdb']>;
  /** Of each peer, where there is a monitor: its path MTU, as far as it is known. */
  readonly pathMtus: readonly (number | undefined)[];
  /** Answers of each. */
  readonly rtts: readonly (number | undefined)[];
  readonly alarms: readonly string[];
  /** Why packets cannot pass. */
  readonly blocking: string | undefined;
  readonly log: readonly string[];
}

export interface HostReply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code: string; readonly hint: string | undefined };
}

/** clone(2). */
const CLONE_NEWNS = 0x00020000;
const CLONE_NEWNET = 0x40000000;

const TCP_PORT = 5001;
const START = { udp: startUdpBackend, vxlan: startVxlanBackend, ipip: startIpipBackend };
const programs = new Set<ChildProcess>();

class LosingEngines extends SharedEngines {
  /** To be lost when an engine for IPv6 is asked for. */
  victim: string | undefined;

  override async take(key: string, begin: () => Promise<Engine>): Promise<Engine> {
    const { victim } = this;
    if (victim !== undefined && key.includes('[')) {
      this.victim = undefined;
      await run('ip', ['link', 'delete', victim]);
      await until(() => log.some((line) => /^Alarm is over: Device|cannot be built/.test(line)), PATIENCE_MS);
    }
    return super.take(key, begin);
  }
}

const engines = new LosingEngines();
const backends = new Map<string, Backend>();
const log: string[] = [];
const note = (fields: object, message: string): unknown => log.push(`${message} ${JSON.stringify(fields)}`);
const faults = new Faults({ log: logTo(note), onChange: () => undefined, now: () => performance.now() });

async function answer(request: HostRequest): Promise<unknown> {
  if (request.op === 'exec') return run(request.program, request.args);
  if (request.op === 'serve') return serve(request.address, request.bytes);
  if (request.op === 'fetch') return fetch(request.from, request.address);
  if (request.op === 'read-only-sysctls') return makeSysctlsReadOnly();
  if (request.op === 'forge') return forge(request.to, request.mtu, request.quoted);
  if (request.op === 'start') return start(request.type, request.options);
  const backend = backends.get(request.network)!;
  if (request.op === 'leases') return backend.setLeases(request.leases);
  if (request.op === 'state') return stateOf(backend);
  if (request.op === 'monitor') return monitor(backend);
  backends.delete(request.network);
  return backend.stop();
}

/** What the program printed; rejects with what it said when it fails. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, [...args], (error, stdout, stderr) => {
      programs.delete(child);
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${stderr}${stdout}`));
    });
    programs.add(child);
  });
}

/** As in most containers: /proc/sys can be read and not written, by this process and the programs it starts from now on. */
async function makeSysctlsReadOnly(): Promise<void> {
  check(unshare(CLONE_NEWNS), 'unshare', 'mount namespace');
  for (const line of ['--make-rprivate /', '--bind /proc/sys /proc/sys', '-o remount,bind,ro /proc/sys'])
    await run('mount', line.split(' '));
}

/** Sends bytes that cannot be guessed to whoever connects first. Resolves to their hash once it listens. */
async function serve(address: string, bytes: number): Promise<string> {
  const content = randomBytes(bytes);
  const server = createServer((socket) => socket.end(content)).listen(TCP_PORT, address);
  server.once('connection', () => server.close());
  await once(server, 'listening');
  return createHash('sha256').update(content).digest('hex');
}

/** The hash of what the server at `from` sends. */
async function fetch(from: string, address: string): Promise<string> {
  const hash = createHash('sha256');
  const socket = connect({ host: from, port: TCP_PORT, localAddress: address });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no more data')));
  for await (const chunk of socket) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function start(type: BackendType, { macs, loseWhileStarting, ...options }: HostBackendOptions): Promise<void> {
  engines.victim = loseWhileStarting;
  const backend = await START[type]({
    ...options,
    vtepMac: (device) => macs[device]!,
    engines,
    faults,
    startOver: (reason) => log.push(`start over: ${reason}`),
    log: logTo(note),
  });
  backends.set(options.network, backend);
}

let peers: PeerMonitor | undefined;

function monitor(backend: Backend): void {
  peers = new PeerMonitor({
    backend,
    direct: () => [],
    intervalMs: 1000,
    pings: new UnderlayEcho(logTo(note), 1n),
    faults,
    log: logTo(note),
    now: () => performance.now(),
    random: () => 0.5,
  });
}

/** As anybody may, with a raw socket. */
function forge(to: string, mtu: number, quoted: Uint8Array): void {
  const message = new Uint8Array(ICMP_HEADER + quoted.length);
  const view = new DataView(message.buffer);
  emitIcmpHeader(view, 0, { type: ICMP_UNREACHABLE, code: ICMP_FRAGMENTATION_NEEDED, rest: mtu });
  message.set(quoted, ICMP_HEADER);
  fillIcmpChecksum(view, 0, message.length, 0);
  const fd = check(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), 'socket', 'raw ICMP');
  const name = socketAddress(parseIpv4(to)!, 0);
  check(sendto(fd, message, message.length, 0, name, name.length), 'sendto', to);
  close(fd);
}

function stateOf(backend: Backend): HostState {
  const { deviceName, overlayMtu, port } = backend;
  return {
    deviceName,
    overlayMtu,
    port,
    stats: backend.stats(),
    routes: backend.routes(),
    refused: backend.refusedLeases(),
    offloads: backend.offloads(),
    fdb: backend.fdb(),
    pathMtus: backend.ways().map(({ address }) => peers?.of(address)?.pathMtu),
    rtts: backend.ways().map(({ address }) => peers?.of(address)?.overlay.rttMs),
    alarms: faults.alarms,
    blocking: faults.blocking,
    log: [...log],
  };
}

function errorOf(error: unknown): NonNullable<HostReply['error']> {
  if (error instanceof WeftError) return { message: error.message, code: error.code, hint: error.hint };
  return { message: String(error), code: '', hint: undefined };
}

check(unshare(CLONE_NEWNET), 'unshare', 'network namespace');
const netlink = RouteNetlink.open();
netlink.setLinkUp(1);
netlink.close();

process.on('disconnect', () => {
  for (const child of programs) child.kill('SIGKILL');
  process.exit();
});
process.on('message', ({ id, request }: { id: number; request: HostRequest }) => {
  void answer(request).then(
    (result) => process.send!({ id, result } satisfies HostReply),
    (error: unknown) => process.send!({ id, error: errorOf(error) } satisfies HostReply),
  );
});
process.send!({ id: 0 } satisfies HostReply);
