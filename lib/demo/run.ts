/**
 * `weft demo`: two hosts, etcd, two daemons and a pod behind each, in network namespaces; traffic between the pods, watched on
 * the underlay; every claim from data.
 *
 *   [ pod1 ] ── cni0 [ h1 ] u0 ── veth ── u0 [ h2 ] cni0 ── [ pod2 ]
 *                      │ etcd, weftd, capture      │ weftd
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseIpv4 } from '../addr/ipv4.ts';
import { makeDirectBed, makeKernelVxlanBed, makeWeftBed } from '../bench/beds.ts';
import { unlessInterrupted } from '../bench/interrupt.ts';
import { startReadyDaemon } from '../bench/ready-daemon.ts';
import { askDaemon } from '../control/client.ts';
import type { StatsReply, StatusReply } from '../control/protocol.ts';
import { WeftError } from '../error.ts';
import { DEFAULT_ETCD_PREFIX, etcdctl, putConfig, startEtcd } from '../lab/etcd.ts';
import type { Lab } from '../lab/lab.ts';
import type { LabProcess } from '../lab/netns.ts';
import { defaultConfig } from '../lab/overlay.ts';
import { type ConnectedPod, connectPod } from '../lab/pod.ts';
import { isTakenLabId } from '../lab/remove.ts';
import { withLab } from '../lab/with-lab.ts';
import { captureWhile, claimHeaders, claimWireshark } from './capture-phase.ts';
import { type Claim, Claims } from './claims.ts';
import type { Expectation } from './inspect.ts';
import { measureOverhead, type Overhead } from './overhead.ts';
import { type DemoPod, pingBothWays, transferTcp, transferUdp } from './traffic.ts';

export interface DemoOptions {
  /** Where the capture file goes. */
  readonly captureFile: string;
  /** Makes the names of namespaces unique. */
  readonly pid: number;
  /** Progress and claims, a line each, as they come. */
  readonly log: (line: string) => void;
}

/** `weft demo --json`; keys are stable. */
export interface DemoReport {
  readonly schema: 'weft-demo/1';
  /** No claim failed. */
  readonly ok: boolean;
  readonly durationSeconds: number;
  readonly claims: readonly Claim[];
  readonly overhead: readonly Overhead[];
  readonly captureFile: string;
}

