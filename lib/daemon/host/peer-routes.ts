/** Whether this host's own routes lead outer packets to the peers. Nothing is sent: it is what the kernel would do with them. */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { Fault } from '../../faults.ts';
import { isNoRoute, type RouteNetlink } from '../../sys/netlink/rtnetlink.ts';

/** Our choice: a question to the kernel each, every 10 s. */
const MAX_PEERS = 64;

/**
 * `peers`: their underlay addresses; `overlayDevice`: a route through it would lead outer packets into the overlay, again and
 * again. Blocks when no peer can be reached: one that is not there must not make all other nodes unready. Throws NetlinkError.
 */
export function peerRouteFaults(
  netlink: RouteNetlink,
  peers: readonly IpAddress[],
  overlayDevice: string | undefined,
): Fault[] {
  const asked = peers.slice(0, MAX_PEERS);
  const without: IpAddress[] = [];
  const looping: IpAddress[] = [];
  const overlayIndex = overlayDevice === undefined ? undefined : netlink.linkByName(overlayDevice)?.index;
  for (const peer of asked) {
    const index = outputInterface(netlink, peer);
    if (index === undefined) without.push(peer);
    else if (index === overlayIndex) looping.push(peer);
  }
  const blocks = without.length + looping.length === asked.length;
  const name = (list: readonly IpAddress[]): string =>
    formatIp(list[0]!) + (list.length > 1 ? ` and ${list.length - 1} more peers` : '');
  return [
    ...(without.length > 0
      ? [{ text: `This host has no route to ${name(without)}; see ip route get ${formatIp(without[0]!)}`, blocks }]
      : []),
    ...(looping.length > 0
      ? [
          {
            text: `The route to ${name(looping)} leads into the overlay itself, through ${overlayDevice}; give the hosts' own network a route that is more specific than Network`,
            blocks,
          },
        ]
      : []),
  ];
}

function outputInterface(netlink: RouteNetlink, peer: IpAddress): number | undefined {
  try {
    return netlink.routeTo(peer).interfaceIndex;
  } catch (error) {
    if (isNoRoute(error)) return undefined;
    throw error;
  }
}
