/**
 * A network of weftd in the benchmark's lab. Its pods are connected once; its daemons run only while a path of it is
 * measured, because idle ones cost the others: they wake, and the scheduler moves whom they wake beside.
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { askDaemon } from '../control/client.ts';
import type { StatsReply, StatusReply } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import { putConfig } from '../lab/etcd.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import type { LabProcess } from '../lab/netns.ts';
import { startReadyDaemon, whenPeersAreKnown } from '../lab/ready-daemon.ts';
import { residentBytes } from '../measure/cpu-time.ts';
import { answersEcho } from './echo.ts';
import { NETWORKS, type NetworkName, type Offload, type StageReading } from './paths.ts';

const FIRST_PACKET_WITHIN_MS = 5000;

/** A daemon, as it was when its path had been measured. */
export interface DaemonRecord {
  readonly status: StatusReply;
  readonly stats: StatsReply;
  readonly residentBytes: number;
}

/** Where the etcd keys of a network are. */
export function etcdPrefixOf(network: NetworkName): string {
  return `/weft-bench/${network}`;
}

/** All pods of a network: "10.101.0.0/16". */
export function addressesOf(network: NetworkName): string {
  const spec = NETWORKS[network];
  return 'addresses' in spec ? spec.addresses : `10.${spec.number}.0.0/16`;
}

/** The host, with files of its own for a network: several daemons may have been, or be, on one host. */
export async function hostFor(host: LabHost, network: NetworkName): Promise<LabHost> {
  const directory = join(dirname(host.subnetFile), network);
  await mkdir(directory, { recursive: true });
  return { ...host, subnetFile: join(directory, 'subnet.env'), controlSocket: join(directory, 'weft.sock') };
}

export class WeftNetwork {
  readonly #lab: Lab;
  readonly #name: NetworkName;
  readonly #hosts: readonly LabHost[];
  /** First three bytes of each host's pods: "10.101.7". */
  readonly subnets: readonly string[];
  /** From the start of each weftd until it said that it is ready, one after the other on a machine that does nothing else. */
  readonly readySeconds: readonly number[];

  private constructor(lab: Lab, name: NetworkName, hosts: readonly LabHost[], first: readonly FirstStart[]) {
    this.#lab = lab;
    this.#name = name;
    this.#hosts = hosts;
    this.subnets = first.map(({ subnet }) => subnet);
    this.readySeconds = first.map(({ seconds }) => seconds);
  }

  /** Writes the configuration and starts each daemon once: their leases stay. */
  static async prepare(lab: Lab, name: NetworkName, labHosts: readonly LabHost[]): Promise<WeftNetwork> {
    const config = { Network: addressesOf(name), Backend: NETWORKS[name].backend };
    await putConfig(lab, JSON.stringify(config), etcdPrefixOf(name));
    const hosts = await Promise.all(labHosts.map((host) => hostFor(host, name)));
    const first: FirstStart[] = [];
    for (const host of hosts) {
      const { process, seconds, status } = await startReadyDaemon(lab, host, [`--etcd-prefix=${etcdPrefixOf(name)}`]);
      await process.stop();
      first.push({ seconds, subnet: subnetOf(status, host) });
    }
    return new WeftNetwork(lab, name, hosts, first);
  }

  /** Runs `body` while the daemons do. They know each other; packets may still have to find their way. */
  async within<T>(offload: Offload, body: (pids: readonly number[]) => Promise<T>): Promise<T> {
    const flags = [`--etcd-prefix=${etcdPrefixOf(this.#name)}`, `--offload=${offload}`];
    const processes: LabProcess[] = [];
    try {
      const started = await Promise.allSettled(
        this.#hosts.map(async (host) => {
          const daemon = await startReadyDaemon(this.#lab, host, flags);
          processes.push(daemon.process);
          return daemon;
        }),
      );
      for (const [index, start] of started.entries()) {
        if (start.status === 'rejected') throw start.reason;
        const subnet = subnetOf(start.value.status, this.#hosts[index]!);
        if (subnet !== this.subnets[index])
          throw new WeftError('LEASE_MOVED', `${this.#hosts[index]!.netns} got ${subnet}, not ${this.subnets[index]}`);
      }
      const statuses = await whenPeersAreKnown(this.#hosts);
      if (!statuses.every(({ peers }) => peers > 0))
        throw new WeftError('TIMEOUT', `the daemons of ${this.#name} do not know each other after 5 s`);
      return await body(started.flatMap((start) => (start.status === 'fulfilled' ? [start.value.process.pid] : [])));
    } finally {
      await Promise.all(processes.map((process) => process.stop()));
    }
  }

  /** How many peers the daemon of a host, by index, knows now; call it inside `within`. */
  async peersOf(index: number): Promise<number> {
    return (await askDaemon(this.#hosts[index]!.controlSocket, '/v1/status')).peers;
  }

  /** The stage clocks of both ends; the kernel's end has none. Call it inside `within`. */
  async readStages(): Promise<StageReading> {
    const stages = await Promise.all(
      this.#hosts.map(async ({ controlSocket }) => (await askDaemon(controlSocket, '/v1/stats')).stages ?? null),
    );
    return { sender: stages.length > 1 ? stages[0]! : null, receiver: stages.at(-1) ?? null };
  }

  /** Each daemon as it is now; call it inside `within`. */
  record(pids: readonly number[]): Promise<DaemonRecord[]> {
    return Promise.all(
      this.#hosts.map(async ({ controlSocket }, index) => ({
        status: await askDaemon(controlSocket, '/v1/status'),
        stats: await askDaemon(controlSocket, '/v1/stats'),
        residentBytes: residentBytes(readFileSync(`/proc/${pids[index]}/status`, 'utf8')),
      })),
    );
  }
}

interface FirstStart {
  readonly seconds: number;
  readonly subnet: string;
}

function subnetOf(status: StatusReply, host: LabHost): string {
  const bytes = /^(\d+\.\d+\.\d+)\.0\/24$/.exec(status.lease?.ipv4 ?? '')?.[1];
  if (bytes === undefined)
    throw new WeftError('LEASE_MOVED', `${host.netns} has no /24 but ${String(status.lease?.ipv4)}`);
  return bytes;
}

/** Until an echo comes back. Code: PATH_DOWN. */
export async function waitForEcho(netns: string, address: string): Promise<void> {
  if (!(await answersEcho(netns, address, FIRST_PACKET_WITHIN_MS)))
    throw new WeftError('PATH_DOWN', `${address} answers no ping from ${netns}`);
}
