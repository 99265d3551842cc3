/** The weftd that runs on this machine, as it is: it is asked by its control socket, and nothing of it changes. */
import { networkInterfaces } from 'node:os';
import { formatIpv4, parseIpv4 } from '../../addr/ipv4.ts';
import { hostPrefix, type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.ts';
import { askDaemon } from '../../control/client.ts';
import { isIgnored, type NetworkReport } from '../../control/protocol.ts';
import { messageOf, WeftError } from '../../error.ts';
import type { OverlayNetwork, ReplyTo } from './requests.ts';

/** Our choice: they have to fit a line, and each would take minutes. */
const MOST_NETWORKS = 16;

/** An end of the running overlay's path. */
export interface OverlayPath {
  readonly own: string;
  readonly other: string;
  /** Of the weftd. */
  readonly pid: number;
}

/** What there is to measure; a weftd that does not answer is a reason, no error. */
export async function lookAtOverlay(controlSocket: string): Promise<ReplyTo<'overlay'>> {
  try {
    const { networks } = await askDaemon(controlSocket, '/v1/status');
    return { networks: networks.slice(0, MOST_NETWORKS).flatMap(describeNetwork), why: null };
  } catch (error) {
    return { networks: [], why: messageOf(error) };
  }
}

/** Devices in another namespace cannot be reached from here. */
function describeNetwork({ name, lease, backend, netns }: NetworkReport): OverlayNetwork[] {
  const subnet = parsePrefix(lease?.ipv4 ?? '');
  if (lease === null || backend === null || netns !== null || subnet?.family !== 4) return [];
  return [{ name, backend: backend.type, subnet: lease.ipv4, address: ownAddressIn(subnet), mtu: backend.mtu }];
}

/** The device's own, which is the first of the subnet; where it has none (host-gw), whichever of ours there is in it. */
function ownAddressIn(subnet: Prefix): string | null {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => parseIpv4(address))
    .filter((address) => address !== undefined)
    .filter((address) => prefixContains(subnet, hostPrefix(address)));
  const first = own.find((address) => address === subnet.address) ?? own[0];
  return first === undefined ? null : formatIpv4(first);
}

/** The path to `address`, which must lie in `peer`, the subnet of a peer of the network. Codes: UNKNOWN_PEER, those of askDaemon. */
export async function overlayPath(
  controlSocket: string,
  { network, peer, address }: { readonly network: string; readonly peer: string; readonly address: string },
): Promise<OverlayPath> {
  const status = await askDaemon(controlSocket, '/v1/status');
  const ours = status.networks.flatMap(describeNetwork).find(({ name }) => name === network);
  const { peers } = await askDaemon(controlSocket, '/v1/peers', network === '' ? undefined : network);
  const other = parseIpv4(address);
  const isPeer = peers.some(
    (known) => known.subnet === peer && !isIgnored(known) && other !== undefined && holds(known.subnet, other),
  );
  if (ours?.address === undefined || ours.address === null || !isPeer)
    throw new WeftError(
      'UNKNOWN_PEER',
      `The weftd on ${status.external?.publicIp ?? 'this machine'} has no peer ${peer}`,
    );
  return { own: ours.address, other: address, pid: status.pid };
}

function holds(subnet: string, address: number): boolean {
  const prefix = parsePrefix(subnet);
  return prefix !== undefined && prefixContains(prefix, hostPrefix(address));
}
