/** What a server of `weft ui` could tell: events of a network that is made up, the same for the same numbers. */
import type { Peer, StagesReply, StatusReply } from '../../../lib/control/protocol.ts';
import type { Hello, PacketBatch, PacketDetail, PacketLine, PageTick } from '../../../lib/ui/messages.ts';
import { STATUS } from '../../cli/replies.ts';

/** Of the first tick; the clock of the scene is not that of the machine. */
export const START_MS = Date.parse('2026-11-22T11:00:00.000Z');

export const DROP_REASONS: Hello['dropReasons'] = {
  'no-route': 'No peer holds the subnet of the destination; the sender got an ICMP error',
  'ttl-expired': 'TTL or hop limit of 1 or less; the sender got an ICMP error',
  'spoofed-source': 'The inner source is not in the subnet of the peer that sent it',
};

export function status(changes: Partial<StatusReply> = {}): StatusReply {
  return {
    ...STATUS,
    startedAt: new Date(START_MS - 3_725_000).toISOString(),
    offloads: [
      { name: 'tun-tso', active: true, reason: 'in use' },
      { name: 'tun-uso', active: true, reason: 'in use' },
      { name: 'tun-gro', active: true, reason: 'in use' },
      { name: 'udp-gso', active: true, reason: 'in use' },
      { name: 'udp-gro', active: false, reason: 'switched off by --udp-gro=false' },
    ],
    ...changes,
  };
}

/** Peer `k`, from 0: with a round trip, and no trouble. */
export function peer(k: number, changes: Partial<Peer> = {}): Peer {
  return {
    subnet: `10.${244 + Math.floor(k / 250)}.${(k % 250) + 1}.0/24`,
    ipv6Subnet: null,
    publicIp: address(k),
    publicIpv6: null,
    backendType: '',
    expiresAt: null,
    leaving: false,
    traffic: { outboundPackets: 100 * k, outboundBytes: 84_000 * k, inboundPackets: 90 * k, inboundBytes: 75_600 * k },
    note: null,
    vni: null,
    vtepMac: null,
    vtepMacV6: null,
    health: {
      over: 'overlay',
      rttMs: 0.2 + (k % 37) * 0.11,
      loss: 0,
      probes: 10,
      lastSeen: new Date(START_MS).toISOString(),
      pathMtu: 1500,
      pathMtuDirection: 'outbound',
      underlayRttMs: null,
    },
    ...changes,
  };
}

/** In trouble, or otherwise not like all others. */
export function withHealth(of: Peer, health: Partial<NonNullable<Peer['health']>>): Peer {
  return { ...of, health: { ...of.health!, ...health } };
}

export function address(k: number): string {
  return `192.0.${2 + Math.floor(k / 250)}.${(k % 250) + 2}`;
}

/** Tick `n` of a network in which the first `busy` peers have traffic. */
export function tick(n: number, busy: number, drops: PageTick['drops'] = {}): PageTick {
  const wave = 1 + 0.4 * Math.sin(n / 9) + 0.15 * Math.sin(n / 2.3);
  const peers = Array.from({ length: busy }, (_, k) => {
    const scale = (wave * 4000) / (1 + k) ** 1.4;
    return {
      publicIp: address(k),
      outboundPackets: scale,
      outboundBytes: scale * 900,
      inboundPackets: scale * 0.8,
      inboundBytes: scale * 0.8 * 300,
    };
  });
  const sum = (of: (each: (typeof peers)[number]) => number): number => peers.reduce((all, each) => all + of(each), 0);
  const outbound = sum((each) => each.outboundPackets);
  return {
    at: new Date(START_MS + n * 1000).toISOString(),
    seconds: 1,
    outbound: { packets: outbound, bytes: sum((each) => each.outboundBytes), packetsPerRead: 1, packetsPerWrite: 6.2 },
    inbound: {
      packets: sum((each) => each.inboundPackets),
      bytes: sum((each) => each.inboundBytes),
      packetsPerRead: 4.1,
      packetsPerWrite: 3,
    },
    drops,
    socketOverflow: 0,
    peers,
    cpu: 0.083,
    stages: busy === 0 ? null : stages(wave),
    rtt: { median: 0.4 + 0.1 * wave, p90: 1.1 + 0.5 * wave, max: 4, peers: busy },
    loss: 0,
  };
}

/** As the history has it. */
export function pastTick(n: number, busy: number, drops?: PageTick['drops']): PageTick {
  const { peers, ...rest } = tick(n, busy, drops);
  return { ...rest, peers: n < -60 ? [] : peers.slice(0, 50), stages: null };
}

function stages(scale: number): StagesReply {
  const stage = (ns: number, packets: number) => ({ turns: 8, packets, sum: Math.round(8 * ns * scale), buckets: [8] });
  return {
    asleep: stage(900_000, 0),
    outbound: {
      wake: stage(1900, 0),
      read: stage(7400, 40),
      code: stage(2100, 40),
      send: stage(14_200, 40),
      frames: { turns: 8, packets: 40, sum: 40, buckets: [0, 0, 8] },
    },
    inbound: {
      wake: stage(2300, 0),
      receive: stage(6100, 32),
      code: stage(1800, 32),
      write: stage(9900, 32),
      messages: { turns: 8, packets: 32, sum: 32, buckets: [0, 0, 8] },
    },
  };
}

export const TOTAL: NonNullable<PageTick['total']> = {
  drops: { 'no-route': 1234, 'ttl-expired': 3, 'spoofed-source': 0 },
  outbound: { received: 1000, forwarded: 998, forwardedBytes: 1_400_000, reads: 100, writes: 50 },
  inbound: { received: 2000, forwarded: 1993, forwardedBytes: 2_800_000, reads: 0, writes: 0 },
  tap: { records: 100, lost: 0 },
};

