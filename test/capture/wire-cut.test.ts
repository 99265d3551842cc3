/** Cutting as on the wire, against a twin that writes each packet for itself, header by header. */
import test from 'ava';
import { WireCutter } from '../../lib/capture/wire-cut.ts';
import type { WirePacket } from '../../lib/capture/wire-packet.ts';
import { pseudoHeaderSum4, pseudoHeaderSum6 } from '../../lib/wire/checksum.ts';
import { emitEthernetHeader } from '../../lib/wire/ethernet.ts';
import { emitIpv4Header } from '../../lib/wire/ipv4.ts';
import { emitIpv6Header } from '../../lib/wire/ipv6.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../lib/wire/layout/ethernet.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../lib/wire/layout/ip.ts';
import { TCP_CHECKSUM, TCP_CWR, TCP_FIN, TCP_PSH } from '../../lib/wire/layout/tcp.ts';
import { UDP_CHECKSUM } from '../../lib/wire/layout/udp.ts';
import { emitTcpHeader, fillTcpChecksum } from '../../lib/wire/tcp.ts';
import { emitUdpHeader, fillUdpChecksum } from '../../lib/wire/udp.ts';
import { emitVxlanHeader } from '../../lib/wire/vxlan.ts';
import { type Random, random } from '../random.ts';

interface Flow {
  readonly linkType: 1 | 101;
  readonly version: 4 | 6;
  readonly transport: 'tcp' | 'udp';
  /** Around it, of the kernel's device; with the checksum of its UDP header or 0. */
  readonly vxlan: { readonly version: 4 | 6; readonly hasChecksum: boolean } | undefined;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly sequence: number;
  readonly flags: number;
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
  readonly size: number;
}

/** One packet of the flow with the payload [from, to), as Linux would send it. `checksum` false: of the pseudo-header only. */
function emitPacket(flow: Flow, from: number, to: number, index: number, isLast: boolean): Uint8Array {
  const bytes = new Uint8Array(70_000);
  const view = new DataView(bytes.buffer);
  const payload = flow.payload.subarray(from, to);
  const tcpLength = flow.transport === 'tcp' ? 20 + flow.options.length : 8;
  const ipLength = (version: 4 | 6) => (version === 4 ? 20 : 40);
  const innerLength = ipLength(flow.version) + tcpLength + payload.length;
  const ethernet = (at: number, version: 4 | 6) =>
    at +
    emitEthernetHeader(view, at, {
      destination: 0x020000000002,
      source: 0x020000000001,
      type: version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
    });
  const ip = (at: number, version: 4 | 6, protocol: number, length: number, id: number) =>
    at +
    (version === 4
      ? emitIpv4Header(view, at, {
          tos: 2,
          totalLength: length,
          id: id & 0xffff,
          reservedFlag: false,
          dontFragment: flow.dontFragment,
          moreFragments: false,
          fragmentOffset: 0,
          ttl: 63,
          protocol,
          source: 0xc0000201,
          destination: 0xc0000202,
          options: new Uint8Array(0),
        })
      : emitIpv6Header(view, at, {
          trafficClass: 0,
          flowLabel: 7,
          payloadLength: length - 40,
          nextHeader: protocol,
          hopLimit: 63,
          source: 1n << 100n,
          destination: 77n,
        }));
  const pseudo = (version: 4 | 6, protocol: number, length: number) =>
    version === 4
      ? pseudoHeaderSum4(0xc0000201, 0xc0000202, protocol, length)
      : pseudoHeaderSum6(1n << 100n, 77n, protocol, length);
  let at = 0;
  let outer: { udp: number; length: number; version: 4 | 6 } | undefined;
  if (flow.linkType === 1) at = ethernet(at, flow.vxlan?.version ?? flow.version);
  if (flow.vxlan !== undefined) {
    const { version } = flow.vxlan;
    const length = 8 + 8 + 14 + innerLength;
    at = ip(at, version, IPPROTO_UDP, ipLength(version) + length, flow.id + index);
    outer = { udp: at, length, version };
    at += emitUdpHeader(view, at, { sourcePort: 50_000, destinationPort: 8472, length });
    at += emitVxlanHeader(view, at, { vni: 1 });
    at = ethernet(at, flow.version);
  }
  const protocol = flow.transport === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
  at = ip(at, flow.version, protocol, innerLength, flow.id + index);
  const end = at + tcpLength + payload.length;
  bytes.set(payload, at + tcpLength);
  const pseudoSum = pseudo(flow.version, protocol, end - at);
  if (flow.transport === 'tcp') {
    const notFirst = index > 0 ? ~TCP_CWR : ~0;
    const notLast = isLast ? ~0 : ~(TCP_FIN | TCP_PSH);
    emitTcpHeader(view, at, {
      sourcePort: 5201,
      destinationPort: 40_000,
      sequence: (flow.sequence + from) >>> 0,
      acknowledgment: 9,
      reserved: 0,
      flags: flow.flags & notFirst & notLast,
      window: 500,
      urgentPointer: 0,
      options: flow.options,
    });
    fillTcpChecksum(view, at, end, pseudoSum);
  } else {
    emitUdpHeader(view, at, { sourcePort: 8285, destinationPort: 8285, length: end - at });
    fillUdpChecksum(view, at, pseudoSum);
  }
  if (outer !== undefined && flow.vxlan?.hasChecksum === true)
    fillUdpChecksum(view, outer.udp, pseudo(outer.version, IPPROTO_UDP, outer.length));
  return bytes.slice(0, end);
}

