/**
 * The choice of the external interface, by flannel's rules (pkg/ipmatch/match.go, main.go): -iface, then -iface-regex, then
 * -iface-can-reach; with none of them the interface that holds -public-ip, or else that of the first default route. An empty
 * -iface or -iface-regex, a variable that is not set, stands for the default route in its place.
 */
import { formatIpv4, type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { formatIpv6, type Ipv6, isLinkLocal6, parseIpv6 } from '../../addr/ipv6.ts';
import type { ExternalInterface } from '../../backend/backend.ts';
import { WeftError } from '../../error.ts';
import { compileGoRegex } from '../cmdline/go-regex.ts';
import type { InterfaceOptions } from '../cmdline/options.ts';

interface HostLink {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** IFF_LOOPBACK. */
  readonly loopback: boolean;
}

export interface HostAddress {
  readonly linkIndex: number;
  readonly address: { readonly family: 4; readonly value: Ipv4 } | { readonly family: 6; readonly value: Ipv6 };
  /** RT_SCOPE_UNIVERSE or site; false for link and host scope. */
  readonly global: boolean;
  /** Configured by hand or without end (IFA_F_PERMANENT), not by DHCP or router advertisement. */
  readonly permanent: boolean;
  /** RFC 8981 privacy address (IFA_F_TEMPORARY). */
  readonly temporary: boolean;
  readonly deprecated: boolean;
}

/** What the choice is made from: the interfaces of this network namespace, in the kernel's order. */
export interface HostNetwork {
  readonly links: readonly HostLink[];
  readonly addresses: readonly HostAddress[];
  /** Interface of the first IPv4 default route. */
  readonly defaultRouteLink: number | undefined;
  /** Interface and source address the kernel would use; undefined if there is no route. */
  routeTo(address: Ipv4): { readonly linkIndex: number; readonly source: Ipv4 | undefined } | undefined;
}

interface Choice {
  readonly link: HostLink;
  /** The address asked for by name; undefined means the best one of the interface. */
  readonly ipv4: Ipv4 | undefined;
  readonly reason: string;
}

/** Throws WeftError UNKNOWN_INTERFACE, NO_DEFAULT_ROUTE, INTERFACE_WITHOUT_IPV4 or INVALID_REGEX. */
export function chooseExternalInterface(options: InterfaceOptions, host: HostNetwork): ExternalInterface {
  const { link, ipv4: asked, reason } = choose(options, host);
  const ipv4 = asked ?? interfaceAddresses(host, link, 4)[0];
  if (ipv4 === undefined)
    throw new WeftError('INTERFACE_WITHOUT_IPV4', `Interface ${quote(link.name)} has no IPv4 address`, {
      hint: `give it one, or choose another with -iface: ${listInterfaces(host)}`,
    });
  const ipv6 = interfaceAddresses(host, link, 6)[0];
  return {
    name: link.name,
    index: link.index,
    mtu: link.mtu,
    ipv4,
    ipv6,
    publicIp: options.publicIp ?? ipv4,
    publicIpv6: options.publicIpv6 ?? ipv6,
    reason,
  };
}

/**
 * Checks that the packets of a dual-stack network's IPv6 half have an underlay. `need`: BackendKind.ipv6Underlay.
 * Throws WeftError PUBLIC_IPV6_MISSING.
 */
export function requireIpv6Underlay(
  external: ExternalInterface,
  backendType: string,
  need: 'none' | 'on-link' | 'routed',
  host: HostNetwork,
): void {
  const { name, ipv6 } = external;
  if (need === 'none' || (ipv6 !== undefined && (need === 'on-link' || !isLinkLocal6(ipv6)))) return;
  const has = ipv6 === undefined ? 'none' : `only the link-local ${formatIpv6(ipv6)}`;
  const others = host.links
    .filter((link) => interfaceAddresses(host, link, 6).some((address) => address !== 1n && !isLinkLocal6(address)))
    .map((link) => `${link.name} (${interfaceAddresses(host, link, 6).map(formatIpv6).join(', ')})`);
  const elsewhere = others.length === 0 ? '' : `, or choose another interface with -iface: ${others.join(', ')}`;
  throw new WeftError(
    'PUBLIC_IPV6_MISSING',
    `EnableIPv6 with backend ${backendType} needs an IPv6 address on interface ${quote(name)}, which has ${has}`,
    { hint: `give ${name} one (-public-ipv6 only says which one peers shall use)${elsewhere}` },
  );
}

function choose(options: InterfaceOptions, host: HostNetwork): Choice {
  const asked: (() => Choice | undefined)[] = [
    ...options.iface.map((text) => () => (text === '' ? matchDefaultRoute(host) : matchNameOrAddress(text, host))),
    ...options.ifaceRegex.map((text) => () => (text === '' ? matchDefaultRoute(host) : matchRegex(text, host))),
  ];
  if (options.ifaceCanReach !== undefined) {
    const target = options.ifaceCanReach;
    asked.push(() => matchReachable(target, host));
  }
  if (asked.length === 0 && options.publicIp !== undefined) return holderOf(options.publicIp, host);
  for (const match of asked) {
    const choice = match();
    if (choice !== undefined) return choice;
  }
  const nothing = [...options.iface, ...options.ifaceRegex].every((text) => text === '');
  if (nothing && options.ifaceCanReach === undefined) return defaultRoute(host);
  throw new WeftError('UNKNOWN_INTERFACE', `No interface matches ${describe(options)}`, {
    hint: `this host has ${listInterfaces(host)}`,
  });
}

function matchNameOrAddress(text: string, host: HostNetwork): Choice | undefined {
  const reason = `-iface=${text}`;
  const ipv4 = parseIpv4(text);
  const link =
    ipv4 === undefined
      ? (host.links.find((candidate) => candidate.name === text) ?? linkHolding(host, 6, parseIpv6(text)))
      : linkHolding(host, 4, ipv4);
  return link && { link, ipv4, reason };
}

/**
 * The IPv4 addresses of all interfaces first, then all names, as flannel does; but of several names that match, one without
 * an IPv4 address only if there is no other, and never the loopback: [0-9] matches it first, and reaches no other node.
 */
function matchRegex(text: string, host: HostNetwork): Choice | undefined {
  const regex = compileGoRegex(text);
  const links = host.links.filter(({ loopback }) => !loopback);
  for (const link of links) {
    const ipv4 = interfaceAddresses(host, link, 4).find((address) => regex.test(formatIpv4(address)));
    if (ipv4 !== undefined) return { link, ipv4, reason: `-iface-regex=${text} matches ${formatIpv4(ipv4)}` };
  }
  const named = links.filter((candidate) => regex.test(candidate.name));
  const link = named.find((candidate) => interfaceAddresses(host, candidate, 4).length > 0) ?? named[0];
  return link && { link, ipv4: undefined, reason: `-iface-regex=${text} matches ${link.name}` };
}

function matchReachable(target: Ipv4, host: HostNetwork): Choice | undefined {
  const route = host.routeTo(target);
  const link = route && host.links.find((candidate) => candidate.index === route.linkIndex);
  return link && { link, ipv4: route.source, reason: `-iface-can-reach=${formatIpv4(target)}` };
}

function holderOf(publicIp: Ipv4, host: HostNetwork): Choice {
  const link = linkHolding(host, 4, publicIp);
  if (link !== undefined) return { link, ipv4: publicIp, reason: `holds -public-ip=${formatIpv4(publicIp)}` };
  throw new WeftError('UNKNOWN_INTERFACE', `No interface holds the public IP ${formatIpv4(publicIp)}`, {
    hint: `behind NAT give -iface as well: ${listInterfaces(host)}`,
  });
}

function matchDefaultRoute(host: HostNetwork): Choice | undefined {
  const link = host.links.find((candidate) => candidate.index === host.defaultRouteLink);
  return link && { link, ipv4: undefined, reason: 'first default route' };
}

function defaultRoute(host: HostNetwork): Choice {
  const choice = matchDefaultRoute(host);
  if (choice !== undefined) return choice;
  throw new WeftError('NO_DEFAULT_ROUTE', 'No default route, so the external interface cannot be guessed', {
    hint: `choose one with -iface: ${listInterfaces(host)}`,
  });
}

function linkHolding(host: HostNetwork, family: 4 | 6, value: Ipv4 | Ipv6 | undefined): HostLink | undefined {
  const holder = host.addresses.find(({ address }) => address.family === family && address.value === value);
  return holder && host.links.find((link) => link.index === holder.linkIndex);
}

function interfaceAddresses(host: HostNetwork, link: HostLink, family: 4): Ipv4[];
function interfaceAddresses(host: HostNetwork, link: HostLink, family: 6): Ipv6[];
/** Usable addresses of an interface, best first: global before link-local, permanent before dynamic, then not temporary. */
function interfaceAddresses(host: HostNetwork, link: HostLink, family: 4 | 6): (Ipv4 | Ipv6)[] {
  const rank = (address: HostAddress): number =>
    (address.global ? 0 : 4) + (address.permanent ? 0 : 2) + (address.temporary ? 1 : 0);
  return host.addresses
    .filter((entry) => entry.linkIndex === link.index && entry.address.family === family && !entry.deprecated)
    .toSorted((a, b) => rank(a) - rank(b))
    .map((entry) => entry.address.value);
}

function describe(options: InterfaceOptions): string {
  const reach = options.ifaceCanReach;
  return [
    ...options.iface.map((text) => `-iface=${quote(text)}`),
    ...options.ifaceRegex.map((text) => `-iface-regex=${quote(text)}`),
    ...(reach === undefined ? [] : [`-iface-can-reach=${formatIpv4(reach)}`]),
  ].join(', ');
}

/** "lo (127.0.0.1), eth1 (192.0.2.1)", for hints. */
function listInterfaces(host: HostNetwork): string {
  return host.links
    .map((link) => {
      const addresses = interfaceAddresses(host, link, 4).map(formatIpv4);
      return `${link.name} (${addresses.length === 0 ? 'no IPv4 address' : addresses.join(', ')})`;
    })
    .join(', ');
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

/**
 * VirtualBox and QEMU give every VM behind their user-mode NAT the same address, so it says nothing about where a node is:
 * the classic Vagrant mistake (flannel issue 98).
 */
export function isSharedNatAddress(address: Ipv4): boolean {
  return address === 0x0a00020f;
}
