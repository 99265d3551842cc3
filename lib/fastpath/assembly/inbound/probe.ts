// Probes (lib/wire/probe.ts): echoes between the devices of nodes. Answers to ours go to the main thread; those of other nodes
// are answered here, for what the kernel answers would have to be told from traffic on its way out. Neither reaches the device.
// Beside lib/wire/probe.ts: test/fastpath/probe.test.ts.
import {
  ANSWER_EPOCH,
  ANSWER_LENGTH,
  ANSWER_PEER,
  ANSWER_SEQUENCE,
  ANSWER_TIME,
  CONFIG_PROBE_ANSWERS,
  CONFIG_PROBE_ECHOES,
  CONFIG_PROBE_TOKEN,
  COUNT_IN_RECEIVED,
  COUNT_PROBES_ANSWERED,
  COUNT_PROBES_RECEIVED,
  ECHO_AT,
  ECHO_LENGTH,
  ECHO_PEER,
  MAX_PROBE_ECHOES,
  PEER_EPOCH,
  PEER_PROBES,
  PEER_TUNNEL4,
  PEER_TUNNEL6,
  PROBE_ANSWER_SIZE,
  PROBE_ANSWER_SLOTS,
  PROBE_ANSWERS,
  PROBE_ECHO_SIZE,
  PROBE_ECHOES,
  PROBE_NOW,
  SEGMENT_MAC,
  SEGMENT_OWN4,
  SEGMENT_OWN6_HIGH,
  SEGMENT_OWN6_LOW,
} from '../../abi';
import { count, peerAt, Segment } from '../context';
import { get16, get32, get64, put16, put32 } from '../packet/bytes';
import { fold, pseudoSum, sumBytes, word } from '../packet/checksum';
import {
  ETHERNET_DESTINATION,
  ETHERNET_SOURCE,
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER,
  ICMP_REST,
  ICMP_TYPE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV4_CHECKSUM,
  IPV4_DESTINATION,
  IPV4_DONT_FRAGMENT,
  IPV4_FLAGS_FRAGMENT,
  IPV4_HEADER_MIN,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOS,
  IPV4_TOTAL_LENGTH,
  IPV4_TTL,
  IPV6_DESTINATION,
  IPV6_HEADER,
  IPV6_HOP_LIMIT,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  PROBE_DATA,
  PROBE_IDENTIFIER,
  PROBE_MAGIC,
  PROBE_MAGIC_HIGH,
  PROBE_MAGIC_LOW,
  PROBE_TOKEN,
} from '../packet/layout';

const OUR_TTL: u32 = 64;
/** IP packets of our answers are no longer: what a large probe finds out is the way here, not the way back. */
const MAX_ANSWER: u32 = 128;

/** Is a checked packet for our own device, the base of our subnet? */
@inline
export function isForDevice(ip: usize): bool {
  const record = Segment.record;
  if (load<u8>(ip) >> 4 == 4) return get32(ip + IPV4_DESTINATION) == load<u32>(record, SEGMENT_OWN4);
  return (
    get64(ip + IPV6_DESTINATION) == load<u64>(record, SEGMENT_OWN6_HIGH) &&
    get64(ip + IPV6_DESTINATION + 8) == load<u64>(record, SEGMENT_OWN6_LOW)
  );
}

/**
 * Takes the checked packet of `total` bytes at `ip`, which `peer` sent to our device, if it is a probe or the answer to one of
 * ours; it has been counted as received, and is not then. `datagram`: where its encapsulation begins; `l2`: bytes of Ethernet
 * header before `ip`.
 */
