/**
 * VXLAN (RFC 7348), flannel's `vxlan` backend, in user space. Layer 3, as flannel's: each peer is one VTEP, and the kernel
 * routes to it.
 *
 *   TAP flannel.<VNI>, <subnet base>/32 ── segment ── engine of the port ── UDP <external address>:<Port>
 *   per peer: neighbour <peer base> lladdr <VtepMAC>, FDB <VtepMAC> dst <PublicIP>,
 *             route <peer subnet> via <peer base> dev flannel.<VNI> onlink
 *
 * In dual stack flannel-v6.<VNI> is the same for IPv6 over an IPv6 underlay.
 */
import { release } from 'node:os';
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { Ipv4 } from '../../addr/ipv4.ts';
import type { Ipv6 } from '../../addr/ipv6.ts';
import { formatPrefix, type Prefix } from '../../addr/prefix.ts';
import type { SegmentPeer } from '../../dataplane/segment.ts';
import { EdgeDevice } from '../../engine/edge-device.ts';
import { Engine } from '../../engine/engine.ts';
import { Offloads } from '../../engine/offloads.ts';
import type { Lease } from '../../lease/lease.ts';
import { networkPrefixes } from '../../lease/network-config.ts';
import type { DirectLink } from '../../router/on-link.ts';
import type { DesiredNeighbor, DesiredRoute } from '../../router/router.ts';
import { closeFd } from '../../sys/descriptor.ts';
import { formatEndpoint, socketAddress } from '../../sys/socket-address.ts';
import { openSendPool, openUdpSocket } from '../../sys/udp-socket.ts';
import { Undo } from '../../undo.ts';
import type { Backend, BackendOptions, BackendRoute, RefusedLease } from '../backend.ts';
import { OverlayBackend, type OverlayPlan } from '../overlay.ts';
import { ownPlace6 } from '../peer-leases.ts';
import { deviceAddresses, openDirectLink } from '../tunnel.ts';
import { gatewaysOf } from './gateways.ts';
import { type OwnVtep, type SortedVteps, sortVteps4, sortVteps6, type Vtep } from './leases.ts';
import { OVERHEAD4, OVERHEAD6, type VxlanOptions, vxlanDeviceName, vxlanOptions } from './options.ts';

const TYPE = 'vxlan';
/** Our choice: source ports that flows are spread over, so that a NIC and the network take them different ways. */
const SEND_SOCKETS = 8;
/** Our choice: 8 MiB hold what a 10 Gb/s underlay brings in 6 ms. */
const RECEIVE_BUFFER = 8 << 20;
/** Our choice: together what one receiving socket has. */
const SEND_BUFFER = RECEIVE_BUFFER / SEND_SOCKETS;

/** Codes: CONFIG_INVALID, MTU_TOO_SMALL, NETWORK_CONFLICT, and those of openUdpSocket and EdgeDevice. */
export async function startVxlanBackend(options: BackendOptions): Promise<Backend> {
  const { log, own } = options;
  const vxlan = vxlanOptions(options.config, options.external);
  const { port, underlayMtu } = vxlan;
  const undo = new Undo();
  try {
    const link = openDirectLink(options, undo);
    const ends: VtepEnd[] = [];
    // A device may be lost while the next one is made: nothing leads through it yet.
    let backend: OverlayBackend | undefined;
    const onRestored = async (): Promise<void> => backend?.restore();
    const onPathHint = (peer: IpAddress, mtu: number): void => backend?.onPathHint?.(peer, mtu);
    for (const family of own.ipv6 === undefined ? ([4] as const) : ([4, 6] as const))
      ends.push(await openEnd(options, vxlan, family, { onRestored, onPathHint, undo }));
    backend = new OverlayBackend(options, {
      type: TYPE,
      leaseType: TYPE,
      devices: ends.map(({ device }) => device),
      engines: ends.map(({ engine }) => engine),
      // What fits both devices.
      overlayMtu: underlayMtu - (ends.length === 2 ? OVERHEAD6 : OVERHEAD4),
      port,
      vteps: {
        vni: vxlan.vni,
        mac: ends.find(({ family }) => family === 4)?.mac,
        mac6: ends.find(({ family }) => family === 6)?.mac,
        learning: vxlan.learning,
      },
      link,
      undo,
      plan: (usable) => joinPlans(ends.map((end) => planEnd(options, end, port, link, usable))),
    });
    return backend;
  } catch (error) {
    await undo.run(log);
    throw error;
  }
}

/** Our VTEP in one address family. */
interface VtepEnd extends OwnVtep {
  readonly family: 4 | 6;
  readonly device: EdgeDevice;
  readonly engine: Engine;
}

interface EndParts {
  readonly onRestored: () => Promise<void>;
  readonly onPathHint: (peer: IpAddress, mtu: number) => void;
  readonly undo: Undo;
}

