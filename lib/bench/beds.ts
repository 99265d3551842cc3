/**
 * The beds of all contenders: labs of two hosts joined by one veth. One lab carries the direct path, the kernel's VXLAN and
 * weftd with offloads; weftd without offloads has a second lab, because a host has one port 8285 and one flannel0.
 * A path that is not being measured costs its neighbours nothing: its daemons sleep in poll(2).
 */
import { askDaemon } from '../control/client.ts';
import type { OffloadStatus } from '../dataplane/stats.ts';
import { ipBatch } from '../lab/command.ts';
import { startDaemon } from '../lab/daemon.ts';
import { putConfig, startEtcd } from '../lab/etcd.ts';
import { addKernelVxlan, kernelVxlanPodAddress } from '../lab/kernel-vxlan.ts';
import type { Lab, LabHost } from '../lab/lab.ts';
import { execInNetns, type LabProcess } from '../lab/netns.ts';
import { defaultConfig } from '../lab/overlay.ts';
import { connectPod } from '../lab/pod.ts';
import { withLab } from '../lab/with-lab.ts';
import type { Bed, Contender } from './bed.ts';

/**
 * The MTU inside, the same for all: what VXLAN leaves of 1500. Pods of weftd, which leaves 1472, and the direct path are
 * set down to it, so that nobody gains by larger segments.
 */
export const INNER_MTU = 1450;
export const UNDERLAY_MTU = 1500;

/** The direct path has addresses of its own, whose route carries the lowered MTU; the underlay's stay at 1500. */
const DIRECT_ADDRESS = (host: LabHost): string => `198.51.100.${host.number}`;

export interface BedSet {
  readonly beds: readonly Bed[];
  readonly labs: readonly Lab[];
  /** Everything that was started and goes on running: etcd and the daemons. */
  readonly pids: readonly number[];
  /** From the start of each weftd (offloads auto) until its control socket answered and subnet.env was there. */
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
  const build = (contendersHere: readonly Contender[], lab: Lab) => builder.build(contendersHere, lab);
  const lab = (suffix: string) => ({ id: `${id}${suffix}`, hosts: 2, direct: true, underlayMtu: UNDERLAY_MTU, log });
  if (!contenders.includes('weft-udp-off')) {
    return withLab(lab('a'), async (labA, signal) => {
      await build(first, labA);
      return body(builder.result(contenders), signal);
    });
  }
  return withLab(lab('b'), async (labB, signalB) => {
    await build(['weft-udp-off'], labB);
    if (first.length === 0) return body(builder.result(contenders), signalB);
    return withLab(lab('a'), async (labA, signalA) => {
      await build(first, labA);
      return body(builder.result(contenders), AbortSignal.any([signalA, signalB]));
    });
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
      const [client, server] = hostsOf(lab);
      const daemons: LabProcess[] = [];
      let addresses: readonly [string, string];
      if (contender === 'direct') {
        addresses = await prepareDirect(client, server);
      } else if (contender === 'kernel-vxlan') {
        await addKernelVxlan(lab);
        addresses = [kernelVxlanPodAddress(client), kernelVxlanPodAddress(server)];
      } else {
        addresses = await this.#prepareWeft(contender, lab, daemons);
      }
      const netns = (host: LabHost) => (contender === 'direct' ? host.netns : host.podNetns);
      this.#beds.set(contender, {
        contender,
        client: { netns: netns(client), address: addresses[0] },
        server: { netns: netns(server), address: addresses[1] },
        daemonPids: daemons.map(({ pid }) => pid),
        namespaces: [...new Set([client.netns, server.netns, netns(client), netns(server)])],
      });
    }
  }

  async #prepareWeft(contender: Contender, lab: Lab, daemons: LabProcess[]): Promise<readonly [string, string]> {
    this.#processes.push(await startEtcd(lab));
    await putConfig(lab, JSON.stringify(defaultConfig()));
    const offload = contender === 'weft-udp' ? 'auto' : 'off';
    for (const host of lab.hosts) {
      const start = performance.now();
      const daemon = await startDaemon(lab, host, [`--offload=${offload}`]);
      if (contender === 'weft-udp') this.#readySeconds.push((performance.now() - start) / 1000);
      daemons.push(daemon);
      this.#processes.push(daemon);
    }
    this.#sockets.set(
      contender,
      lab.hosts.map(({ controlSocket }) => controlSocket),
    );
    const [client, server] = hostsOf(lab);
    return [await connectLoweredPod(lab, client), await connectLoweredPod(lab, server)];
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

async function prepareDirect(client: LabHost, server: LabHost): Promise<readonly [string, string]> {
  for (const [host, other] of [
    [client, server],
    [server, client],
  ] as const) {
    const own = DIRECT_ADDRESS(host);
    await ipBatch(host.netns, [
      `addr add ${own}/32 dev ${host.underlayInterface}`,
      `route add ${DIRECT_ADDRESS(other)}/32 dev ${host.underlayInterface} src ${own} mtu lock ${INNER_MTU}`,
    ]);
  }
  return [DIRECT_ADDRESS(client), DIRECT_ADDRESS(server)];
}

async function connectLoweredPod(lab: Lab, host: LabHost): Promise<string> {
  const pod = await connectPod(lab, host);
  await ipBatch(
    host.netns,
    ['pod0', 'cni0'].map((device) => `link set ${device} mtu ${INNER_MTU}`),
  );
  await ipBatch(host.podNetns, [`link set eth0 mtu ${INNER_MTU}`]);
  return pod.address;
}

/** The queueing discipline of the underlay device, as tc(8) names it: "noqueue". */
export async function underlayQdisc(lab: Lab): Promise<string> {
  const { netns, underlayInterface } = hostsOf(lab)[0];
  const { stdout } = await execInNetns(netns, ['tc', 'qdisc', 'show', 'dev', underlayInterface, 'root']);
  return /^qdisc (\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
