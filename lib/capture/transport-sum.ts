/** Checksums of what IP packets carry, where a capture may show them before a NIC has finished them. */
import type { Ipv4 } from '../addr/ipv4.ts';
import type { Ipv6 } from '../addr/ipv6.ts';
import { foldSum, pseudoHeaderSum4, pseudoHeaderSum6 } from '../wire/checksum.ts';
import { checkIcmp, icmpChecksumIsValid } from '../wire/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { checkTcp, fillTcpChecksum, tcpChecksum, tcpChecksumIsValid } from '../wire/tcp.ts';
import { checkUdp, fillUdpChecksum, udpChecksum, udpChecksumIsValid, udpLength } from '../wire/udp.ts';
import type { IpPacket } from './ip-packet.ts';

/**
 * `none`: UDP's 0, nothing was computed. `unfinished`: the field holds the sum of the pseudo-header, which checksum offload
 * completes on the way out; a veth never does. `unchecked`: it cannot be told, of a fragment, of a packet whose bytes were not
 * all kept, of a protocol that is not looked into. `broken`: the header does not fit what carries it.
 */
export type Sum = 'right' | 'none' | 'unfinished' | 'unchecked' | 'wrong' | 'broken';

/** The sum of the pseudo-header over the packet's payload. */
function pseudoSumOf({ family, source, destination, protocol, payload, end }: IpPacket): number {
  const length = end - payload;
  // The family says which they are.
  return family === 4
    ? pseudoHeaderSum4(source as Ipv4, destination as Ipv4, protocol, length)
    : pseudoHeaderSum6(source as Ipv6, destination as Ipv6, protocol, length);
}

export function judgeSum(view: DataView, packet: IpPacket): Sum {
  const { protocol, payload, end, isFragment } = packet;
  if (isFragment || end > view.byteLength) return 'unchecked';
  const pseudoSum = pseudoSumOf(packet);
  switch (protocol) {
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      if (checkIcmp(view, payload, end) !== undefined) return 'broken';
      return icmpChecksumIsValid(view, payload, end, protocol === IPPROTO_ICMP ? 0 : pseudoSum) ? 'right' : 'wrong';
    case IPPROTO_TCP:
      if (checkTcp(view, payload, end) !== undefined) return 'broken';
      // Right first: one finished sum in 65,536 equals the pseudo-header's.
      if (tcpChecksumIsValid(view, payload, end, pseudoSum)) return 'right';
      return tcpChecksum(view, payload) === foldSum(pseudoSum) ? 'unfinished' : 'wrong';
    case IPPROTO_UDP: {
      if (checkUdp(view, payload, end) !== undefined || payload + udpLength(view, payload) !== end) return 'broken';
      const checksum = udpChecksum(view, payload);
      // Over IPv6 tunnels alone may do without, RFC 6935; that is for the caller to say.
      if (checksum === 0) return 'none';
      if (udpChecksumIsValid(view, payload, pseudoSum)) return 'right';
      return checksum === foldSum(pseudoSum) ? 'unfinished' : 'wrong';
    }
    default:
      return 'unchecked';
  }
}

/** Writes the sum that the NIC would have: of a packet whose sum is `unfinished`. */
export function finishSum(view: DataView, packet: IpPacket): void {
  const pseudoSum = pseudoSumOf(packet);
  if (packet.protocol === IPPROTO_TCP) fillTcpChecksum(view, packet.payload, packet.end, pseudoSum);
  else if (packet.protocol === IPPROTO_UDP) fillUdpChecksum(view, packet.payload, pseudoSum);
}
