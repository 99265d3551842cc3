/**
 * Pods of one subnet on two hosts, joined by weftd's learning VXLAN segment, and a third pod that may broadcast beside them:
 *
 *   [ pod1 ] eth2 ── br0 [ h1 ] ── flannel.3 ══ weftd ══ flannel.3 ── br0 [ h2 ] ── eth2 [ pod2 ]
 *   [ pod3 ] eth0 ── br0             (overlay: every broadcast is offered to the overlay as well)
 *            eth1 ── br9 ── eth9 [ pod1 ]   (aside: as many receivers, but no overlay)
 *
 * The generator, the bridge and the receiver cost CPU time of their own, and the machine's other work has to do without it:
 * `aside` shows that part alone.
 */
import { WeftError } from '../error.ts';
import { ipBatch } from '../lab/command.ts';
import { connectL2Pod } from '../lab/l2-pod.ts';
import type { Lab, LabHost } from '../lab/model.ts';
import { execInNetns } from '../lab/netns.ts';
import { until } from '../lab/until.ts';
import { TrafficProcess } from '../measure/traffic-process.ts';
import { SMALL_PAYLOAD_BYTES } from '../measure/udp.ts';
import { type NamedPath, NETWORKS, type Storm } from './paths.ts';
import { type WeftNetwork, waitForEcho } from './weft-network.ts';

/** Our choice: fifty times what the limiter lets one sender flood (lib/dataplane/worker/storm.ts), and little beside what two CPUs can do. */
export const STORM_FRAMES_PER_SECOND = 10_000;
const STORM_PACING_US = 1000;
/** Before anything is measured: many times the burst that the limiter lets pass. */
const STORM_HEAD_START_MS = 500;
const PORT = 9009;
const DEVICE = `flannel.${NETWORKS.segment.backend.VNI}`;

const SUBNET = { overlay: '10.206.0', aside: '10.207.0' } as const;

/** What a storm on the segment came to. */
export interface StormCount {
  /** Frames that the pod sent. */
  readonly offered: number;
  /** Copies that left for the other VTEP, those of other pods included. */
  readonly flooded: number;
  /** Frames that the limiter dropped. */
  readonly limited: number;
}

export class StormLab {
  readonly #network: WeftNetwork;
  readonly #hosts: readonly [LabHost, LabHost];
  readonly #stormNetns: string;
  readonly #stormSeconds: number;

  private constructor(
    network: WeftNetwork,
    hosts: readonly [LabHost, LabHost],
    stormNetns: string,
    stormSeconds: number,
  ) {
    this.#network = network;
    this.#hosts = hosts;
    this.#stormNetns = stormNetns;
    this.#stormSeconds = stormSeconds;
  }

  /** Connects the pods: to the devices of daemons that run for the purpose. After `stormSeconds` a storm ends by itself. */
  static async prepare(
    lab: Lab,
    network: WeftNetwork,
    hosts: readonly [LabHost, LabHost],
    stormSeconds: number,
  ): Promise<StormLab> {
    const stormNetns = `${lab.id}-pod${lab.hosts.length + 1}`;
    await network.within('auto', async () => {
      for (const host of hosts)
        await connectL2Pod(host, { address: `${SUBNET.overlay}.${host.number}/24`, device: DEVICE });
    });
    await ipBatch(undefined, [`netns add ${stormNetns}`]);
    const [{ netns, podNetns }] = hosts;
    await ipBatch(netns, [
      `link add storm0 type veth peer name eth0 netns ${stormNetns}`,
      'link set storm0 master br0 up',
      'link add br9 type bridge mcast_snooping 0',
      'link set br9 up',
      `link add storm1 type veth peer name eth1 netns ${stormNetns}`,
      'link set storm1 master br9 up',
      `link add pod9 type veth peer name eth9 netns ${podNetns}`,
      'link set pod9 master br9 up',
    ]);
    await ipBatch(podNetns, [`addr add ${SUBNET.aside}.1/24 dev eth9`, 'link set eth9 up']);
    await ipBatch(stormNetns, [
      `addr add ${SUBNET.overlay}.3/24 dev eth0`,
      'link set eth0 up',
      `addr add ${SUBNET.aside}.3/24 dev eth1`,
      'link set eth1 up',
    ]);
    return new StormLab(network, hosts, stormNetns, stormSeconds);
  }

  /** Runs `body` on the segment while it storms. `onStorm` gets the count of a storm on the overlay. */
  within<T>(
    storm: Storm,
    onStorm: (count: StormCount) => void,
    body: (path: Omit<NamedPath, 'name'>) => Promise<T>,
  ): Promise<T> {
    const [client, server] = this.#hosts;
    return this.#network.within('auto', async (daemonPids) => {
      // The devices are new with each start of the daemons.
      for (const { netns } of this.#hosts) await ipBatch(netns, [`link set ${DEVICE} master br0`]);
      const path: Omit<NamedPath, 'name'> = {
        client: { netns: client.podNetns, address: `${SUBNET.overlay}.${client.number}` },
        server: { netns: server.podNetns, address: `${SUBNET.overlay}.${server.number}` },
        daemonPids,
        namespaces: this.#hosts.flatMap(({ netns, podNetns }) => [netns, podNetns]),
        readStages: () => this.#network.readStages(),
      };
      await waitForEcho(client.podNetns, path.server.address);
      if (storm === 'none') return body(path);
      const before = await this.#offered(storm);
      const result = await this.#whileStorming(storm, before, () => body(path));
      if (storm === 'overlay') onStorm(await this.#count((await this.#offered(storm)) - before, daemonPids));
      return result;
    });
  }

  async #whileStorming<T>(storm: Exclude<Storm, 'none'>, before: number, body: () => Promise<T>): Promise<T> {
    const sender = new TrafficProcess(this.#stormNetns);
    try {
      sender.ask({
        type: 'send',
        to: `${SUBNET[storm]}.255`,
        port: PORT,
        payloadSize: SMALL_PAYLOAD_BYTES,
        trial: 0,
        rate: STORM_FRAMES_PER_SECOND,
        pacingUs: STORM_PACING_US,
        seconds: this.#stormSeconds,
      });
      const headStart = (STORM_FRAMES_PER_SECOND * STORM_HEAD_START_MS) / 1000;
      const storms = await until(async () => (await this.#offered(storm)) - before >= headStart, 10_000);
      if (!storms) throw new WeftError('STORM_FAILED', 'the third pod does not broadcast');
      return await body();
    } finally {
      await sender.stop();
    }
  }

  /** Frames that came from the third pod, as the host's end of its veth counts them. */
  async #offered(storm: Exclude<Storm, 'none'>): Promise<number> {
    const path = `/sys/class/net/storm${storm === 'overlay' ? 0 : 1}/statistics/rx_packets`;
    return Number((await execInNetns(this.#hosts[0].netns, ['cat', path])).stdout);
  }

  async #count(offered: number, pids: readonly number[]): Promise<StormCount> {
    const { bridge, drops } = (await this.#network.record(pids))[0]!.stats;
    return { offered, flooded: bridge.flooded, limited: drops['storm-limited'] ?? 0 };
  }
}
