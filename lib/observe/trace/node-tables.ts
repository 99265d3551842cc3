/** Both sides of this node, as a packet on its way to the destination meets them: the overlay's namespace and the underlay's. */
import { type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { parsePrefix } from '../../addr/prefix.ts';
import type { Wire } from '../../capture/checks.ts';
import { wireOf } from '../../headers/wire-of.ts';
import { bridgeOf, type HostTables, readHostTables } from './host-tables.ts';
import type { Situation } from './situation.ts';

export interface NodeTables {
  readonly overlay: HostTables;
  readonly underlay: HostTables;
  /** '' where the backend has none, or it is not known. */
  readonly overlayDevice: string;
  readonly underlayDevice: string;
  /** The pod's bridge, and the host's end of its veth; undefined for a probe from the host itself. */
  readonly bridge: string | undefined;
  readonly veth: string | undefined;
  readonly wire: Wire;
  readonly source: Ipv4;
  /** Of the device the probe leaves by, bytes: the largest packet that can be sent. */
  readonly sourceMtu: number;
  readonly peerAddress: Ipv4 | undefined;
  readonly ownAddress: Ipv4 | undefined;
}

export function readNodeTables(situation: Situation): NodeTables {
  const { report, destination, from, peer, pod } = situation;
  const backend = report?.backend ?? undefined;
  const peerAddress = parseIpv4(peer?.publicIp ?? '');
  const ownAddress = parseIpv4(report?.external?.ipv4 ?? '');
  const about = [destination, from, peerAddress, deviceAddressOf(peer?.subnet)].filter((a) => a !== undefined);
  const overlay = readHostTables(situation.overlayNetns, about);
  const isOne = situation.overlayNetns === situation.underlayNetns;
  const underlay = isOne ? overlay : readHostTables(situation.underlayNetns, about);
  const wire: Wire = (backend && wireOf(backend)) ?? { encapsulation: 'none' };
  const veth = overlay.links.find(({ index }) => pod !== undefined && index === pod.hostIndex);
  const master = overlay.links.find(({ index }) => index === veth?.masterIndex)?.name;
  const { route, device } = overlay.routeTo(destination);
  const preferred = route?.source;
  return {
    overlay,
    underlay,
    overlayDevice: wire.encapsulation === 'none' ? '' : (backend?.device ?? ''),
    underlayDevice: report?.external?.name ?? '',
    bridge: pod === undefined ? undefined : (master ?? bridgeOf(overlay, from ?? 0)?.device),
    veth: veth?.name,
    wire,
    source: from ?? (typeof preferred === 'number' ? preferred : (ownAddress ?? 0)),
    sourceMtu: pod?.mtu ?? overlay.link(device)?.mtu ?? 1500,
    peerAddress,
    ownAddress,
  };
}

/** The address of a node's device: the first of its subnet. */
export function deviceAddressOf(subnet: string | undefined): Ipv4 | undefined {
  const prefix = parsePrefix(subnet ?? '');
  return prefix?.family === 4 ? prefix.address : undefined;
}