async function openEnd(
  options: BackendOptions,
  { vni, port, underlayMtu, learning }: VxlanOptions,
  family: 4 | 6,
  { onRestored, onPathHint, undo }: EndParts,
): Promise<VtepEnd> {
  const { config, engines, faults, log, netns, network, networkNumber = 0, own, startOver } = options;
  const address = underlayAddress(options, family);
  const endpoint = formatEndpoint(address, port);
  undo.add('claim', engines.claim(`VNI ${vni} on ${endpoint}`, network));
  const engine = await engines.take(`vxlan ${endpoint}`, () => startEngine(options, address, port));
  undo.add('engine', () => engines.release(`vxlan ${endpoint}`));
  const name = vxlanDeviceName(vni, family);
  const mac = options.vtepMac(name);
  const subnets = family === 4 ? { ipv4: own.ipv4, ipv6: undefined } : { ipv4: undefined, ipv6: own.ipv6 };
  const device = new EdgeDevice(engine, {
    name,
    mtu: underlayMtu - (family === 4 ? OVERHEAD4 : OVERHEAD6),
    mac,
    addresses: deviceAddresses(subnets),
    network: networkPrefixes(config).filter((prefix) => prefix.family === family),
    netns,
    faults,
    log,
    segment: {
      networkNumber,
      own: subnets,
      tunnel4: undefined,
      tunnel6: undefined,
      ethernet: { vni, family, mac, learning },
      onPathHint,
    },
    onRestored,
    startOver,
  });
  undo.add(name, () => device.close());
  return { family, vni, mac, device, engine };
}

/** The daemon has checked that there is an IPv6 address before it took a lease (PUBLIC_IPV6_MISSING). */
function underlayAddress({ external }: BackendOptions, family: 4 | 6): Ipv4 | Ipv6 {
  return family === 4 ? external.ipv4 : external.ipv6!;
}

/** One engine for each underlay address: networks that share a port in one family need not share it in the other. */
function startEngine(options: BackendOptions, address: Ipv4 | Ipv6, port: number): Promise<Engine> {
  const { offload, sourceCheck, tap, tos, log } = options;
  const family = typeof address === 'number' ? 4 : 6;
  const receive = openUdpSocket(address, port, RECEIVE_BUFFER);
  let send: number[];
  try {
    send = openSendPool(address, SEND_SOCKETS, SEND_BUFFER);
  } catch (error) {
    closeFd(receive, 'UDP socket');
    throw error;
  }
  const offloads = new Offloads(offload, release());
  offloads.negotiateSockets([receive], send);
  return Engine.start({
    encapsulation: 'vxlan',
    receive: [{ fd: receive, family }],
    send: send.map((fd) => ({ fd, family })),
    offloads,
    sourceCheck,
    tap,
    tos,
    log,
  });
}

/** What the leases mean for one of our ends; `usable` are those that hold for every backend. */
function planEnd(
  options: BackendOptions,
  end: VtepEnd,
  port: number,
  link: DirectLink | undefined,
  usable: readonly Lease[],
): EndPlan {
  const { vteps, refused } = vtepsOf(options, end, usable);
  const gateways = gatewaysOf(vteps);
  const neighbors: DesiredNeighbor[] = [];
  const routes: DesiredRoute[] = [];
  const shown: BackendRoute[] = [];
  for (const { address, mac, subnets } of vteps) {
    const direct = link?.reaches(address) === true;
    const device = direct ? options.external.name : end.device.name;
    for (const destination of subnets) {
      const gateway = gateways.get(destination)!;
      if (!direct) neighbors.push({ device, address: gateway, mac });
      routes.push({ device, destination, gateway: direct ? address : gateway, onlink: !direct });
      shown.push({ prefix: formatPrefix(destination), via: formatIp(address), device });
    }
  }
  // A peer on our link is known to the segment too: it may see that differently, and encapsulate.
  const peers = vteps.map((vtep) => toSegmentPeer(vtep, gateways, port));
  return { peers, neighbors, routes, shown, refused };
}

interface EndPlan {
  readonly peers: readonly SegmentPeer[];
  readonly neighbors: readonly DesiredNeighbor[];
  readonly routes: readonly DesiredRoute[];
  readonly shown: readonly BackendRoute[];
  readonly refused: readonly RefusedLease[];
}

function joinPlans(ends: readonly EndPlan[]): OverlayPlan {
  return {
    peers: ends.map(({ peers }) => peers),
    kernel: { neighbors: ends.flatMap(({ neighbors }) => neighbors), routes: ends.flatMap(({ routes }) => routes) },
    routes: ends.flatMap(({ shown }) => shown),
    refused: ends.flatMap(({ refused }) => refused),
  };
}

/** There is an end for IPv6 only in a network with IPv6. */
function vtepsOf(options: BackendOptions, end: VtepEnd, usable: readonly Lease[]): SortedVteps {
  return end.family === 4 ? sortVteps4(usable, end) : sortVteps6(usable, end, ownPlace6(options)!);
}

function toSegmentPeer(
  { address, mac, subnets }: Vtep,
  gateways: ReadonlyMap<Prefix, IpAddress>,
  port: number,
): SegmentPeer {
  // Neighbours are permanent in the kernel; this is for those who ask all the same.
  const base = gateways.get(subnets[0]!)!;
  const tunnel4 = typeof base === 'number' ? base : undefined;
  const tunnel6 = typeof base === 'bigint' ? base : undefined;
  return {
    address,
    socketAddress: socketAddress(address, port),
    prefixes: subnets,
    vtep: { mac, tunnel4, tunnel6 },
  };
}
