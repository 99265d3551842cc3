/**
 * The beds of all contenders: labs of two hosts joined by one veth. One lab carries the direct path, the kernel's VXLAN and
 * weftd with offloads; weftd without offloads has a second lab, because a host has one port 8285 and one flannel0.
 * A path that is not being measured costs its neighbours nothing: its daemons sleep in poll(2).
 */
import { askDaemon } from '../control/client.ts';
import type { OffloadStatus } from '../dataplane/stats.ts';
import { ipBatch } from '../lab/command.ts';
import { putConfig, startEtcd } from '../lab/etcd.ts';
import { addKernelVxlan, kernelVxlanPodAddress } from '../lab/kernel-vxlan.ts';
import type { Lab, LabHost } from '../lab/lab.ts';
import { execInNetns, type LabProcess } from '../lab/netns.ts';
import { defaultConfig } from '../lab/overlay.ts';
import { type ConnectedPod, connectPod } from '../lab/pod.ts';
import { withLab } from '../lab/with-lab.ts';
import type { Bed, Contender } from './bed.ts';
import { unlessInterrupted } from './interrupt.ts';
import { startReadyDaemon } from './ready-daemon.ts';

/**
 * The MTU inside, the same for all: what VXLAN leaves of 1500. Pods of weftd, which leaves 1472, and the direct path are
 * set down to it, so that nobody gains by larger segments.
 */
export const INNER_MTU = 1450;
export const UNDERLAY_MTU = 1500;

/** The direct path has addresses of its own, whose route carries the lowered MTU; the underlay's stay at 1500. */
function directAddress(host: LabHost): string {
  return `198.51.100.${host.number}`;
}

export interface BedSet {
  readonly beds: readonly Bed[];
  readonly labs: readonly Lab[];
  /** Everything that was started and goes on running: etcd and the daemons. */
  readonly pids: readonly number[];
  /** From the start of each weftd (offloads auto) until it said that it is ready. */
  readonly readySeconds: readonly number[];
  /** What each daemon of a contender says about its offloads now. */
  offloads(contender: Contender): Promise<readonly OffloadStatus[]>;
}

export interface BedOptions {
  readonly contenders: readonly Contender[];
  /** At most 7 characters [a-z0-9]; names the labs. */
  readonly id: string;
  readonly log: (line: string) => void;
}

/** Builds what the contenders need, runs `body`, and removes it all, however `body` ends, also by a signal. */
export function withBeds<T>(options: BedOptions, body: (beds: BedSet, signal: AbortSignal) => Promise<T>): Promise<T> {
  const { contenders, id, log } = options;
  const builder = new BedBuilder(log);
  const first = contenders.filter((contender) => contender !== 'weft-udp-off');
  const inLab = <R>(suffix: string, here: readonly Contender[], then: (signal: AbortSignal) => Promise<R>) => {
    const lab = { id: `${id}${suffix}`, hosts: 2, direct: true, underlayMtu: UNDERLAY_MTU, log };
    return withLab(lab, (built, signal) =>
      unlessInterrupted(signal, async () => {
        await builder.build(here, built);
        return then(signal);
      }),
    );
  };
  const run = (signal: AbortSignal) => body(builder.result(contenders), signal);
  if (first.length === contenders.length) return inLab('a', first, run);
  return inLab('b', ['weft-udp-off'], async (signal) => {
    if (first.length === 0) return run(signal);
    return inLab('a', first, (signalA) => run(AbortSignal.any([signal, signalA])));
  });
}

class BedBuilder {
  readonly #log: (line: string) => void;
  readonly #beds = new Map<Contender, Bed>();
  readonly #labs: Lab[] = [];
  readonly #processes: LabProcess[] = [];
  readonly #sockets = new Map<Contender, readonly string[]>();
  readonly #readySeconds: number[] = [];

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  async build(contenders: readonly Contender[], lab: Lab): Promise<void> {
    this.#labs.push(lab);
    for (const contender of contenders) {
      this.#log(`preparing ${contender}`);
      if (contender === 'direct') this.#beds.set(contender, await makeDirectBed(lab));
      else if (contender === 'kernel-vxlan') this.#beds.set(contender, await makeKernelVxlanBed(lab));
      else if (contender === 'weft-udp' || contender === 'weft-udp-off')
        this.#beds.set(contender, await this.#makeWeftBed(contender, lab));
    }
  }