export function hello(changes: Partial<Hello> = {}): Hello {
  return {
    version: '0.1.0',
    host: 'h1',
    network: '',
    dropReasons: DROP_REASONS,
    history: [],
    packets: batch([]),
    ...changes,
  };
}

export function batch(lines: readonly PacketLine[], counts: Partial<Omit<PacketBatch, 'lines'>> = {}): PacketBatch {
  return { lines, sample: 10, lost: 0, skipped: 0, ...counts };
}

/** Packet `id`: one of four comes in, one of eight is dropped. */
export function line(id: number, changes: Partial<PacketLine> = {}): PacketLine {
  const isOut = id % 4 !== 0;
  const isDropped = id % 8 === 3;
  const pods = ['10.244.78.2', `10.244.${1 + (id % 3)}.2`] as const;
  return {
    id,
    time: `12:31:${String(Math.floor(id / 500) % 60).padStart(2, '0')}.${String((id * 2000) % 1_000_000).padStart(6, '0')}`,
    direction: isOut ? 'outbound' : 'inbound',
    verdict: isDropped ? 'dropped' : 'forwarded',
    reason: isDropped ? 'no-route' : null,
    peer: isDropped ? null : address(id % 3),
    source: isOut ? pods[0] : pods[1],
    destination: isOut ? (isDropped ? '10.244.200.9' : pods[1]) : pods[0],
    words: id % 5 === 0 ? `echo request ${id}` : `tcp 443 > ${40000 + (id % 9)} PA ${id % 1400} B`,
    length: 60 + (id % 1400),
    microseconds: isDropped ? null : 8 + (id % 60),
    ...changes,
  };
}

export function lines(from: number, count: number): PacketLine[] {
  return Array.from({ length: count }, (_, k) => line(from + k));
}

/** An ICMP echo of pods in a datagram of backend udp. */
export function detail(of: PacketLine): PacketDetail {
  const outer =
    '525400112202' + '525400112201' + '0800' + '45000070000040004011b61dc0000201c0000202' + '205d205d005c0000';
  const inner = '4500005400004000' + '3e01c9a70af44e02' + '0af42002' + '0800c3fe00010001';
  const field = (at: number) => (name: string, value: string, length: number, offset: number) => ({
    name,
    value,
    known: value !== 'not known',
    at: at + offset,
    length,
  });
  const [e, ip, udp, ip2, icmp] = [field(0), field(14), field(34), field(42), field(62)];
  return {
    line: of,
    sentence:
      of.verdict === 'dropped'
        ? `Dropped on its way out of flannel0: no-route. ${DROP_REASONS['no-route']}`
        : `Read from flannel0 and sent to ${of.peer} in UDP`,
    notes: of.verdict === 'dropped' ? [] : ['1 of a train of 12'],
    points:
      of.verdict === 'dropped'
        ? [{ name: 'read from flannel0', time: of.time, us: 0 }]
        : [
            { name: 'read from flannel0', time: of.time, us: 0 },
            { name: `sent to ${of.peer}`, time: of.time, us: of.microseconds ?? 0 },
          ],
    headers: [
      {
        name: 'Ethernet',
        rebuilt: true,
        fields: [e('destination', 'not known', 6, 0), e('source', 'not known', 6, 6), e('type', '0800, IPv4', 2, 12)],
      },
      {
        name: 'IPv4, outer',
        rebuilt: true,
        fields: [
          ip('version', '4', 1, 0),
          ip('header length', '20 bytes', 1, 0),
          ip('TOS', '0x00', 1, 1),
          ip('total length', '112', 2, 2),
          ip('identification', '0x0000', 2, 4),
          ip('flags', 'DF', 2, 6),
          ip('TTL', '64', 1, 8),
          ip('protocol', '17, UDP', 1, 9),
          ip('checksum', 'not known', 2, 10),
          ip('source', '192.0.2.1', 4, 12),
          ip('destination', of.peer ?? '192.0.2.2', 4, 16),
        ],
      },
      {
        name: 'UDP',
        rebuilt: true,
        fields: [
          udp('source port', '8285', 2, 0),
          udp('destination port', '8285', 2, 2),
          udp('length', '92', 2, 4),
          udp('checksum', 'not known', 2, 6),
        ],
      },
      {
        name: 'IPv4, inner',
        rebuilt: false,
        fields: [
          ip2('version', '4', 1, 0),
          ip2('header length', '20 bytes', 1, 0),
          ip2('TOS', '0x00', 1, 1),
          ip2('total length', '84', 2, 2),
          ip2('identification', '0x0000', 2, 4),
          ip2('flags', 'DF', 2, 6),
          ip2('TTL', '62', 1, 8),
          ip2('protocol', '1, ICMP', 1, 9),
          ip2('checksum', '0xc9a7', 2, 10),
          ip2('source', of.source ?? '', 4, 12),
          ip2('destination', of.destination ?? '', 4, 16),
        ],
      },
      {
        name: 'ICMP',
        rebuilt: false,
        fields: [
          icmp('type', '8, echo request', 1, 0),
          icmp('code', '0', 1, 1),
          icmp('checksum', '0xc3fe', 2, 2),
          icmp('identifier', '1', 2, 4),
          icmp('sequence', '1', 2, 6),
        ],
      },
    ],
    bytes: `${outer}${inner}${Array.from({ length: 56 }, (_, k) => (0x10 + k).toString(16)).join('')}`,
    length: 126,
  };
}