const PORT = 8285;
/** 64, less one where the host forwards, less one where the backend encapsulates: as flannel's does. */
const INNER_TTL = 62;
const PEERS_WITHIN_MS = 5000;

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
    schema: 'weft-demo/1',
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

  constructor(lab: Lab, claims: Claims, options: DemoOptions) {
    this.#lab = lab;
    this.#claims = claims;
    this.#options = options;
  }

  async run(): Promise<Overhead[]> {
    const { hosts } = this.#lab;
    this.#options.log(`Two hosts, ${hosts.map((h) => `${h.netns} ${h.underlayAddress}`).join(' and ')}`);
    const daemons = await this.#startDaemons();
    const connected = await Promise.all(hosts.map((host) => connectPod(this.#lab, host)));
    await this.#claimLeases();
    const pods = this.#pods(connected);
    await this.#watchTraffic(pods);
    await this.#claimNoDrops();
    await this.#tellPath();
    return this.#measureOverhead(daemons, connected);
  }

  async #startDaemons(): Promise<LabProcess[]> {
    await startEtcd(this.#lab);
    const config = JSON.stringify(defaultConfig());
    await putConfig(this.#lab, config);
    this.#options.log(`etcd on ${this.#lab.etcdEndpoint}, ${DEFAULT_ETCD_PREFIX}/config is ${config}`);
    const daemons: LabProcess[] = [];
    for (const host of this.#lab.hosts) {
      const { process, seconds, status } = await startReadyDaemon(this.#lab, host);
      daemons.push(process);
      const { state, lease, backend } = status;
      const detail = `${state} after ${seconds.toFixed(2)} s, subnet ${lease?.ipv4}, ${backend?.device} MTU ${backend?.mtu}`;
      this.#claims.check(`weftd on ${host.netns}`, state === 'ready' && lease !== null && backend !== null, detail);
    }
    return daemons;
  }

  /** The subnets the daemons hold are those in etcd, and each daemon knows the other. */
  async #claimLeases(): Promise<void> {
    const keysText = await etcdctl(this.#lab, ['get', '--prefix', `${DEFAULT_ETCD_PREFIX}/subnets/`, '--keys-only']);
    const keys = keysText.stdout.split('\n').filter((line) => line !== '');
    const statuses = await this.#whenPeersAreKnown();
    const held = statuses.map(({ lease }) => `${DEFAULT_ETCD_PREFIX}/subnets/${lease?.ipv4.replace('/', '-')}`);
    const same = keys.length === held.length && held.every((key) => keys.includes(key));
    this.#claims.check('leases in etcd', same, keys.map((key) => key.split('/').at(-1)).join(', '));
    const peers = statuses.map((status) => status.peers);
    this.#claims.check('each daemon knows the other', peers.join() === '1,1', `${peers.join(' and ')} peer`);
  }

  async #whenPeersAreKnown(): Promise<StatusReply[]> {
    const deadline = performance.now() + PEERS_WITHIN_MS;
    for (;;) {
      const statuses = await Promise.all(this.#lab.hosts.map((host) => askDaemon(host.controlSocket, '/v1/status')));
      if (statuses.every(({ peers }) => peers > 0) || performance.now() > deadline) return statuses;
      await delay(20);
    }
  }

  #pods(connected: readonly ConnectedPod[]): readonly [DemoPod, DemoPod] {
    const [first, second] = this.#lab.hosts.map((host, index): DemoPod => {
      return { name: `pod${host.number}`, netns: host.podNetns, address: connected[index]!.address };
    });
    // The lab has two hosts.
    return [first!, second!];
  }

  async #watchTraffic(pods: readonly [DemoPod, DemoPod]): Promise<void> {
    const { hosts } = this.#lab;
    this.#options.log(`Capturing on ${hosts[0]!.underlayInterface} of ${hosts[0]!.netns}`);
    const before = await this.#packetsSent();
    const expected = this.#expectation(pods);
    const record = await captureWhile(hosts, expected, async () => {
      await pingBothWays(pods, this.#claims);
      await transferTcp(pods, this.#claims);
      await transferUdp(pods, this.#claims);
    });
    const sent = (await this.#packetsSent()) - before;
    claimHeaders(record.tally, sent, this.#claims);
    record.save(this.#options.captureFile);
    const addresses = pods.map(({ address }) => address);
    await claimWireshark(this.#options.captureFile, record.frames, PORT, addresses, this.#claims);
  }

  #expectation(pods: readonly [DemoPod, DemoPod]): Expectation {
    const [first, second] = this.#lab.hosts.map(({ underlayAddress }, index) => ({
      publicIp: addressOf(underlayAddress),
      pod: addressOf(pods[index]!.address),
    }));
    return { hosts: [first!, second!], port: PORT, innerTtl: INNER_TTL };
  }

  async #packetsSent(): Promise<number> {
    return (await this.#stats()).reduce((sum, { outbound }) => sum + outbound.forwarded, 0);
  }

  /** The kernel's own IPv6 multicast on the device is for no peer; it is left out and told. */
  async #claimNoDrops(): Promise<void> {
    const stats = await this.#stats();
    const count = (pick: (reply: StatsReply) => number) => stats.reduce((sum, reply) => sum + pick(reply), 0);
    const multicast = count(({ drops }) => drops.multicast);
    const dropped = count(({ drops }) => Object.values(drops).reduce((sum, drop) => sum + drop, 0)) - multicast;
    const overflow = count(({ socketOverflow }) => socketOverflow);
    const forwarded = count(({ inbound, outbound }) => inbound.forwarded + outbound.forwarded);
    const detail =
      `${forwarded} forwarded, ${dropped} dropped, ${overflow} lost before a full socket ` +
      `(and ${multicast} multicast packets of the hosts' own IPv6, which are for no peer)`;
    this.#claims.check("the daemons dropped none of the pods' packets", dropped + overflow === 0, detail);
  }

  /** After the traffic, because an offload may have been refused by it. */
  async #tellPath(): Promise<void> {
    const statuses = await Promise.all(this.#lab.hosts.map((host) => askDaemon(host.controlSocket, '/v1/status')));
    const states = statuses.flatMap(({ offloads }) =>
      offloads.map(({ name, active, reason }) => (active ? `${name} on` : `${name} off (${reason})`)),
    );
    this.#options.log(`Path of packets: ${[...new Set(states)].join(', ')}`);
  }

  #stats(): Promise<StatsReply[]> {
    return Promise.all(this.#lab.hosts.map((host) => askDaemon(host.controlSocket, '/v1/stats')));
  }

  async #measureOverhead(daemons: readonly LabProcess[], pods: readonly ConnectedPod[]): Promise<Overhead[]> {
    const beds = [
      await makeDirectBed(this.#lab),
      await makeKernelVxlanBed(this.#lab),
      await makeWeftBed('weft-udp', this.#lab, daemons, pods),
    ];
    const results: Overhead[] = [];
    for (const bed of beds) {
      this.#options.log(`Measuring ${bed.contender}`);
      results.push(await measureOverhead(bed));
    }
    return results;
  }
}

function addressOf(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new WeftError('BAD_ADDRESS', `"${text}" is not an IPv4 address`);
  return address;
}