  async #makeWeftBed(contender: 'weft-udp' | 'weft-udp-off', lab: Lab): Promise<Bed> {
    this.#processes.push(await startEtcd(lab));
    await putConfig(lab, JSON.stringify(defaultConfig()));
    const daemons: LabProcess[] = [];
    for (const host of lab.hosts) {
      const offload = contender === 'weft-udp' ? 'auto' : 'off';
      const { process, seconds } = await startReadyDaemon(lab, host, [`--offload=${offload}`]);
      if (contender === 'weft-udp') this.#readySeconds.push(seconds);
      daemons.push(process);
      this.#processes.push(process);
    }
    this.#sockets.set(
      contender,
      lab.hosts.map(({ controlSocket }) => controlSocket),
    );
    const pods = await Promise.all(lab.hosts.map((host) => connectPod(lab, host)));
    return makeWeftBed(contender, lab, daemons, pods);
  }

  /** In the order of `contenders`. */
  result(contenders: readonly Contender[]): BedSet {
    const sockets = this.#sockets;
    return {
      beds: contenders.flatMap((contender) => this.#beds.get(contender) ?? []),
      labs: this.#labs,
      pids: this.#processes.map(({ pid }) => pid),
      readySeconds: this.#readySeconds,
      async offloads(contender) {
        const replies = (sockets.get(contender) ?? []).map((socket) => askDaemon(socket, '/v1/status'));
        return (await Promise.all(replies)).flatMap(({ offloads }) => offloads);
      },
    };
  }
}

/** The lab has been made with two. */
function hostsOf(lab: Lab): readonly [LabHost, LabHost] {
  return [lab.hosts[0]!, lab.hosts[1]!];
}

function podBed(contender: Contender, lab: Lab, addresses: readonly string[], daemons: readonly LabProcess[]): Bed {
  const [client, server] = hostsOf(lab);
  return {
    contender,
    client: { netns: client.podNetns, address: addresses[0]! },
    server: { netns: server.podNetns, address: addresses[1]! },
    daemonPids: daemons.map(({ pid }) => pid),
    namespaces: [client, server].flatMap(({ netns, podNetns }) => [netns, podNetns]),
  };
}

/** Host to host over the underlay of a lab of two. */
export async function makeDirectBed(lab: Lab): Promise<Bed> {
  const [client, server] = hostsOf(lab);
  for (const [host, other] of [
    [client, server],
    [server, client],
  ] as const) {
    const own = directAddress(host);
    await ipBatch(host.netns, [
      `addr add ${own}/32 dev ${host.underlayInterface}`,
      `route add ${directAddress(other)}/32 dev ${host.underlayInterface} src ${own} mtu lock ${INNER_MTU}`,
    ]);
  }
  return {
    contender: 'direct',
    client: { netns: client.netns, address: directAddress(client) },
    server: { netns: server.netns, address: directAddress(server) },
    daemonPids: [],
    namespaces: [client.netns, server.netns],
  };
}

/** Pod to pod by the kernel's VXLAN, whose MTU is INNER_MTU on an underlay of 1500. */
export async function makeKernelVxlanBed(lab: Lab): Promise<Bed> {
  await addKernelVxlan(lab);
  return podBed('kernel-vxlan', lab, hostsOf(lab).map(kernelVxlanPodAddress), []);
}

/** Pod to pod through running daemons, with the MTU of pods and bridges lowered to INNER_MTU. */
export async function makeWeftBed(
  contender: Contender,
  lab: Lab,
  daemons: readonly LabProcess[],
  pods: readonly ConnectedPod[],
): Promise<Bed> {
  for (const { netns, podNetns } of hostsOf(lab)) {
    await ipBatch(netns, [`link set pod0 mtu ${INNER_MTU}`, `link set cni0 mtu ${INNER_MTU}`]);
    await ipBatch(podNetns, [`link set eth0 mtu ${INNER_MTU}`]);
  }
  return podBed(
    contender,
    lab,
    pods.map(({ address }) => address),
    daemons,
  );
}

/** The queueing discipline of the underlay device, as tc(8) names it: "noqueue". */
export async function underlayQdisc(lab: Lab): Promise<string> {
  const { netns, underlayInterface } = hostsOf(lab)[0];
  const { stdout } = await execInNetns(netns, ['tc', 'qdisc', 'show', 'dev', underlayInterface, 'root']);
  return /^qdisc (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