/** The packets on the wire. */
function twin(flow: Flow): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let from = 0; from < flow.payload.length; from += flow.size) {
    const to = Math.min(flow.payload.length, from + flow.size);
    packets.push(emitPacket(flow, from, to, packets.length, to === flow.payload.length));
  }
  return packets;
}

/** The super-packet of them all, somewhere in a larger memory. */
function superPacket(flow: Flow, outgoing: boolean, kept?: number) {
  const whole = emitPacket(flow, 0, flow.payload.length, 0, true);
  const start = 101 + (flow.id & 1);
  const memory = new Uint8Array(whole.length + 300).fill(0xa5);
  const transport = whole.length - flow.payload.length - (flow.transport === 'tcp' ? 20 + flow.options.length : 8);
  const csumOffset = flow.transport === 'tcp' ? TCP_CHECKSUM : UDP_CHECKSUM;
  const end = start + Math.min(whole.length, kept ?? whole.length);
  memory.set(whole.subarray(0, end - start), start);
  const gsoType = flow.transport === 'udp' ? 5 : flow.version === 4 ? 1 : 4;
  return {
    memory,
    start,
    end,
    length: whole.length,
    outgoing,
    vnetFlags: 1,
    vnetGsoType: gsoType | 0x80,
    vnetGsoSize: flow.size,
    vnetCsumStart: transport,
    vnetCsumOffset: csumOffset,
  };
}

function randomFlow({ next }: Random): Flow {
  const vxlan =
    next(3) === 0 ? { version: next(2) === 0 ? (4 as const) : (6 as const), hasChecksum: next(2) === 0 } : undefined;
  return {
    linkType: vxlan !== undefined || next(2) === 0 ? 1 : 101,
    version: next(2) === 0 ? 4 : 6,
    transport: next(3) === 0 ? 'udp' : 'tcp',
    vxlan,
    id: next(0x10000),
    dontFragment: next(2) === 0,
    sequence: next(2) === 0 ? 0xffff_fff0 : next(0xffff_ffff),
    flags: next(256) | 0x10,
    options: new Uint8Array(next(4) * 4).fill(1),
    payload: Uint8Array.from({ length: 1 + next(next(2) === 0 ? 300 : 9000) }, () => next(256)),
    size: 1 + next(2000),
  };
}

type Copy = Pick<WirePacket, 'bytes' | 'length' | 'index' | 'of' | 'idRebuilt' | 'checksumUnfinished' | 'notCut'>;

function cut(frame: Parameters<WireCutter['cut']>[0], linkType: 1 | 101, snapLength = 65_535): Copy[] {
  const packets: Copy[] = [];
  new WireCutter(linkType, snapLength).cut(
    frame,
    ({ bytes, length, index, of, idRebuilt, checksumUnfinished, notCut }) =>
      packets.push({ bytes: Uint8Array.from(bytes), length, index, of, idRebuilt, checksumUnfinished, notCut }),
  );
  return packets;
}

test('super-packets and trains become the packets of the twin, byte for byte', (t) => {
  const dice = random();
  for (let round = 0; round < 600; round++) {
    const flow = randomFlow(dice);
    const expected = twin(flow);
    const outgoing = dice.next(2) === 0;
    const packets = cut(superPacket(flow, outgoing), flow.linkType);
    const name = `seed ${dice.seed} round ${round}`;
    t.is(packets.length, expected.length, name);
    const df = flow.dontFragment && (flow.version === 4 || flow.vxlan?.version === 4);
    for (const [index, packet] of packets.entries()) {
      if (Buffer.compare(packet.bytes, expected[index]!) !== 0) {
        t.is(
          Buffer.from(packet.bytes).toString('hex'),
          Buffer.from(expected[index]!).toString('hex'),
          `${name} packet ${index}`,
        );
        return;
      }
      t.deepEqual(
        { ...packet, bytes: undefined },
        {
          bytes: undefined,
          length: expected[index]!.length,
          index,
          of: expected.length,
          idRebuilt: df && !outgoing && expected.length > 1,
          checksumUnfinished: false,
          notCut: false,
        },
        name,
      );
    }
  }
});

