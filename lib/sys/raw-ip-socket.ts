/** Packets whose IP header is the caller's own: raw(7), IPPROTO_RAW. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { WeftError } from '../error.ts';
import { AF_INET } from '../linux/sockaddr.ts';
import { SOCK_CLOEXEC, SOCK_RAW } from '../linux/socket.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { close, errno, sendto, socket } from './ffi.ts';
import { socketAddress } from './socket-address.ts';

/** include/uapi/linux/in.h */
const IPPROTO_RAW = 255;

/**
 * Sends one IPv4 packet, routed by the kernel as its own are, from the network namespace the calling thread is in. The kernel
 * fills in what is zero of identification and source, and the header's checksum. Codes: NOT_PERMITTED (CAP_NET_RAW), or the
 * errno's name: EMSGSIZE when it is longer than the MTU of the device it would leave by, ENETUNREACH without a route, EPERM
 * where a firewall of this host drops it.
 */
export function sendRawIpv4(packet: Uint8Array, destination: Ipv4): void {
  const object = `a packet to ${formatIpv4(destination)}`;
  const fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) throw openFailed(object, errno());
  try {
    const address = socketAddress(destination, 0);
    check(sendto(fd, packet, packet.length, 0, address, address.length), 'sendto', object);
  } finally {
    close(fd);
  }
}

function openFailed(object: string, value: number): WeftError {
  const cause = new SyscallError('socket', object, value);
  if (value !== Errno.EPERM && value !== Errno.EACCES) return cause;
  return new WeftError('NOT_PERMITTED', `Not permitted to send ${object}: ${cause.message}`, {
    cause,
    hint: 'run as root, or give the process CAP_NET_RAW',
  });
}