export function takeProbe(ip: usize, total: u32, peer: u32, datagram: usize, l2: u32): bool {
  const isIpv4 = load<u8>(ip) >> 4 == 4;
  const header: u32 = isIpv4 ? IPV4_HEADER_MIN : IPV6_HEADER;
  if (peer == 0 || total < header + ICMP_HEADER + PROBE_DATA || !isEcho(ip, isIpv4)) return false;
  const icmp = ip + header;
  const data = icmp + ICMP_HEADER;
  if (get32(data + PROBE_MAGIC) != PROBE_MAGIC_HIGH || get32(data + PROBE_MAGIC + 4) != PROBE_MAGIC_LOW) return false;
  if (load<u8>(icmp, ICMP_CODE) != 0 || get16(icmp + ICMP_REST) != PROBE_IDENTIFIER) return false;
  const length = total - header;
  const sum = isIpv4 ? 0 : pseudoSum(ip, 6, IPPROTO_ICMPV6) + word(length);
  if (fold(sumBytes(icmp, length, sum)) != 0xffff) return false;
  const type = <u32>load<u8>(icmp, ICMP_TYPE);
  if (type == <u32>(isIpv4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) {
    if (load<u64>(data, PROBE_TOKEN) != load<u64>(CONFIG_PROBE_TOKEN)) return false;
    answered(peer, get16(icmp + ICMP_REST + 2), total);
  } else {
    if (!isFromDevice(ip, isIpv4, peer)) return false;
    const seen = peerAt(peer) + PEER_PROBES;
    store<u32>(seen, load<u32>(seen) + 1);
    count(COUNT_PROBES_RECEIVED, 1);
    if (load<u32>(CONFIG_PROBE_ECHOES) < <u32>MAX_PROBE_ECHOES) echo(ip, total, isIpv4, peer, datagram, l2);
  }
  count(COUNT_IN_RECEIVED, <u64>-1);
  return true;
}

/** ICMP in a packet without options and extension headers, that is no fragment. */
function isEcho(ip: usize, isIpv4: bool): bool {
  if (!isIpv4) {
    if (load<u8>(ip, IPV6_NEXT_HEADER) != IPPROTO_ICMPV6) return false;
    const type = <u32>load<u8>(ip, IPV6_HEADER + ICMP_TYPE);
    return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
  }
  if (load<u8>(ip) != 0x45 || load<u8>(ip, IPV4_PROTOCOL) != IPPROTO_ICMP) return false;
  if (get16(ip + IPV4_FLAGS_FRAGMENT) & ~IPV4_DONT_FRAGMENT) return false;
  const type = <u32>load<u8>(ip, IPV4_HEADER_MIN + ICMP_TYPE);
  return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
}

/** Is its source the device of `peer`? A pod behind it must not make traffic of its own pass uncounted. */
function isFromDevice(ip: usize, isIpv4: bool, peer: u32): bool {
  const record = peerAt(peer);
  if (isIpv4) return get32(ip + IPV4_SOURCE) == load<u32>(record, PEER_TUNNEL4);
  return (
    load<u64>(ip, IPV6_SOURCE) == load<u64>(record, PEER_TUNNEL6) &&
    load<u64>(ip, IPV6_SOURCE + 8) == load<u64>(record, PEER_TUNNEL6 + 8)
  );
}

function answered(peer: u32, sequence: u32, total: u32): void {
  const n = load<u32>(CONFIG_PROBE_ANSWERS);
  const slot = PROBE_ANSWERS + (n & (PROBE_ANSWER_SLOTS - 1)) * PROBE_ANSWER_SIZE;
  store<u32>(slot, peer, ANSWER_PEER);
  store<u32>(slot, load<u32>(peerAt(peer), PEER_EPOCH), ANSWER_EPOCH);
  store<u32>(slot, sequence, ANSWER_SEQUENCE);
  store<u32>(slot, total, ANSWER_LENGTH);
  store<f64>(slot, load<f64>(PROBE_NOW), ANSWER_TIME);
  atomic.store<u32>(CONFIG_PROBE_ANSWERS, n + 1);
  count(COUNT_PROBES_ANSWERED, 1);
}

/** Makes the datagram its own answer, in place, and lists it. */
function echo(ip: usize, total: u32, isIpv4: bool, peer: u32, datagram: usize, l2: u32): void {
  const header: u32 = isIpv4 ? IPV4_HEADER_MIN : IPV6_HEADER;
  const length = min(total, MAX_ANSWER);
  const icmp = ip + header;
  store<u8>(icmp, <u8>(isIpv4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY), ICMP_TYPE);
  store<u16>(icmp, 0, ICMP_CHECKSUM);
  if (isIpv4) {
    const source = load<u32>(ip, IPV4_SOURCE);
    store<u32>(ip, load<u32>(ip, IPV4_DESTINATION), IPV4_SOURCE);
    store<u32>(ip, source, IPV4_DESTINATION);
    store<u8>(ip, 0, IPV4_TOS);
    put16(ip + IPV4_TOTAL_LENGTH, length);
    store<u8>(ip, <u8>OUR_TTL, IPV4_TTL);
    store<u16>(ip, 0, IPV4_CHECKSUM);
    store<u16>(ip, <u16>~fold(sumBytes(ip, IPV4_HEADER_MIN, 0)), IPV4_CHECKSUM);
  } else {
    const source = v128.load(ip, IPV6_SOURCE);
    v128.store(ip, v128.load(ip, IPV6_DESTINATION), IPV6_SOURCE);
    v128.store(ip, source, IPV6_DESTINATION);
    put32(ip, 0x60000000);
    put16(ip + IPV6_PAYLOAD_LENGTH, length - IPV6_HEADER);
    store<u8>(ip, <u8>OUR_TTL, IPV6_HOP_LIMIT);
  }
  const sum = isIpv4 ? 0 : pseudoSum(ip, 6, IPPROTO_ICMPV6) + word(length - header);
  store<u16>(icmp, <u16>~fold(sumBytes(icmp, length - header, sum)), ICMP_CHECKSUM);
  if (l2) turnFrame(ip - l2);
  const n = load<u32>(CONFIG_PROBE_ECHOES);
  const slot = PROBE_ECHOES + n * PROBE_ECHO_SIZE;
  store<u32>(slot, <u32>datagram, ECHO_AT);
  store<u32>(slot, <u32>(ip - datagram) + length, ECHO_LENGTH);
  store<u32>(slot, peer, ECHO_PEER);
  store<u32>(CONFIG_PROBE_ECHOES, n + 1);
}

/** To whom it came from, from our device. */
function turnFrame(frame: usize): void {
  memory.copy(frame + ETHERNET_DESTINATION, frame + ETHERNET_SOURCE, 6);
  const mac = load<u64>(Segment.record, SEGMENT_MAC);
  put16(frame + ETHERNET_SOURCE, <u32>(mac >> 32));
  put32(frame + ETHERNET_SOURCE + 2, <u32>mac);
}
