/**
 * The underlay's socket for IP in IP (RFC 2003): raw(7), protocol 4. The kernel's ipip module knows no IPv6 in it; that is
 * protocol 41.
 */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { WeftError } from '../error.ts';
import { AF_INET } from '../linux/sockaddr.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../linux/socket.ts';
import { IPPROTO_IPIP } from '../wire/layout/ip.ts';
import { bindFailed } from './bind-error.ts';
import { Errno, SyscallError } from './errno.ts';
import { bind, close, errno, socket } from './ffi.ts';
import { socketAddress } from './socket-address.ts';
import {
  Fragmentation,
  reportErrors,
  reportOverflow,
  setFragmentation,
  setReceiveBuffer,
  setSendBuffer,
} from './socket-option.ts';

/**
 * Opens a non-blocking raw socket for IP protocol 4 on `address`, with buffers of `bufferBytes` (forced past
 * net.core.rmem_max with CAP_NET_ADMIN). To send, an inner packet alone: the kernel writes the outer header, with DF, and
 * reports EMSGSIZE for what exceeds the MTU of the interface. ICMP errors wait to be read. What is received is whole and
 * reassembled, the outer header first; each datagram carries the overflow counter. Unlike a UDP port, a protocol is never busy:
 * every socket and device gets its copy.
 * Codes: NOT_PERMITTED (CAP_NET_RAW), ADDRESS_NOT_LOCAL, or the errno's name.
 */
export function openIpipSocket(address: Ipv4, bufferBytes: number): number {
  const object = `IP protocol 4 on ${formatIpv4(address)}`;
  const fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_IPIP);
  if (fd < 0) throw socketFailed(object, errno());
  try {
    setReceiveBuffer(fd, bufferBytes);
    setSendBuffer(fd, bufferBytes);
    reportOverflow(fd);
    reportErrors(fd, 4);
    setFragmentation(fd, Fragmentation.probing, 4);
    const name = socketAddress(address, 0);
    if (bind(fd, name, name.length) < 0) throw bindFailed(object, 4, 0, errno());
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

function socketFailed(object: string, value: number): WeftError {
  const cause = new SyscallError('socket', object, value);
  if (value !== Errno.EPERM) return cause;
  return new WeftError('NOT_PERMITTED', `Not permitted to open a raw socket for ${object}: ${cause.message}`, {
    cause,
    hint: 'run as root, or give the process CAP_NET_RAW',
  });
}
