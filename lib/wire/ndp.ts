/**
 * Neighbor solicitation and advertisement, RFC 4861 §4.3, §4.4, §4.6.1. They are ICMPv6 messages: the first four bytes and the
 * checksum are lib/wire/icmp.ts's.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |  type 135|136 |   code (0)    |           checksum            |
 * |R|S|O|                        reserved                         |
 * |                       target, 16 bytes                        |
 * |  option type  | length in 8 B |   MAC address, 6 bytes ...    |
 *
 * R, S and O (router, solicited, override) are an advertisement's. A solicitation may hold the source's MAC address as option 1,
 * an advertisement the target's as option 2.
 */
import { formatIpv6, type Ipv6, isMulticast6 } from '../addr/ipv6.ts';
import { formatMac, type Mac } from '../addr/mac.ts';
import { pseudoHeaderSum6 } from './checksum.ts';
import { readMac, writeMac } from './ethernet.ts';
import { icmpChecksumIsValid, icmpCode, icmpType } from './icmp.ts';
import {
  checkIpv6,
  ipv6Destination,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6Source,
  readIpv6,
  writeIpv6,
} from './ipv6.ts';
import { ICMP_CHECKSUM, ICMP_CODE, ICMP_TYPE } from './layout/icmp.ts';
import { IPPROTO_ICMPV6 } from './layout/ip.ts';
import { IPV6_HEADER } from './layout/ipv6.ts';
import {
  NDP_ADVERTISEMENT,
  NDP_FLAGS,
  NDP_HOP_LIMIT,
  NDP_MESSAGE_MIN,
  NDP_OPTION_LENGTH,
  NDP_OPTION_MAC,
  NDP_OPTION_SOURCE_MAC,
  NDP_OPTION_TARGET_MAC,
  NDP_OPTION_TYPE,
  NDP_OPTION_UNIT,
  NDP_OPTIONS,
  NDP_OVERRIDE,
  NDP_ROUTER,
  NDP_SOLICITATION,
  NDP_SOLICITED,
  NDP_TARGET,
} from './layout/ndp.ts';
import type { WireProblem } from './problem.ts';

/** Options other than the MAC address of the kind the message may have (a nonce, RFC 3971 §5.3.2) are not kept. */
export interface NdpMessage {
  readonly type: typeof NDP_SOLICITATION | typeof NDP_ADVERTISEMENT;
  /** The three flags are false in a solicitation. */
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly target: Ipv6;
  /** The source's in a solicitation, the target's in an advertisement. */
  readonly mac: Mac | undefined;
}

/** Whether view[offset, end) is one of the two messages: type, code, lengths. */
export function checkNdp(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < NDP_MESSAGE_MIN) return 'truncated';
  const type = icmpType(view, offset);
  if (type !== NDP_SOLICITATION && type !== NDP_ADVERTISEMENT) return 'wrong-type';
  if (icmpCode(view, offset) !== 0) return 'wrong-type';
  for (let at = offset + NDP_OPTIONS; at < end; ) {
    if (end - at < NDP_OPTION_UNIT) return 'truncated';
    const length = optionLength(view, at);
    // Whoever skips such an option never gets anywhere; §4.6 has the whole packet discarded.
    if (length === 0) return 'bad-length';
    if (length > end - at) return 'truncated';
    at += length;
  }
  return undefined;
}

/**
 * Whether the IPv6 packet view[offset, end) is one of the two messages as every receiver must demand it: §7.1.1, §7.1.2. The
 * message must follow the IPv6 header directly; behind extension headers it is 'wrong-type'. What trails the packet is padding.
 */
export function checkNdpPacket(view: DataView, offset: number, end: number): WireProblem | undefined {
  const problem = checkIpv6(view, offset, end);
  if (problem !== undefined) return problem;
  if (ipv6NextHeader(view, offset) !== IPPROTO_ICMPV6) return 'wrong-type';
  const message = offset + IPV6_HEADER;
  const messageEnd = message + ipv6PayloadLength(view, offset);
  const inMessage = checkNdp(view, message, messageEnd);
  if (inMessage !== undefined) return inMessage;
  if (ipv6HopLimit(view, offset) !== NDP_HOP_LIMIT) return 'bad-hop-limit';
  const source = ipv6Source(view, offset);
  const destination = ipv6Destination(view, offset);
  const pseudo = pseudoHeaderSum6(source, destination, IPPROTO_ICMPV6, messageEnd - message);
  if (!icmpChecksumIsValid(view, message, messageEnd, pseudo)) return 'bad-checksum';
  return checkAddresses(view, message, messageEnd, source, destination);
}

