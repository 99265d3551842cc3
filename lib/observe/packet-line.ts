/**
 * A packet on one line of 80 columns, for people:
 *
 *    12:31:07.120441817 flannel0 > 10.244.78.2 > 10.244.32.2  echo request 1
 *    12:31:07.120509233 eth0     > 192.0.2.1 > 192.0.2.2 | echo request 1  67 us
 *    12:31:07.120692014 eth0     < 192.0.2.2 | tcp 80 > 51944 PA 1348 B
 *
 * The time at the end is since the same inner packet passed the other edge. Where both addresses have no room, the other end's
 * is there: behind > the destination, behind < the source. Nothing of a packet but its numbers is shown.
 */
import { formatIpv4 } from '../addr/ipv4.ts';
import { formatIpv6 } from '../addr/ipv6.ts';
import { Layers, type TunnelPorts, word } from '../capture/layers.ts';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { WirePacket } from '../capture/wire-packet.ts';
import { describeOther, describeTransport } from '../headers/words.ts';
import { readIpv6 } from '../wire/ipv6.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { IPV4_DESTINATION, IPV4_ID, IPV4_SOURCE, IPV4_TOTAL_LENGTH } from '../wire/layout/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER, IPV6_PAYLOAD_LENGTH, IPV6_SOURCE } from '../wire/layout/ipv6.ts';
import { isProbe } from '../wire/probe.ts';

/** Our choice: packets whose second sight is awaited. */
const AWAITED = 4096;

const WIDTH = 80;

/** Our choice: so many columns of the packet are there also beside a verdict that has many words. */
const LEAST = 16;

/** An echo of the peer monitor. */
const PROBE = "weftd's own probe";

export interface LinePacket {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly outgoing: boolean;
  readonly device: string;
  readonly linkType: number;
  readonly packet: WirePacket;
  readonly tunnels: TunnelPorts;
  /** What became of it, where that is known. */
  readonly verdict?: string;
}

/** One record for --json. Times are text: nanoseconds since the epoch are too large for a number. */
export interface PacketReport {
  readonly time: string;
  readonly device: string;
  readonly direction: 'out' | 'in';
  readonly length: number;
  readonly outer: string | null;
  readonly inner: string;
  /** Microseconds since the same inner packet passed another edge. */
  readonly sinceUs: number | null;
  /** Of `--dropped`: "dropped: no-route"; else null. */
  readonly verdict: string | null;
  readonly notes: readonly string[];
}

export class PacketLines {
  readonly #layers = new Layers();
  readonly #deviceWidth: number;
  /** When an inner packet was seen on which device, the oldest first. */
  readonly #seen = new Map<string, { readonly device: string; readonly us: number }>();

  constructor(devices: readonly string[]) {
    this.#deviceWidth = Math.max(...devices.map((device) => device.length), 1);
  }

  /** Without a line end. `width`: columns, 0 for no limit. */
  line(of: LinePacket, width = WIDTH): string {
    const { outer, inner: text, sinceUs, notes: all } = this.report(of);
    const inner = all.includes(PROBE) ? ofProbe(text) : text;
    const notes = all.filter((note) => note !== PROBE);
    const head = `${timeOfDay(of)} ${of.device.padEnd(this.#deviceWidth)} ${of.outgoing ? '>' : '<'} `;
    const time = sinceUs === null ? '' : `  ${formatMicroseconds(sinceUs)}`;
    const since = of.verdict === undefined ? time : `  ${of.verdict}`;
    const noted = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
    const body = outer === null ? inner : `${outer} | ${inner}`;
    if (width === 0) return `${head}${body}${noted}${since}`;
    const room = width - head.length - since.length;
    const texts = shorter(outer, inner, noted, of.outgoing);
    const fitting = texts.find((text) => text.length <= room) ?? cutTo(texts.at(-1) ?? body, Math.max(LEAST, room));
    return cutTo(`${head}${fitting}${since}`, width);
  }

  report(of: LinePacket): PacketReport {
    const { packet, tunnels, linkType, seconds, nanoseconds, device } = of;
    const { memory, start, end } = packet;
    const count = this.#layers.read(memory, start, end, linkType === LINKTYPE_ETHERNET, tunnels);
    const last = count - 1;
    const inner = count === 0 ? describeOther(packet, linkType) : this.#describe(packet, last);
    const outer = count < 2 ? null : this.#describeOuter(packet);
    return {
      time: `${seconds}.${String(nanoseconds).padStart(9, '0')}`,
      device,
      direction: of.outgoing ? 'out' : 'in',
      length: packet.length,
      outer,
      inner,
      sinceUs: count === 0 ? null : this.#since(of, last),
      verdict: of.verdict ?? null,
      notes: count === 0 ? [] : this.#notes(packet, last),
    };
  }

