/**
 * The pod of a host, or of a tenant on it, connected as a CNI plugin would do it:
 *
 *   [ pod ] eth0 .2 ── veth ── pod0 ── cni0 .1 [ host ]
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { formatIpv4, parseIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../addr/ipv6.ts';
import { WeftError } from '../error.ts';
import { ipBatch, run } from './command.ts';
import type { PodSite } from './model.ts';

export interface ConnectedPod {
  /** "10.244.37.2" */
  readonly address: string;
  /** Only in a network with IPv6. */
  readonly address6: string | undefined;
  /** Of bridge and pod, bytes: FLANNEL_MTU. */
  readonly mtu: number;
}

interface Gateway {
  /** "10.244.37.1/24", as subnet.env has it. */
  readonly bridge: string;
  readonly address: string;
  readonly pod: string;
  readonly length: number;
}

/**
 * Reads the site's subnet.env and connects its pod: bridge cni0 with base + 1, the pod with base + 2 and a default route.
 * May be called again after the subnet changed. Throws WeftError SUBNET_FILE_UNUSABLE.
 */
export async function connectPod(site: PodSite): Promise<ConnectedPod> {
  const { mtu, gateway, gateway6 } = await readSite(site);
  await disconnectPod(site);
  await ipBatch(site.netns, bridgeLines(site, mtu, gateway, gateway6));
  await ipBatch(site.podNetns, podLines(gateway, gateway6));
  return { address: gateway.pod, address6: gateway6?.pod, mtu };
}

/** The pod as {@link connectPod} connects it; undefined as long as no daemon has written the site's subnet file. */
export async function expectedPod(site: PodSite): Promise<ConnectedPod | undefined> {
  if (!existsSync(site.subnetFile)) return undefined;
  const { mtu, gateway, gateway6 } = await readSite(site);
  return { address: gateway.pod, address6: gateway6?.pod, mtu };
}

/** Throws WeftError SUBNET_FILE_UNUSABLE. */
async function readSite(site: PodSite): Promise<{ mtu: number; gateway: Gateway; gateway6: Gateway | undefined }> {
  const values = parseEnvironment(await readFile(site.subnetFile, 'utf8'));
  const mtu = Number(values.get('FLANNEL_MTU'));
  const gateway = parseGateway(values.get('FLANNEL_SUBNET'));
  const text6 = values.get('FLANNEL_IPV6_SUBNET');
  const gateway6 = text6 === undefined ? undefined : parseGateway(text6);
  if (gateway === undefined || !Number.isInteger(mtu) || (text6 !== undefined && gateway6 === undefined))
    throw new WeftError(
      'SUBNET_FILE_UNUSABLE',
      `Cannot connect pod ${site.podNetns}: no subnet with room in ${site.subnetFile}`,
    );
  return { mtu, gateway, gateway6 };
}

/** Removes what {@link connectPod} made; does nothing when there is nothing. */
async function disconnectPod(site: PodSite): Promise<void> {
  const links = await run('ip', ['-n', site.netns, '-br', 'link', 'show']);
  const lines: string[] = [];
  for (const name of ['pod0', 'cni0']) if (new RegExp(`^${name}(@| )`, 'm').test(links)) lines.push(`link del ${name}`);
  await ipBatch(site.netns, lines);
}

function bridgeLines(site: PodSite, mtu: number, gateway: Gateway, gateway6: Gateway | undefined): string[] {
  return [
    `link add cni0 mtu ${mtu} type bridge`,
    `addr add ${gateway.bridge} dev cni0`,
    ...(gateway6 === undefined ? [] : [`addr add ${gateway6.bridge} dev cni0 nodad`]),
    'link set cni0 up',
    `link add pod0 mtu ${mtu} type veth peer name eth0 netns ${site.podNetns} mtu ${mtu}`,
    'link set pod0 master cni0 up',
  ];
}

function podLines(gateway: Gateway, gateway6: Gateway | undefined): string[] {
  const lines = [
    `addr add ${gateway.pod}/${gateway.length} dev eth0`,
    ...(gateway6 === undefined ? [] : [`addr add ${gateway6.pod}/${gateway6.length} dev eth0 nodad`]),
    'link set eth0 up',
    `route add default via ${gateway.address}`,
  ];
  return gateway6 === undefined ? lines : [...lines, `route add default via ${gateway6.address}`];
}

function parseEnvironment(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return values;
}

/** Undefined for what is no address with length, or a subnet without room for bridge and pod. */
function parseGateway(text: string | undefined): Gateway | undefined {
  const [address = '', lengthText = ''] = text?.split('/') ?? [];
  const length = Number(lengthText);
  const address4 = parseIpv4(address);
  if (address4 !== undefined && length >= 1 && length <= 30)
    return { bridge: `${address}/${length}`, address, pod: formatIpv4(address4 + 1), length };
  const address6 = parseIpv6(address);
  if (address6 !== undefined && length >= 1 && length <= 126)
    return { bridge: `${address}/${length}`, address, pod: formatIpv6(address6 + 1n), length };
  return undefined;
}