function checkAddresses(
  view: DataView,
  message: number,
  messageEnd: number,
  source: Ipv6,
  destination: Ipv6,
): WireProblem | undefined {
  const { type, solicited, target, mac } = parseNdp(view, message, messageEnd);
  if (isMulticast6(target)) return 'bad-address';
  if (type === NDP_ADVERTISEMENT) return solicited && isMulticast6(destination) ? 'bad-address' : undefined;
  if (source !== 0n) return undefined;
  // Duplicate address detection: nobody has the source address yet, so no MAC address can be given for it.
  return mac === undefined && isSolicitedNode(destination) ? undefined : 'bad-address';
}

/** ff02::1:ff00:0/104, RFC 4291 §2.7.1. */
const isSolicitedNode = (address: Ipv6): boolean => address >> 24n === 0xff02_0000_0000_0000_0000_0001_ffn;

const optionLength = (view: DataView, at: number): number => view.getUint8(at + NDP_OPTION_LENGTH) * NDP_OPTION_UNIT;

const ndpTarget = (view: DataView, offset: number): Ipv6 => readIpv6(view, offset + NDP_TARGET);

/** The message view[offset, end), where the IPv6 packet ends. Call checkNdp or checkNdpPacket first. Of several MAC address options the first counts. */
export function parseNdp(view: DataView, offset: number, end: number): NdpMessage {
  const type = icmpType(view, offset) === NDP_SOLICITATION ? NDP_SOLICITATION : NDP_ADVERTISEMENT;
  const flags = type === NDP_ADVERTISEMENT ? view.getUint8(offset + NDP_FLAGS) : 0;
  return {
    type,
    router: (flags & NDP_ROUTER) !== 0,
    solicited: (flags & NDP_SOLICITED) !== 0,
    override: (flags & NDP_OVERRIDE) !== 0,
    target: ndpTarget(view, offset),
    mac: readMacOption(view, offset, end, macOption(type)),
  };
}

const macOption = (type: NdpMessage['type']): number =>
  type === NDP_SOLICITATION ? NDP_OPTION_SOURCE_MAC : NDP_OPTION_TARGET_MAC;

function readMacOption(view: DataView, offset: number, end: number, option: number): Mac | undefined {
  for (let at = offset + NDP_OPTIONS; at < end; at += optionLength(view, at))
    if (view.getUint8(at + NDP_OPTION_TYPE) === option && optionLength(view, at) === NDP_OPTION_UNIT)
      return readMac(view, at + NDP_OPTION_MAC);
  return undefined;
}

/** Writes the message with checksum 0 and returns its length, 24 or 32; `fillIcmpChecksum` completes it. */
export function emitNdp(view: DataView, offset: number, message: NdpMessage): number {
  view.setUint8(offset + ICMP_TYPE, message.type);
  view.setUint8(offset + ICMP_CODE, 0);
  view.setUint16(offset + ICMP_CHECKSUM, 0);
  const flags =
    (message.router ? NDP_ROUTER : 0) | (message.solicited ? NDP_SOLICITED : 0) | (message.override ? NDP_OVERRIDE : 0);
  view.setUint32(offset + NDP_FLAGS, flags * 0x100_0000);
  writeIpv6(view, offset + NDP_TARGET, message.target);
  if (message.mac === undefined) return NDP_MESSAGE_MIN;
  const option = offset + NDP_OPTIONS;
  view.setUint8(option + NDP_OPTION_TYPE, macOption(message.type));
  view.setUint8(option + NDP_OPTION_LENGTH, 1);
  writeMac(view, option + NDP_OPTION_MAC, message.mac);
  return NDP_MESSAGE_MIN + NDP_OPTION_UNIT;
}

/** "ICMPv6 neighbor solicitation for fd00::2 from 02:..:0a", "ICMPv6 neighbor advertisement fd00::2 is at 02:..:0b solicited override". */
export function formatNdp(message: NdpMessage): string {
  const target = formatIpv6(message.target);
  const mac = message.mac === undefined ? undefined : formatMac(message.mac);
  if (message.type === NDP_SOLICITATION)
    return `ICMPv6 neighbor solicitation for ${target}${mac === undefined ? '' : ` from ${mac}`}`;
  const words = [`ICMPv6 neighbor advertisement ${target}`];
  if (mac !== undefined) words.push(`is at ${mac}`);
  if (message.router) words.push('router');
  if (message.solicited) words.push('solicited');
  if (message.override) words.push('override');
  return words.join(' ');
}
