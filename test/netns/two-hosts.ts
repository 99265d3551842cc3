/**
 * Two hosts on one wire, each a process in a namespace of its own, for tests of backends:
 *
 *   [ host 1 ] u0 192.0.2.1/24, 2001:db8::1/64 ── veth ── u0 192.0.2.2/24, 2001:db8::2/64 [ host 2 ]
 *
 * Host n has the subnets 10.244.n.0/24 and fd00:0:0:n::/64, and in them a pod address, .2 and ::2, on its loopback device.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { formatMac, type Mac } from '../../lib/addr/mac.ts';
import type { Ipv4Prefix, Ipv6Prefix } from '../../lib/addr/prefix.ts';
import type { ExternalInterface } from '../../lib/backend/backend.ts';
import type { OffloadSwitches } from '../../lib/engine/offloads.ts';
import { WeftError } from '../../lib/error.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { prefix } from '../fastpath/harness.ts';
import { PATIENCE_MS } from '../patience.ts';
import type { BackendType, HostBackendOptions, HostReply, HostRequest, HostState } from './host-child.ts';

const SWITCHES: OffloadSwitches = { auto: true, tunTso: true, tunUso: true, tunGro: true, udpGso: true, udpGro: true };

export class Host {
  readonly number: 1 | 2;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: HostReply) => void>();
  #next = 1;
  /** The child says so once it is in its namespace. */
  readonly ready: Promise<unknown>;

  constructor(number: 1 | 2) {
    this.number = number;
    this.#child = fork(new URL('./host-child.js', import.meta.url), { serialization: 'advanced' });
    this.#child.on('message', (reply: HostReply) => this.#waiting.get(reply.id)?.(reply));
    this.#child.on('exit', () => {
      const error = { message: `host ${number} ended`, code: 'CHILD_ENDED', hint: undefined };
      for (const [id, settle] of this.#waiting) settle({ id, error });
    });
    this.ready = this.#reply(0);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  #reply(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new WeftError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint }));
      });
    });
  }

  #ask(request: HostRequest): Promise<unknown> {
    const id = this.#next++;
    const reply = this.#reply(id);
    this.#child.send({ id, request });
    return reply;
  }

  /** Its standard output; rejects when it fails. */
  async run(program: string, ...args: string[]): Promise<string> {
    return (await this.#ask({ op: 'exec', program, args })) as string;
  }

  /** One line of ip(8). */
  ip(line: string): Promise<string> {
    return this.run('ip', ...line.split(' '));
  }

  /** Its /proc/sys can be read only from now on. */
  async makeSysctlsReadOnly(): Promise<void> {
    await this.#ask({ op: 'read-only-sysctls' });
  }

  /** One setting of the kernel, such as "net/ipv4/ip_forward". */
  async sysctl(key: string): Promise<string> {
    return (await this.run('cat', `/proc/sys/${key}`)).trim();
  }

  async setSysctl(key: string, value: string): Promise<void> {
    await this.run('sh', '-c', `echo ${value} > /proc/sys/${key}`);
  }

  async start(type: BackendType, options: Partial<HostBackendOptions> = {}): Promise<void> {
    await this.#ask({ op: 'start', type, options: { ...hostOptions(this.number, `"Type":"${type}"`), ...options } });
  }

  async setLeases(leases: readonly Lease[], network = ''): Promise<void> {
    await this.#ask({ op: 'leases', network, leases });
  }

  async state(network = ''): Promise<HostState> {
    return (await this.#ask({ op: 'state', network })) as HostState;
  }

  /** Its peers are probed from now on. */
  async monitor(network = ''): Promise<void> {
    await this.#ask({ op: 'monitor', network });
  }

  /** Sends "fragmentation needed" about `quoted`, an IP packet, to `to`. */
  async forge(to: string, mtu: number, quoted: Uint8Array): Promise<void> {
    await this.#ask({ op: 'forge', to, mtu, quoted });
  }

  async stop(network = ''): Promise<void> {
    await this.#ask({ op: 'stop', network });
  }

  /** From pod address to pod address of the other host: true if answered. */
  async pings(family: 4 | 6, to = 3 - this.number, ...flags: string[]): Promise<boolean> {
    const address = (n: number): string => (family === 4 ? `10.244.${n}.2` : `fd00:0:0:${n}::2`);
    const args = [`-${family}`, '-c1', '-W3', '-I', address(this.number), ...flags, address(to)];
    return this.run('ping', ...args).then(
      () => true,
      () => false,
    );
  }

  /** Fetches `bytes` over TCP from the other host's pod address: true if they arrive whole. */
  async fetches(other: Host, bytes: number): Promise<boolean> {
    const from = `10.244.${other.number}.2`;
    const sent = await other.#ask({ op: 'serve', address: from, bytes });
    return (await this.#ask({ op: 'fetch', from, address: `10.244.${this.number}.2` })) === sent;
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** The test process has to be in a namespace of its own: see testInFreshNamespace. */
export async function withTwoHosts(body: (one: Host, two: Host) => Promise<void>): Promise<void> {
  await withHosts(async (one, two) => {
    const ends = [one, two].map(({ pid }) => ['name', 'u0', 'netns', `${pid}`]);
    execFileSync('ip', ['link', 'add', ...ends[0]!, 'type', 'veth', 'peer', ...ends[1]!]);
    for (const host of [one, two]) await addAddresses(host, 24);
    await body(one, two);
  });
}

/**
 * As withTwoHosts, but the test's own namespace is a router between the two, IPv4 only, which lets packets of `mtu` bytes
 * pass from one to the other. Its devices are r1, towards host 1, and r2; they go with the hosts.
 */
export async function withRoutedHosts(mtu: number, body: (one: Host, two: Host) => Promise<void>): Promise<void> {
  await withHosts(async (one, two) => {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    for (const host of [one, two]) {
      const { number, pid } = host;
      const device = `r${number}`;
      for (const line of [
        `link add ${device} type veth peer name u0 netns ${pid}`,
        `addr add ${ROUTER}/32 dev ${device}`,
        `link set ${device} up`,
        `route add 192.0.2.${number}/32 dev ${device} mtu lock ${mtu}`,
      ])
        execFileSync('ip', line.split(' '));
      await addAddresses(host, 32);
      await host.ip(`route add ${ROUTER} dev u0`);
      await host.ip(`route add default via ${ROUTER}`);
    }
    try {
      await body(one, two);
    } finally {
      // The hosts' ends would take them along, but not at once.
      for (const device of ['r1', 'r2']) execFileSync('ip', ['link', 'delete', device]);
    }
  });
}

const ROUTER = '198.51.100.254';

async function withHosts(body: (one: Host, two: Host) => Promise<void>): Promise<void> {
  const hosts = [new Host(1), new Host(2)] as const;
  try {
    await Promise.all(hosts.map((host) => host.ready));
    await body(...hosts);
  } finally {
    for (const host of hosts) host.close();
  }
}

async function addAddresses(host: Host, prefixLength: number): Promise<void> {
  const { number } = host;
  // No duplicate address detection: an address is there at once.
  for (const line of [
    `addr add 192.0.2.${number}/${prefixLength} dev u0`,
    `addr add 2001:db8::${number}/64 dev u0 nodad`,
    `addr add 10.244.${number}.2/32 dev lo`,
    `addr add fd00:0:0:${number}::2/128 dev lo nodad`,
    'link set u0 up',
  ])
    await host.ip(line);
}

function external(n: number): ExternalInterface {
  const ipv4 = 0xc0000200 + n;
  const ipv6 = 0x20010db8_00000000_00000000_00000000n + BigInt(n);
  return { name: 'u0', index: 2, mtu: 1500, ipv4, ipv6, publicIp: ipv4, publicIpv6: ipv6, reason: 'test' };
}

/** `backend`: the members of the Backend object. */
export function hostOptions(n: number, backend: string, dual = false): HostBackendOptions {
  const ipv6 = dual ? '"EnableIPv6":true,"IPv6Network":"fd00::/48","IPv6SubnetLen":64,' : '';
  return {
    config: parseNetworkConfig(`{"Network":"10.244.0.0/16",${ipv6}"Backend":{${backend}}}`),
    external: external(n),
    own: {
      ipv4: prefix(`10.244.${n}.0/24`) as Ipv4Prefix,
      ipv6: dual ? (prefix(`fd00:0:0:${n}::/64`) as Ipv6Prefix) : undefined,
    },
    offload: SWITCHES,
    sourceCheck: true,
    network: '',
    netns: undefined,
    tos: { mode: 'fixed', dscp: 0 },
    macs: Object.fromEntries(['flannel.1', 'flannel.2', 'flannel-v6.1'].map((device, i) => [device, vtepMac(n, i)])),
  };
}

/** Of device number `device` of host n. */
export function vtepMac(n: number, device = 0): Mac {
  return 0x0200_0000_0000 + device * 256 + n;
}

export function lease(n: number, backendType: string, vni?: number, dual = false): Lease {
  const { publicIp, publicIpv6 } = external(n);
  const data = (device: number): unknown =>
    vni === undefined ? undefined : { VNI: vni, VtepMAC: formatMac(vtepMac(n, device)) };
  return {
    subnets: {
      ipv4: prefix(`10.244.${n}.0/24`) as Ipv4Prefix,
      ipv6: dual ? (prefix(`fd00:0:0:${n}::/64`) as Ipv6Prefix) : undefined,
    },
    attrs: {
      publicIp,
      publicIpv6: dual ? publicIpv6 : undefined,
      backendType,
      backendData: data(vni === 2 ? 1 : 0),
      backendV6Data: dual ? data(2) : undefined,
    },
    expiresAtMs: undefined,
  };
}

/** Waits until `condition` holds; fails after {@link PATIENCE_MS}. */
export async function until(t: ExecutionContext, what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) return t.fail(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