test('with a snap length pieces have their headers and true lengths, and say that their checksums are not finished', (t) => {
  const dice = random();
  for (let round = 0; round < 300; round++) {
    const flow = randomFlow(dice);
    const expected = twin(flow);
    const header = expected[0]!.length - Math.min(flow.size, flow.payload.length);
    // The kernel keeps the headers at least; what is written is shorter still in some rounds.
    const kept = header + dice.next(flow.payload.length + 1);
    const snap = header + dice.next(60);
    const packets = cut(superPacket(flow, true, kept), flow.linkType, snap);
    const name = `seed ${dice.seed} round ${round}`;
    t.deepEqual(
      packets.map(({ length }) => length),
      expected.map(({ length }) => length),
      name,
    );
    for (const [index, { bytes, checksumUnfinished, length }] of packets.entries()) {
      t.true(bytes.length >= header && bytes.length <= snap, name);
      t.is(checksumUnfinished, bytes.length < length, name);
      const same = expected[index]!.slice(0, bytes.length);
      // Of a cut packet the checksums over the payload differ, and nothing else.
      const own = Uint8Array.from(bytes);
      if (checksumUnfinished) for (const each of [own, same]) zeroChecksums(each, flow);
      t.deepEqual(Buffer.from(own).toString('hex'), Buffer.from(same).toString('hex'), name);
    }
  }
});

/** TCP's or UDP's checksum, and that of the UDP header around it. */
function zeroChecksums(packet: Uint8Array, flow: Flow): void {
  const ip = (version: 4 | 6) => (version === 4 ? 20 : 40);
  let at = flow.linkType === 1 ? 14 : 0;
  if (flow.vxlan !== undefined) {
    at += ip(flow.vxlan.version);
    packet.fill(0, at + UDP_CHECKSUM, at + UDP_CHECKSUM + 2);
    at += 8 + 8 + 14;
  }
  at += ip(flow.version) + (flow.transport === 'tcp' ? TCP_CHECKSUM : UDP_CHECKSUM);
  packet.fill(0, at, at + 2);
}

test('a packet whose checksum the kernel left unfinished gets it finished, others pass as they are', (t) => {
  const dice = random();
  for (let round = 0; round < 100; round++) {
    const flow = { ...randomFlow(dice), size: 10_000 };
    const [expected] = twin(flow);
    const frame = { ...superPacket(flow, true), vnetGsoType: 0 };
    const field = frame.start + frame.vnetCsumStart + frame.vnetCsumOffset;
    const protocol = flow.transport === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
    const length = frame.length - frame.vnetCsumStart;
    const sum =
      flow.version === 4
        ? pseudoHeaderSum4(0xc0000201, 0xc0000202, protocol, length)
        : pseudoHeaderSum6(1n << 100n, 77n, protocol, length);
    frame.memory.set([sum >> 8, sum & 0xff], field);
    const [packet] = cut(frame, flow.linkType);
    t.is(
      Buffer.from(packet!.bytes).toString('hex'),
      Buffer.from(expected!).toString('hex'),
      `seed ${dice.seed} round ${round}`,
    );
    const untouched = Uint8Array.from(frame.memory);
    t.is(cut({ ...frame, vnetFlags: 0 }, flow.linkType)[0]!.bytes.length, expected!.length);
    t.deepEqual(frame.memory, untouched);
    t.like(cut(frame, flow.linkType, expected!.length - 1)[0], { checksumUnfinished: true, length: expected!.length });
  }
});

test('what cannot be read is handed on as it is, and nothing throws', (t) => {
  const dice = random();
  for (let round = 0; round < 3000; round++) {
    const memory = Uint8Array.from({ length: dice.next(200) }, () => dice.next(256));
    const start = dice.next(memory.length + 1);
    const frame = {
      memory,
      start,
      end: memory.length,
      length: memory.length - start + dice.next(2000),
      outgoing: true,
      vnetFlags: dice.next(2),
      vnetGsoType: [0, 1, 4, 5, 3, 0x81][dice.next(6)]!,
      vnetGsoSize: dice.next(100),
      vnetCsumStart: dice.next(60),
      vnetCsumOffset: dice.next(20),
    };
    const linkType = dice.next(2) === 0 ? 1 : 101;
    const packets = cut(frame, linkType);
    t.true(packets.length >= 1, `seed ${dice.seed} round ${round}`);
    t.true(
      packets.every(({ bytes, length }) => bytes.length <= length),
      `seed ${dice.seed} round ${round}`,
    );
  }
});
