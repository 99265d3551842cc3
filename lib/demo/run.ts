/**
 * `weft demo`: two hosts, etcd, two daemons and a pod behind each, in network namespaces; traffic between the pods, watched on
 * the underlay; every claim from data.
 *
 *   [ pod1 ] ── cni0 [ h1 ] u0 ── veth ── u0 [ h2 ] cni0 ── [ pod2 ]
 *                      │ etcd, weftd, capture      │ weftd
 */
import { existsSync } from 'node:fs';
import { parseIpv4 } from '../addr/ipv4.ts';
import type { Mac } from '../addr/mac.ts';
import { hostPrefix } from '../addr/prefix.ts';
import { makeDirectPath, makeKernelVxlanPath } from '../bench/kernel-paths.ts';
import { expectedTtl } from '../capture/checks.ts';
import { type Expectation, InspectedNodes } from '../capture/expectation.ts';
import { askDaemon } from '../control/client.ts';
import { WeftError } from '../error.ts';
import type { BackendName } from '../lab/backends.ts';
import { DEFAULT_ETCD_PREFIX, putConfig, startEtcd } from '../lab/etcd.ts';
import { unlessInterrupted } from '../lab/interrupt.ts';
import type { Lab } from '../lab/model.ts';
import type { LabProcess } from '../lab/netns.ts';
import { defaultConfig } from '../lab/overlay.ts';
import { type ConnectedPod, connectPod } from '../lab/pod.ts';
import { startReadyDaemon } from '../lab/ready-daemon.ts';
import { isTakenLabId } from '../lab/remove.ts';
import { withLab } from '../lab/with-lab.ts';
import { SHOWCASES, type Showcase } from './backends.ts';
import { captureWhile, claimHeaders } from './capture-phase.ts';
import { type Claim, Claims } from './claims.ts';
import { claimLeases, macOf } from './leases.ts';
import { makeWeftPath, measureOverhead, type Overhead } from './overhead.ts';
import { countByDaemons, countByKernel, type PacketCounter } from './packet-count.ts';
import { type DemoPod, pingBothWays, transferTcp, transferUdp } from './traffic.ts';
import { claimWireshark } from './wireshark.ts';

export interface DemoOptions {
  readonly backend: BackendName;
  /** Where the capture file goes. */
  readonly captureFile: string;
  /** Makes the names of namespaces unique. */
  readonly pid: number;
  /** Progress and claims, a line each, as they come. */
  readonly log: (line: string) => void;
}

/** `weft demo --json`; keys are stable. */
export interface DemoReport {
  readonly schema: 'weft-demo/2';
  readonly backend: BackendName;
  /** No claim failed. */
  readonly ok: boolean;
  readonly durationSeconds: number;
  readonly claims: readonly Claim[];
  readonly overhead: readonly Overhead[];
  readonly captureFile: string;
}

