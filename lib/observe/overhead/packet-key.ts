/**
 * What makes an inner packet the same one on both edges: all of its headers that no hop and no offload changes. A number, because
 * it is made for every packet.
 */
import { word } from '../../capture/layers.ts';
import { ICMP_HEADER } from '../../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP } from '../../wire/layout/ip.ts';
import {
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_ID,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOTAL_LENGTH,
} from '../../wire/layout/ipv4.ts';
import { IPV6_PAYLOAD_LENGTH, IPV6_SOURCE } from '../../wire/layout/ipv6.ts';

/** MF: include/net/ip.h, IP_MF. */
const IPV4_MORE_FRAGMENTS = 0x2000;
/** Ports, sequence and acknowledgement number. RFC 9293 §3.1. */
const TCP_IDENTITY = 12;
/** Of any other protocol: ports, or what stands in their place. */
const USUAL_IDENTITY = 8;

/** FNV-1a with 32 bits, twice with different beginnings. */
const PRIME = 0x0100_0193;

export class PacketKey {
  /** 53 bits. */
  value = 0;
  /** IPv4 identification where `value` leaves it out, as GRO does not keep it; -1 where it is in it, or there is none. */
  id = -1;
  #a = 0;
  #b = 0;

  /** Of the IP packet memory[ip, end), perhaps cut short. `transport`: where its transport header begins, -1 without. */
  read(memory: Uint8Array, ip: number, end: number, isIpv6: boolean, transport: number, protocol: number): void {
    this.#a = 0x811c_9dc5;
    this.#b = 0x1234_5677;
    this.id = -1;
    if (isIpv6) this.#bytes(memory, ip + IPV6_PAYLOAD_LENGTH, ip + IPV6_PAYLOAD_LENGTH + 2, end);
    else this.#ipv4(memory, ip, end);
    const addresses = ip + (isIpv6 ? IPV6_SOURCE : IPV4_SOURCE);
    this.#bytes(memory, addresses, addresses + (isIpv6 ? 32 : 8), end);
    this.#byte(protocol);
    if (transport >= 0) this.#transport(memory, transport, end, protocol);
    // The upper 21 bits of one, all 32 of the other: a double holds them exactly.
    this.value = (this.#a >>> 11) * 0x1_0000_0000 + (this.#b >>> 0);
  }

  #ipv4(memory: Uint8Array, ip: number, end: number): void {
    this.#bytes(memory, ip + IPV4_TOTAL_LENGTH, ip + IPV4_TOTAL_LENGTH + 2, end);
    this.#bytes(memory, ip + IPV4_PROTOCOL, ip + IPV4_PROTOCOL + 1, end);
    const fragment = word(memory, ip + IPV4_FLAGS_FRAGMENT);
    this.#byte((fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK)) >> 8);
    this.#byte(fragment & 0xff);
    if ((fragment & IPV4_DONT_FRAGMENT) === 0) this.#bytes(memory, ip + IPV4_ID, ip + IPV4_ID + 2, end);
    else this.id = word(memory, ip + IPV4_ID);
  }

  #transport(memory: Uint8Array, at: number, end: number, protocol: number): void {
    if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
      this.#bytes(memory, at, at + 2, end);
      // Behind the checksum.
      this.#bytes(memory, at + 4, at + ICMP_HEADER, end);
      return;
    }
    // A UDP header's checksum may be finished on one edge only.
    const length = protocol === IPPROTO_TCP ? TCP_IDENTITY : USUAL_IDENTITY - 2;
    this.#bytes(memory, at, at + length, end);
  }

  #bytes(memory: Uint8Array, from: number, to: number, end: number): void {
    for (let at = from; at < to && at < end; at++) this.#byte(memory[at]!);
  }

  #byte(value: number): void {
    this.#a = Math.imul(this.#a ^ value, PRIME);
    this.#b = Math.imul(this.#b ^ (value + 0x5b), PRIME);
  }
}
