/** The packet that is sent, and what is known again of it. */
import type { Ipv4 } from '../../addr/ipv4.ts';
import { pseudoHeaderSum4 } from '../../wire/checksum.ts';
import { echoRest, emitIcmpHeader, fillIcmpChecksum } from '../../wire/icmp.ts';
import { emitIpv4Header } from '../../wire/ipv4.ts';
import { ICMP_ECHO_REQUEST, ICMP_HEADER } from '../../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { TCP_HEADER_MIN, TCP_SYN } from '../../wire/layout/tcp.ts';
import { UDP_HEADER } from '../../wire/layout/udp.ts';
import { emitTcpHeader, fillTcpChecksum } from '../../wire/tcp.ts';
import { emitUdpHeader, fillUdpChecksum } from '../../wire/udp.ts';

export interface Probe {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly transport: 'icmp' | 'tcp' | 'udp';
  /** Of the destination; 0 for ICMP. */
  readonly port: number;
  /** IPv4 identification, never 0; identifier of the echo, source port of the others. */
  readonly id: number;
  /** Of the IP packet, bytes. */
  readonly size: number;
}

/** What Linux sends with. */
export const PROBE_TTL = 64;
/** As ping(8) has it. */
export const PROBE_SIZE = 84;

export function protocolOf({ transport }: Probe): number {
  if (transport === 'icmp') return IPPROTO_ICMP;
  return transport === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
}

/** Bytes of IP and transport header: the least a probe can have. */
export function leastSize(transport: Probe['transport']): number {
  return IPV4_HEADER_MIN + { icmp: ICMP_HEADER, tcp: TCP_HEADER_MIN, udp: UDP_HEADER }[transport];
}

/** Ephemeral, so that an answer meets no server of ours. */
export function sourcePortOf({ id }: Probe): number {
  return 32_768 + (id & 0x3fff);
}

/** The whole IPv4 packet, with DF, TTL `ttl`. Payload zero. */
export function probePacket(probe: Probe, ttl = PROBE_TTL): Uint8Array {
  const bytes = new Uint8Array(probe.size);
  const view = new DataView(bytes.buffer);
  const protocol = protocolOf(probe);
  const at = emitIpv4Header(view, 0, {
    tos: 0,
    totalLength: probe.size,
    id: probe.id,
    reservedFlag: false,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl,
    protocol,
    source: probe.source,
    destination: probe.destination,
    options: new Uint8Array(0),
  });
  const pseudo = pseudoHeaderSum4(probe.source, probe.destination, protocol, probe.size - at);
  if (probe.transport === 'icmp') {
    emitIcmpHeader(view, at, { type: ICMP_ECHO_REQUEST, code: 0, rest: echoRest(probe.id, 1) });
    fillIcmpChecksum(view, at, probe.size, 0);
  } else if (probe.transport === 'udp') {
    const ports = { sourcePort: sourcePortOf(probe), destinationPort: probe.port };
    emitUdpHeader(view, at, { ...ports, length: probe.size - at });
    fillUdpChecksum(view, at, pseudo);
  } else {
    emitTcpHeader(view, at, {
      sourcePort: sourcePortOf(probe),
      destinationPort: probe.port,
      sequence: probe.id,
      acknowledgment: 0,
      reserved: 0,
      flags: TCP_SYN,
      window: 64_240,
      urgentPointer: 0,
      options: new Uint8Array(0),
    });
    fillTcpChecksum(view, at, probe.size, pseudo);
  }
  return bytes;
}
