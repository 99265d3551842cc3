import type { PeersReply, RoutesReply, StatsReply, StatusReply } from '../../lib/control/protocol.ts';
import { DROP_REASONS, type DropReason } from '../../lib/dataplane/drop.ts';

/** What a ready daemon with two peers replies. */
export const STATUS: StatusReply = {
  version: '0.1.0',
  pid: 4711,
  startedAt: '2026-11-22T10:00:00.000Z',
  uptimeSeconds: 3725,
  state: 'ready',
  waitingFor: null,
  alarms: [],
  network: { ipv4: '10.244.0.0/16', ipv6: null, subnetLen: 24, ipv6SubnetLen: null },
  lease: { ipv4: '10.244.30.0/24', ipv6: null, origin: 'allocated', expiresAt: null },
  external: {
    name: 'eth1',
    mtu: 1500,
    ipv4: '192.0.2.1',
    ipv6: null,
    publicIp: '192.0.2.1',
    publicIpv6: null,
    reason: '-iface=eth1',
  },
  backend: { type: 'udp', device: 'flannel0', mtu: 1472, port: 8285, sourceCheck: true },
  etcd: {
    endpoint: 'http://192.0.2.254:2379',
    prefix: '/coreos.com/network',
    connected: true,
    lastError: null,
    revision: '42',
    skipped: 0,
    watchRestarts: 0,
  },
  offloads: [
    { name: 'tun-tso', active: true, reason: 'in use' },
    { name: 'udp-gro', active: false, reason: 'switched off by --udp-gro=false' },
  ],
  peers: 2,
  subnetFile: '/run/flannel/subnet.env',
  memory: { rssBytes: 93_000_000 },
};

/** A daemon whose etcd has no configuration. */
export const WAITING: StatusReply = {
  ...STATUS,
  state: 'waiting',
  waitingFor: {
    code: 'CONFIG_MISSING',
    message: 'no network configuration at /coreos.com/network/config',
    hint: 'Put one',
    since: new Date(Date.now() - 5500).toISOString(),
    attempts: 6,
  },
  network: null,
  lease: null,
  external: null,
  backend: null,
  offloads: [],
  peers: 0,
};

export const PEERS: PeersReply = {
  peers: [
    {
      subnet: '10.244.99.0/24',
      ipv6Subnet: null,
      publicIp: '192.0.2.2',
      publicIpv6: null,
      backendType: '',
      expiresAt: null,
      traffic: { outboundPackets: 1234567, outboundBytes: 1_500_000_000, inboundPackets: 3, inboundBytes: 252 },
    },
    {
      subnet: '10.244.7.0/24',
      ipv6Subnet: 'fd00:0:0:7::/64',
      publicIp: '192.0.2.130',
      publicIpv6: '2001:db8::2',
      backendType: 'vxlan',
      expiresAt: '1970-01-01T00:00:00.000Z',
      traffic: null,
    },
  ],
};

export const ROUTES: RoutesReply = {
  routes: [
    { prefix: '10.244.99.0/24', via: '192.0.2.2', device: 'flannel0' },
    { prefix: '10.244.7.0/24', via: '192.0.2.130', device: 'flannel0' },
  ],
};

const NO_DROPS = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>;

export const STATS: StatsReply = {
  at: '2026-11-22T11:00:00.000Z',
  outbound: { received: 1000, forwarded: 998, forwardedBytes: 1_400_000, reads: 100, writes: 50 },
  inbound: { received: 2000, forwarded: 1993, forwardedBytes: 2_800_000, reads: 0, writes: 0 },
  drops: { ...NO_DROPS, 'no-route': 2, 'spoofed-source': 7 },
  bridge: { flooded: 0, answered: 0, refusedMoves: 0 },
  icmp: { sent: 2, rateLimited: 1 },
  peers: [],
  socketOverflow: 0,
};
