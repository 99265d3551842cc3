import type {
  FdbReply,
  NeighReply,
  NetworkCondition,
  PeersReply,
  RoutesReply,
  StatsReply,
  StatusReply,
} from '../../lib/control/protocol.ts';
import { noStats } from '../../lib/dataplane/add-stats.ts';

const NO_VTEP = { vni: null, vtepMac: null, vtepMacV6: null };

const ETCD = {
  endpoint: 'http://192.0.2.254:2379',
  prefix: '/coreos.com/network',
  connected: true,
  lastError: null,
  revision: '42',
  skipped: 0,
  watchRestarts: 0,
};

const READY: NetworkCondition = {
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
  backend: { type: 'udp', device: 'flannel0', mtu: 1472, port: 8285, sourceCheck: true, ...NO_VTEP, learning: null },
  store: { kind: 'etcd', ...ETCD },
  etcd: ETCD,
  offloads: [
    { name: 'tun-tso', active: true, reason: 'in use' },
    { name: 'udp-gro', active: false, reason: 'switched off by --udp-gro=false' },
  ],
  peers: 2,
  subnetFile: '/run/flannel/subnet.env',
};

const HELD_UP: NetworkCondition = {
  ...READY,
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

const PROCESS = {
  version: '0.1.0',
  pid: 4711,
  startedAt: '2026-11-22T10:00:00.000Z',
  uptimeSeconds: 3725,
  memory: { rssBytes: 93_000_000 },
  tap: { socket: '/run/weft/tap.sock', readers: [] },
};

const ONLY = { name: '', etcdPrefix: '/coreos.com/network', netns: null };

/** What a ready daemon with two peers replies. */
export const STATUS: StatusReply = { ...PROCESS, ...READY, networks: [{ ...READY, ...ONLY }] };

/** A daemon whose etcd has no configuration. */
export const WAITING: StatusReply = { ...PROCESS, ...HELD_UP, networks: [{ ...HELD_UP, ...ONLY }] };

const blue: NetworkCondition = {
  ...READY,
  backend: {
    type: 'vxlan',
    device: 'flannel.7',
    mtu: 1450,
    port: 4789,
    sourceCheck: true,
    ...NO_VTEP,
    vni: 7,
    vtepMac: '02:00:00:00:00:01',
    learning: false,
  },
  subnetFile: '/run/flannel/blue.env',
};

/** A daemon of three networks: one is ready, one waits, one has failed. */
export const TENANTS: StatusReply = {
  ...PROCESS,
  ...blue,
  networks: [
    { ...blue, name: 'blue', etcdPrefix: '/tenants/blue', netns: '/run/netns/blue' },
    { ...HELD_UP, name: 'green', etcdPrefix: '/tenants/green', netns: null, subnetFile: '/run/flannel/green.env' },
    {
      ...HELD_UP,
      name: 'red',
      etcdPrefix: '/tenants/red',
      netns: null,
      subnetFile: '/run/flannel/red.env',
      state: 'failed',
      waitingFor: { ...HELD_UP.waitingFor!, code: 'PORT_BUSY', message: 'the port is in use', hint: null, attempts: 2 },
      alarms: ['Network "red" has failed: the port is in use', 'Our lease is gone'],
      store: { ...READY.store, connected: false },
      etcd: { ...ETCD, connected: false },
    },
  ],
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
      leaving: false,
      traffic: { outboundPackets: 1234567, outboundBytes: 1_500_000_000, inboundPackets: 3, inboundBytes: 252 },
      note: null,
      ...NO_VTEP,
      health: null,
    },
    {
      subnet: '10.244.7.0/24',
      ipv6Subnet: 'fd00:0:0:7::/64',
      publicIp: '192.0.2.130',
      publicIpv6: '2001:db8::2',
      backendType: 'vxlan',
      expiresAt: '1970-01-01T00:00:00.000Z',
      leaving: false,
      traffic: null,
      note: 'ignored: its backend type is vxlan, ours is udp',
      vni: 1,
      vtepMac: '02:00:00:00:00:02',
      vtepMacV6: '02:00:00:00:00:06',
      health: null,
    },
  ],
};

export const FDB: FdbReply = {
  fdb: [
    { mac: '02:00:00:00:00:02', vtep: '192.0.2.2', origin: 'lease', ageSeconds: null, moves: 0, refusedMoves: 0 },
    { mac: '02:42:0a:f4:01:02', vtep: '192.0.2.3', origin: 'learned', ageSeconds: 185, moves: 3, refusedMoves: 1234 },
  ],
};

export const NEIGH: NeighReply = {
  neighbors: [
    { address: '10.244.99.0', mac: '02:00:00:00:00:02', vtep: '192.0.2.2', origin: 'lease', ageSeconds: null },
    { address: 'fd00::2', mac: '02:42:0a:f4:01:02', vtep: '2001:db8::3', origin: 'learned', ageSeconds: 4 },
  ],
};

export const ROUTES: RoutesReply = {
  routes: [
    { prefix: '10.244.99.0/24', via: '192.0.2.2', device: 'flannel0' },
    { prefix: '10.244.7.0/24', via: '192.0.2.130', device: 'flannel0' },
  ],
};

export const STATS: StatsReply = {
  at: '2026-11-22T11:00:00.000Z',
  outbound: { received: 1000, forwarded: 998, forwardedBytes: 1_400_000, reads: 100, writes: 50 },
  inbound: { received: 2000, forwarded: 1993, forwardedBytes: 2_800_000, reads: 0, writes: 0 },
  drops: { ...noStats().drops, 'no-route': 2, 'spoofed-source': 7 },
  bridge: { flooded: 0, answered: 0, refusedMoves: 0, shutOut: 0 },
  icmp: { sent: 2, rateLimited: 1 },
  tap: { records: 0, lost: 0 },
  probes: { sent: 40, answered: 39, received: 41 },
  peers: [],
  socketOverflow: 0,
  stages: null,
};
