/** A record of the tap as a line of the page's list. */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatIpv6 } from '../addr/ipv6.ts';
import { Layers, type TunnelPorts, word } from '../capture/layers.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../capture/link-type.ts';
import type { TapRecord } from '../control/tap-client.ts';
import { describeOther, describeTransport } from '../headers/words.ts';
import { formatTimeOfDay } from '../units.ts';
import { readIpv6 } from '../wire/ipv6.ts';
import { IPV4_DESTINATION, IPV4_SOURCE, IPV4_TOTAL_LENGTH } from '../wire/layout/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER, IPV6_PAYLOAD_LENGTH, IPV6_SOURCE } from '../wire/layout/ipv6.ts';
import { isProbe } from '../wire/probe.ts';
import type { PacketLine } from './messages.ts';

/** What a pod itself sends in a tunnel is its own business. */
const NO_TUNNELS: TunnelPorts = new Map();
const layers = new Layers();

export function packetLine(record: TapRecord, id: number): PacketLine {
  const { direction, verdict, reason, peer, length, timeIn, timeOut } = record;
  return {
    id,
    time: timeOfDay(timeIn),
    direction,
    verdict,
    reason,
    peer,
    ...inner(record),
    length,
    microseconds: timeOut === null ? null : Number(timeOut - timeIn) / 1000,
  };
}

function inner({ bytes, length, ethernet }: TapRecord): Pick<PacketLine, 'source' | 'destination' | 'words'> {
  if (layers.read(bytes, 0, bytes.length, ethernet, NO_TUNNELS) === 0) {
    const packet = { memory: bytes, start: 0, end: bytes.length, length };
    const words = describeOther(packet, ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW);
    return { source: null, destination: null, words };
  }
  const at = layers.ip[0]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isIpv6 = layers.isIpv6[0]!;
  const own = isIpv6 ? IPV6_HEADER + word(bytes, at + IPV6_PAYLOAD_LENGTH) : word(bytes, at + IPV4_TOTAL_LENGTH);
  const ipEnd = own === 0 ? length : at + own;
  const words = describeTransport(bytes, layers.transport[0]!, bytes.length, ipEnd, layers.protocol[0]!);
  return {
    source: isIpv6 ? formatIpv6(readIpv6(view, at + IPV6_SOURCE)) : formatIpv4(view.getUint32(at + IPV4_SOURCE)),
    destination: isIpv6
      ? formatIpv6(readIpv6(view, at + IPV6_DESTINATION))
      : formatIpv4(view.getUint32(at + IPV4_DESTINATION)),
    // Nobody's ping.
    words: isProbe(bytes.subarray(at)) ? `weftd's own probe, ${words}` : words,
  };
}

/** ns of CLOCK_REALTIME as "12:31:07.120441", local time. */
export function timeOfDay(ns: bigint): string {
  const time = formatTimeOfDay(Number(ns / 1_000_000n));
  return `${time}.${String((ns / 1000n) % 1_000_000n).padStart(6, '0')}`;
}
