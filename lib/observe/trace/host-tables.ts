/** What the kernel of a network namespace says about a packet's way through it. Reads, changes nothing, sends nothing. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { formatPrefix, hostPrefix, ipv4Prefix, prefixContains } from '../../addr/prefix.ts';
import { messageOf, WeftError } from '../../error.ts';
import { RouteTable, RouteType } from '../../sys/netlink/abi.ts';
import { type Address, type Link, type Neighbor, type Route, RouteNetlink } from '../../sys/netlink/rtnetlink.ts';
import { withinNetns } from '../../sys/netns.ts';
import { Firewall } from './firewall.ts';

/** Our choice: a trace answers within two seconds. */
const FIREWALL_MS = 700;

export interface RouteAnswer {
  readonly route: Route | undefined;
  /** Of `route`; undefined without a route, or for one that leads nowhere. */
  readonly device: string | undefined;
  /** The kernel's words when there is no route. */
  readonly error: string | undefined;
}

export interface HostTables {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly neighbors: readonly Neighbor[];
  readonly routes: readonly Route[];
  readonly routeTo: (destination: Ipv4) => RouteAnswer;
  readonly link: (name: string | undefined) => Link | undefined;
  /** net.ipv4.ip_forward; undefined when it cannot be read. */
  readonly forwards: boolean | undefined;
  /** Of each device, by name, as it counts: the larger of `all` and its own. */
  readonly rpFilter: (device: string) => number;
  /** net.ipv4.conf.<device>.forwarding. */
  readonly forwarding: (device: string) => boolean;
  /** Undefined: cannot be read, `firewallReason` says why. */
  readonly firewall: Firewall | undefined;
  readonly firewallReason: string;
  /** There is a filter table of iptables-legacy, whose rules nft does not list. */
  readonly hasLegacyFilter: boolean;
}

/** Tables of the namespace of the file `netns`, undefined: this process's. `about`: the addresses that routeTo will be asked for. */
export function readHostTables(netns: string | undefined, about: readonly Ipv4[]): HostTables {
  return withinNetns(netns, () => {
    const netlink = RouteNetlink.open();
    try {
      const links = netlink.links();
      const answers = new Map(about.map((address) => [address, askRoute(netlink, links, address)]));
      const settings = new Map(links.map(({ name }) => [name, readSettings(name)]));
      const all = readNumber('/proc/sys/net/ipv4/conf/all/rp_filter') ?? 0;
      const forward = readNumber('/proc/sys/net/ipv4/ip_forward');
      const unknown: RouteAnswer = { route: undefined, device: undefined, error: 'not asked' };
      return {
        links,
        addresses: netlink.addresses(),
        neighbors: netlink.neighbors(),
        routes: netlink.routes(),
        routeTo: (destination) => answers.get(destination) ?? unknown,
        link: (name) => links.find((link) => link.name === name),
        forwards: forward === undefined ? undefined : forward !== 0,
        rpFilter: (device) => Math.max(all, settings.get(device)?.rpFilter ?? 0),
        forwarding: (device) => settings.get(device)?.forwarding ?? true,
        ...readFirewall(),
        hasLegacyFilter: readText('/proc/thread-self/net/ip_tables_names').split('\n').includes('filter'),
      };
    } finally {
      netlink.close();
    }
  });
}

/** The bridge with a prefix that the address lies in, and that prefix; undefined when there is none. */
export function bridgeOf(
  tables: HostTables,
  address: Ipv4,
): { readonly device: string; readonly subnet: string } | undefined {
  for (const own of tables.addresses) {
    if (typeof own.address !== 'number' || own.prefixLength === 32) continue;
    const subnet = ipv4Prefix(own.address, own.prefixLength);
    if (!prefixContains(subnet, hostPrefix(address))) continue;
    const link = tables.links.find(({ index }) => index === own.interfaceIndex);
    // The overlay's own device has the whole network as its prefix with some backends, a pod's bridge never.
    if (link?.kind === 'bridge') return { device: link.name, subnet: formatPrefix(subnet) };
  }
  return undefined;
}

/** Whether a route of the main table leads to the address by the device, preferred or not. */
export function hasRouteBy(tables: HostTables, address: Ipv4, device: string): boolean {
  const index = tables.link(device)?.index;
  return tables.routes.some(
    ({ destination, interfaceIndex, type, table }) =>
      interfaceIndex === index &&
      type === RouteType.unicast &&
      table === RouteTable.main &&
      destination?.family === 4 &&
      prefixContains(destination, hostPrefix(address)),
  );
}

function askRoute(netlink: RouteNetlink, links: readonly Link[], address: Ipv4): RouteAnswer {
  try {
    const route = netlink.routeTo(address);
    const device = links.find(({ index }) => index === route.interfaceIndex)?.name;
    return { route, device, error: undefined };
  } catch (error) {
    // The kernel's way to say that there is none.
    const isNone = error instanceof WeftError && error.code === 'ENETUNREACH';
    return {
      route: undefined,
      device: undefined,
      error: isNone ? `no route to ${formatIpv4(address)}` : messageOf(error),
    };
  }
}

function readSettings(device: string): { readonly rpFilter: number; readonly forwarding: boolean } {
  const folder = `/proc/sys/net/ipv4/conf/${device}`;
  return {
    rpFilter: readNumber(`${folder}/rp_filter`) ?? 0,
    forwarding: (readNumber(`${folder}/forwarding`) ?? 1) !== 0,
  };
}

function readNumber(path: string): number | undefined {
  const text = readText(path);
  return text === '' ? undefined : Number(text);
}

/** '' where it cannot be read. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The child starts in the calling thread's namespace. */
function readFirewall(): Pick<HostTables, 'firewall' | 'firewallReason'> {
  const { error, status, stdout, stderr } = spawnSync('nft', ['-j', 'list', 'ruleset'], {
    encoding: 'utf8',
    timeout: FIREWALL_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  const failed = (why: string) => ({ firewall: undefined, firewallReason: why });
  if (error !== undefined)
    return failed((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'nft is not installed' : messageOf(error));
  if (status !== 0) return failed(`nft: ${stderr.trim().split('\n')[0] ?? `exit code ${status}`}`);
  const firewall = Firewall.parse(stdout);
  return firewall === undefined ? failed('nft prints no JSON') : { firewall, firewallReason: '' };
}

/** Counters of the kernel that say why a packet went no further, by name. */
export function readCounters(netns: string | undefined): Map<string, number> {
  return withinNetns(netns, () => {
    const counters = new Map<string, number>();
    for (const file of ['snmp', 'netstat']) {
      try {
        readCounterLines(readFileSync(`/proc/thread-self/net/${file}`, 'utf8'), counters);
      } catch {
        // Without them there is less to compare.
      }
    }
    return counters;
  });
}

/** "Ip: A B" and "Ip: 1 2", in turn. */
function readCounterLines(text: string, counters: Map<string, number>): void {
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = '', ...names] = lines[i]!.split(' ');
    const values = lines[i + 1]!.split(' ').slice(1);
    for (const [index, name] of names.entries())
      counters.set(`${group.replace(':', '')}${name}`, Number(values[index]));
  }
}

export function describeRoute({ route, device, error }: RouteAnswer, destination: Ipv4): string {
  if (route === undefined) return error ?? 'no route';
  const via = typeof route.gateway === 'number' ? ` via ${formatIpv4(route.gateway)}` : '';
  return `${formatIpv4(destination)}${via}${device === undefined ? ' leads nowhere' : ` dev ${device}`}`;
}
