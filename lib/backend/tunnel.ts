/** Starts a backend of one TUN on an engine of its own: udp and ipip. */
import { release } from 'node:os';
import type { Encapsulation, SegmentOptions, SegmentPeer } from '../dataplane/segment.ts';
import { EdgeDevice } from '../engine/edge-device.ts';
import { Engine } from '../engine/engine.ts';
import { Offloads } from '../engine/offloads.ts';
import { networkPrefixes } from '../lease/network-config.ts';
import { DirectLink } from '../router/on-link.ts';
import type { DesiredRoute } from '../router/router.ts';
import type { InterfaceAddress } from '../sys/netlink/rtnetlink.ts';
import { socketAddress } from '../sys/socket-address.ts';
import { Undo } from '../undo.ts';
import type { Backend, BackendOptions, BackendRoute } from './backend.ts';
import { settleContests } from './holders.ts';
import { booleanOption, invalidOption } from './option.ts';
import { OverlayBackend } from './overlay.ts';
import { groupByPublicIp, type PeerPrefixes } from './peer-leases.ts';

export interface Tunnel {
  readonly type: string;
  /** BackendType of its leases. */
  readonly leaseType: string;
  readonly deviceName: string;
  /** Bytes. */
  readonly mtu: number;
  /** Undefined where there are no ports. */
  readonly port: number | undefined;
  /** It has the option DirectRouting. */
  readonly canRouteDirectly: boolean;
  /** What no two networks of a host may share, in words. */
  readonly resource: string;
  readonly encapsulation: Encapsulation;
  /** One socket for both directions: its descriptor. */
  openSocket(): number;
  /** Begins to look for what else on the host takes its packets, if there may be any. Returns what ends that. */
  watch?(): () => void;
  /** Which offloads the socket has. */
  negotiate(offloads: Offloads, socket: number): void;
  /** `link`: who needs no encapsulation; undefined without DirectRouting. */
  routesTo(peers: readonly PeerPrefixes[], link: DirectLink | undefined): TunnelRoutes;
}

interface TunnelRoutes {
  readonly kernel: readonly DesiredRoute[];
  /** For `weft routes`. */
  readonly shown: readonly BackendRoute[];
}

/** Codes: NETWORK_CONFLICT, CONFIG_INVALID, and those of EdgeDevice and `openSocket`. */
export async function startTunnel(options: BackendOptions, tunnel: Tunnel): Promise<Backend> {
  const undo = new Undo();
  try {
    undo.add('claim', options.engines.claim(tunnel.resource, options.network));
    const link = tunnel.canRouteDirectly ? openDirectLink(options, undo) : undefined;
    const engine = await startEngine(options, tunnel);
    undo.add('engine', () => engine.stop());
    const backend = openTunnel(options, tunnel, { engine, link, undo });
    await backend.prepare();
    if (tunnel.watch !== undefined) undo.add('watch', tunnel.watch());
    return backend;
  } catch (error) {
    await undo.run(options.log);
    throw error;
  }
}

function startEngine({ offload, sourceCheck, tap, tos, log }: BackendOptions, tunnel: Tunnel): Promise<Engine> {
  const socket = { fd: tunnel.openSocket(), family: 4 } as const;
  const offloads = new Offloads(offload, release());
  tunnel.negotiate(offloads, socket.fd);
  const sockets = { receive: [socket], send: [socket] };
  return Engine.start({ encapsulation: tunnel.encapsulation, ...sockets, offloads, sourceCheck, tap, tos, log });
}

interface TunnelParts {
  readonly engine: Engine;
  readonly link: DirectLink | undefined;
  readonly undo: Undo;
}

function openTunnel(options: BackendOptions, tunnel: Tunnel, { engine, link, undo }: TunnelParts): OverlayBackend {
  const { config, faults, log, netns, networkNumber = 0, own, startOver } = options;
  const { type, leaseType, deviceName: name, mtu, port } = tunnel;
  const device = new EdgeDevice(engine, {
    name,
    mtu,
    mac: undefined,
    addresses: deviceAddresses(own),
    network: networkPrefixes(config),
    netns,
    faults,
    log,
    segment: {
      networkNumber,
      own,
      tunnel4: own.ipv4.address,
      tunnel6: own.ipv6?.address,
      ethernet: undefined,
      onPathHint: (peer, mtu) => backend.onPathHint?.(peer, mtu),
    },
    onRestored: () => backend.restore(),
    startOver,
  });
  undo.add('device', () => device.close());
  const backend = new OverlayBackend(options, {
    type,
    leaseType,
    devices: [device],
    engines: [engine],
    overlayMtu: mtu,
    port,
    link,
    undo,
    plan: (usable) => {
      const { usable: held, refused } = settleContests(usable);
      const peers = groupByPublicIp(held);
      const { kernel: routes, shown } = tunnel.routesTo(peers, link);
      const segmentPeers = peers.map((peer) => toSegmentPeer(peer, port ?? 0));
      return {
        peers: [segmentPeers],
        kernel: { neighbors: [], routes, subnets: peers.flatMap(({ prefixes }) => prefixes) },
        routes: shown,
        refused,
      };
    },
  });
  return backend;
}

/** Undefined when DirectRouting is off. Throws WeftError CONFIG_INVALID, or NetlinkError. */
export function openDirectLink(options: BackendOptions, undo: Undo): DirectLink | undefined {
  const { config, external, log, netns } = options;
  if (!booleanOption(config.backend, 'DirectRouting')) return undefined;
  if (netns !== undefined)
    throw invalidOption(
      'DirectRouting',
      true,
      `not possible in network namespace "${netns}", which is not on the underlay`,
    );
  const link = new DirectLink(external.name, log);
  undo.add('direct link', () => link.close());
  return link;
}

/** <subnet base>/32 and /128: with the subnet's own length, the base would be a broadcast address (flannel issue 533). */
export function deviceAddresses({ ipv4, ipv6 }: SegmentOptions['own']): InterfaceAddress[] {
  const addresses: InterfaceAddress[] = [];
  if (ipv4 !== undefined) addresses.push({ address: ipv4.address, length: 32 });
  if (ipv6 !== undefined) addresses.push({ address: ipv6.address, length: 128 });
  return addresses;
}

function toSegmentPeer({ publicIp, prefixes }: PeerPrefixes, port: number): SegmentPeer {
  // A node has one lease in a network; of more, the first is the one that holds.
  const ipv4 = prefixes.find((prefix) => prefix.family === 4)?.address;
  const ipv6 = prefixes.find((prefix) => prefix.family === 6)?.address;
  const device = { ipv4, ipv6 };
  return { address: publicIp, socketAddress: socketAddress(publicIp, port), prefixes, vtep: undefined, device };
}