  #notes(packet: WirePacket, level: number): string[] {
    const notes: string[] = [];
    if (isProbe(packet.memory.subarray(this.#layers.ip[level]!, packet.end))) notes.push(PROBE);
    if (packet.notCut) notes.push('super-packet, not cut');
    if (packet.idRebuilt) notes.push('ID rebuilt');
    return notes;
  }

  /** "192.0.2.1 > 192.0.2.2 udp 8285": the source port is the flow's hash, or the same. */
  #describeOuter(packet: WirePacket): string {
    const text = this.#describe(packet, 0)
      .replace(/ \d+ B$/, '')
      .replace('  ', ' ');
    return text.replace(/udp \d+ > /, 'udp ').replace(/ protocol \d+$/, '');
  }

  /** "10.244.78.2 > 10.244.32.2  echo request 1" */
  #describe({ memory, end, length, start }: WirePacket, level: number): string {
    const ip = this.#layers.ip[level]!;
    const isIpv6 = this.#layers.isIpv6[level]!;
    const view = new DataView(memory.buffer, memory.byteOffset);
    const [source, destination] = isIpv6
      ? [formatIpv6(readIpv6(view, ip + IPV6_SOURCE)), formatIpv6(readIpv6(view, ip + IPV6_DESTINATION))]
      : [formatIpv4(view.getUint32(ip + IPV4_SOURCE)), formatIpv4(view.getUint32(ip + IPV4_DESTINATION))];
    const transport = this.#layers.transport[level]!;
    const protocol = this.#layers.protocol[level]!;
    const own = isIpv6 ? IPV6_HEADER + word(memory, ip + IPV6_PAYLOAD_LENGTH) : word(memory, ip + IPV4_TOTAL_LENGTH);
    const ipEnd = own === 0 ? start + length : ip + own;
    return `${source} > ${destination}  ${describeTransport(memory, transport, end, ipEnd, protocol)}`;
  }

  /** Microseconds since another edge saw the same inner packet; null when none did. */
  #since({ packet, seconds, nanoseconds, device }: LinePacket, level: number): number | null {
    const key = this.#identity(packet, level);
    const us = (seconds % 100_000) * 1e6 + nanoseconds / 1000;
    const before = this.#seen.get(key);
    if (before !== undefined && before.device !== device) {
      this.#seen.delete(key);
      return us >= before.us ? us - before.us : null;
    }
    if (this.#seen.size >= AWAITED) this.#seen.delete(this.#seen.keys().next().value ?? '');
    this.#seen.set(key, { device, us });
    return null;
  }

  /** What stays the same of a packet while it is carried: all but TTL, checksums and TOS. */
  #identity({ memory, end }: WirePacket, level: number): string {
    const layers = this.#layers;
    const ip = layers.ip[level]!;
    const isIpv6 = layers.isIpv6[level]!;
    const addresses = isIpv6 ? ip + IPV6_SOURCE : ip + IPV4_SOURCE;
    const transport = layers.transport[level]!;
    const parts = [layers.protocol[level]!, isIpv6 ? 0 : word(memory, ip + IPV4_ID)];
    parts.push(word(memory, ip + (isIpv6 ? IPV6_PAYLOAD_LENGTH : IPV4_TOTAL_LENGTH)));
    for (let at = addresses; at < addresses + (isIpv6 ? 32 : 8); at += 2) parts.push(word(memory, at));
    // Ports and TCP's sequence number; of ICMP type, identifier and number, but not the checksum.
    const from = Math.max(transport, 0);
    const words =
      layers.protocol[level] === IPPROTO_UDP
        ? [0, 2]
        : layers.protocol[level] === IPPROTO_TCP
          ? [0, 2, 4, 6, 8, 10]
          : [0, 4, 6];
    for (const offset of words) if (transport >= 0 && from + offset + 2 <= end) parts.push(word(memory, from + offset));
    return String.fromCharCode(...parts);
  }
}

function cutTo(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}~`;
}

/** A packet in words, each time with less. The inner addresses are on the overlay's line, too. */
function shorter(outer: string | null, inner: string, noted: string, outgoing: boolean): string[] {
  const withoutLength = (text: string): string => text.replace(/ \d+ B$/, '');
  const otherEnd = (text: string): string => text.replace(/^(\S+) > (\S+)/, outgoing ? '$2' : '$1');
  if (outer === null) return [`${inner}${noted}`, inner, otherEnd(inner), otherEnd(withoutLength(inner))];
  const content = inner.replace(/^\S+ > \S+ +/, '');
  const addresses = outer.replace(/ udp \d+$/, '');
  return [
    `${outer} | ${inner}${noted}`,
    `${outer} | ${inner}`,
    `${addresses} | ${content}${noted}`,
    `${addresses} | ${content}`,
    `${otherEnd(addresses)} | ${content}`,
    `${otherEnd(addresses)} | ${withoutLength(content)}`,
  ];
}

/** Nobody's ping: that it is a probe has to be there in the shortest line. */
function ofProbe(inner: string): string {
  return inner
    .replace(/echo request (\d+)$/, "weftd's probe $1")
    .replace(/echo reply (\d+)$/, "weftd's probe $1 answered");
}

/** "12:31:07.120441817", local time. */
export function timeOfDay({ seconds, nanoseconds }: Pick<LinePacket, 'seconds' | 'nanoseconds'>): string {
  return `${new Date(seconds * 1000).toTimeString().slice(0, 8)}.${String(nanoseconds).padStart(9, '0')}`;
}

function formatMicroseconds(us: number): string {
  return us < 10_000 ? `${Math.round(us)} us` : `${Math.round(us / 1000)} ms`;
}