/** Throws WeftError NOT_ROOT, TOOL_MISSING, DAEMON_FAILED, CAP_MISSING, INTERRUPTED, ... after removing the lab. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const start = performance.now();
  const claims = new Claims(options.log);
  const id = `d${options.pid.toString(36)}`;
  let directory = '';
  const overhead = await withLab({ id, hosts: 2, direct: true }, (lab, signal) =>
    unlessInterrupted(signal, async () => {
      directory = lab.directory;
      claims.until(signal);
      return new Demo(lab, claims, options).run();
    }),
  );
  const left = isTakenLabId(id) || existsSync(directory);
  claims.check('nothing is left behind', !left, `namespaces ${id}-*, their processes and ${directory} are gone`);
  return {
    schema: 'weft-demo/2',
    backend: options.backend,
    ok: claims.all.every(({ state }) => state !== 'FAILED'),
    durationSeconds: Math.round((performance.now() - start) / 100) / 10,
    claims: claims.all,
    overhead,
    captureFile: options.captureFile,
  };
}

class Demo {
  readonly #lab: Lab;
  readonly #claims: Claims;
  readonly #options: DemoOptions;
  readonly #showcase: Showcase;
  readonly #counter: PacketCounter;

  constructor(lab: Lab, claims: Claims, options: DemoOptions) {
    this.#lab = lab;
    this.#claims = claims;
    this.#options = options;
    this.#showcase = SHOWCASES[options.backend];
    this.#counter = this.#showcase.wire.encapsulation === 'none' ? countByKernel(lab) : countByDaemons(lab);
  }

  async run(): Promise<Overhead[]> {
    const { hosts } = this.#lab;
    this.#options.log(`Two hosts, ${hosts.map((h) => `${h.netns} ${h.underlayAddress}`).join(' and ')}`);
    const daemons = await this.#startDaemons();
    const connected = await Promise.all(hosts.map((host) => connectPod(host)));
    const vtepMacs = await claimLeases(this.#lab, this.#showcase, this.#claims);
    const pods = this.#pods(connected);
    await this.#watchTraffic(pods, vtepMacs);
    await this.#counter.claimNoDrops(this.#claims);
    await this.#logOffloads();
    return this.#measureOverhead(daemons, connected);
  }

  async #startDaemons(): Promise<LabProcess[]> {
    await startEtcd(this.#lab);
    const config = JSON.stringify(defaultConfig(this.#showcase.config));
    await putConfig(this.#lab, config);
    this.#options.log(`etcd on ${this.#lab.etcdEndpoint}, ${DEFAULT_ETCD_PREFIX}/config is ${config}`);
    const daemons: LabProcess[] = [];
    for (const host of this.#lab.hosts) {
      const { process, seconds, status } = await startReadyDaemon(this.#lab, host);
      daemons.push(process);
      const { state, lease, backend } = status;
      const device = this.#showcase.device ?? host.underlayInterface;
      const right = state === 'ready' && lease !== null && backend?.device === device;
      const detail = `${state} after ${seconds.toFixed(2)} s, subnet ${lease?.ipv4}, ${backend?.device} MTU ${backend?.mtu}`;
      this.#claims.check(`weftd on ${host.netns}`, right, detail);
    }
    return daemons;
  }

  #pods(connected: readonly ConnectedPod[]): readonly [DemoPod, DemoPod] {
    const [first, second] = this.#lab.hosts.map((host, index): DemoPod => {
      return { name: `pod${host.number}`, netns: host.podNetns, address: connected[index]!.address };
    });
    // The lab has two hosts.
    return [first!, second!];
  }

  async #watchTraffic(pods: readonly [DemoPod, DemoPod], vtepMacs: readonly (Mac | undefined)[]): Promise<void> {
    const { hosts } = this.#lab;
    const { wire } = this.#showcase;
    this.#options.log(`Capturing on ${hosts[0]!.underlayInterface} of ${hosts[0]!.netns}`);
    const before = await this.#counter.sent();
    const expected = await this.#expectation(pods, vtepMacs);
    const addresses = pods.map(({ address }) => address);
    const record = await captureWhile(hosts, expected, addresses, async () => {
      await pingBothWays(pods, this.#claims);
      await transferTcp(pods, this.#claims);
      await transferUdp(pods, this.#claims);
    });
    const packets = (await this.#counter.sent()) - before;
    const { tally } = record;
    claimHeaders(tally, wire, { packets, by: this.#counter.by }, this.#claims);
    record.save(this.#options.captureFile);
    await claimWireshark(this.#options.captureFile, tally, wire, addresses, this.#claims);
  }

  async #expectation(pods: readonly [DemoPod, DemoPod], vtepMacs: readonly (Mac | undefined)[]): Promise<Expectation> {
    const nodes = await Promise.all(
      this.#lab.hosts.map(async ({ netns, underlayInterface, underlayAddress }, index) => ({
        addresses: [addressOf(underlayAddress)],
        mac: await macOf(netns, underlayInterface),
        inner: [hostPrefix(addressOf(pods[index]!.address))],
        vtepMacs: [vtepMacs[index] ?? []].flat(),
      })),
    );
    const { wire } = this.#showcase;
    return {
      wire,
      nodes: new InspectedNodes(nodes),
      innerTtl: expectedTtl(wire),
      dscp: 0,
      learning: false,
      mtu: undefined,
      // cap hands over no offload data, and the underlay's sums may be the NIC's to finish.
      asOnWire: false,
      strict: true,
    };
  }

  /** After the traffic, because an offload may have been refused by it. */
  async #logOffloads(): Promise<void> {
    const statuses = await Promise.all(this.#lab.hosts.map((host) => askDaemon(host.controlSocket, '/v1/status')));
    const states = statuses.flatMap(({ offloads }) =>
      offloads.map(({ name, active, reason }) => (active ? `${name} on` : `${name} off (${reason})`)),
    );
    const inUse =
      states.length === 0 ? 'the kernel routes them, no daemon touches them' : [...new Set(states)].join(', ');
    this.#options.log(`Path of packets: ${inUse}`);
  }

  async #measureOverhead(daemons: readonly LabProcess[], pods: readonly ConnectedPod[]): Promise<Overhead[]> {
    const paths = [
      await makeDirectPath(this.#lab),
      await makeKernelVxlanPath(this.#lab),
      await makeWeftPath(this.#showcase.path, this.#lab, daemons, pods),
    ];
    const results: Overhead[] = [];
    for (const path of paths) {
      this.#options.log(`Measuring ${path.name}`);
      results.push(await measureOverhead(path));
    }
    return results;
  }
}

function addressOf(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new WeftError('BAD_ADDRESS', `"${text}" is not an IPv4 address`);
  return address;
}
