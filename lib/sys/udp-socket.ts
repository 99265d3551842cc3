/** The underlay's UDP sockets. udp(7), ip(7), ipv6(7), include/uapi/linux/{udp,in,in6}.h. */
import { type Family, familyOf, type IpAddress } from '../addr/ip.ts';
import { AF_INET, AF_INET6, SOCKADDR_IN_SIZE, SOCKADDR_IN6_SIZE } from '../linux/sockaddr.ts';
import {
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_IP,
  SOL_IPV6,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from '../linux/socket.ts';
import { bindFailed } from './bind-error.ts';
import { check } from './errno.ts';
import { bind, close, connect, errno, socket } from './ffi.ts';
import { dropAll } from './packet-filter.ts';
import { formatEndpoint, socketAddress, socketAddressFamily } from './socket-address.ts';
import {
  attachFilter,
  Fragmentation,
  getOption,
  reportErrors,
  reportOverflow,
  setFragmentation,
  setOption,
  setReceiveBuffer,
  setSendBuffer,
} from './socket-option.ts';

const IP_RECVTOS = 13;
const IP_MTU = 14;
const IPV6_MTU = 24;
const IPV6_V6ONLY = 26;
const IPV6_RECVTCLASS = 66;

/**
 * Opens a non-blocking UDP socket on `address`:`port` with buffers of `bufferBytes` (our choice is to force them past
 * net.core.rmem_max; without CAP_NET_ADMIN the kernel's limit holds). Outer packets are not fragmented
 * (Fragmentation.probing), and ICMP errors about them wait to be read. Each datagram read carries its TOS or traffic class
 * (IP_TOS, IPV6_TCLASS) and the overflow counter.
 * Codes: PORT_BUSY, ADDRESS_NOT_LOCAL, or the errno's name.
 */
export function openUdpSocket(address: IpAddress, port: number, bufferBytes: number): number {
  return openBound(address, port, (fd, family) => {
    setReceiveBuffer(fd, bufferBytes);
    setSendBuffer(fd, bufferBytes);
    reportOverflow(fd);
    reportErrors(fd, family);
    if (family === 4) setOption(fd, SOL_IP, IP_RECVTOS, 1);
    else setOption(fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
  });
}

/**
 * Opens `count` sockets to send from, each on a port of the kernel's choice (net.ipv4.ip_local_port_range): VXLAN's outer
 * source port is a hash of the inner flow, and a socket has one port. They receive nothing: what is sent to their ports
 * is thrown away before it is queued. Over IPv4 routers may fragment what they send (Fragmentation.byRouters), as what the
 * kernel's VXLAN device sends: a path that is narrower than believed, and whose ICMP errors are filtered, carries it. Otherwise
 * as openUdpSocket; when one fails, none stays open.
 */
export function openSendPool(address: IpAddress, count: number, bufferBytes: number): number[] {
  const pool: number[] = [];
  try {
    while (pool.length < count) pool.push(openSender(address, bufferBytes));
  } catch (error) {
    for (const fd of pool) close(fd);
    throw error;
  }
  return pool;
}

function openSender(address: IpAddress, bufferBytes: number): number {
  return openBound(address, 0, (fd, family) => {
    // Not Fragmentation.allowed: our kernel would fragment for a path MTU that anybody's ICMP error may have set, and fail trains.
    if (family === 4) setFragmentation(fd, Fragmentation.byRouters, family);
    else reportErrors(fd, family);
    setSendBuffer(fd, bufferBytes);
    // Before bind, so that no datagram comes in between.
    check(attachFilter(fd, dropAll()), 'setsockopt SO_ATTACH_FILTER', 'UDP socket');
  });
}

function openBound(address: IpAddress, port: number, configure: (fd: number, family: Family) => void): number {
  const family = familyOf(address);
  const object = `UDP ${formatEndpoint(address, port)}`;
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = check(socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', object);
  try {
    // An IPv6 socket would take IPv4 datagrams too, and hold their port.
    if (family === 6) check(setOption(fd, SOL_IPV6, IPV6_V6ONLY, 1), 'setsockopt IPV6_V6ONLY', object);
    setFragmentation(fd, Fragmentation.probing, family);
    configure(fd, family);
    const name = socketAddress(address, port);
    if (bind(fd, name, name.length) < 0) throw bindFailed(object, family, port, errno());
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

/** True if the kernel knows UDP_SEGMENT (Linux 4.18). Older kernels accept the set but not the get. */
export function hasUdpSegment(fd: number): boolean {
  return getOption(fd, SOL_UDP, UDP_SEGMENT) !== undefined;
}

/** Switches UDP_GRO on and reads it back: only Linux 5.12 and later answers, and earlier ones are known to misbehave. */
export function enableUdpGro(fd: number): boolean {
  return setOption(fd, SOL_UDP, UDP_GRO, 1) === 0 && getOption(fd, SOL_UDP, UDP_GRO) === 1;
}

/** The path MTU the kernel knows to a peer (made by socketAddress), bytes, with the outer IP header; undefined without a route. */
export function pathMtu(peer: Uint8Array): number | undefined {
  const isIpv4 = socketAddressFamily(peer) === 4;
  const fd = socket(isIpv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const connected = connect(fd, peer, isIpv4 ? SOCKADDR_IN_SIZE : SOCKADDR_IN6_SIZE) === 0;
  const mtu = connected ? getOption(fd, isIpv4 ? SOL_IP : SOL_IPV6, isIpv4 ? IP_MTU : IPV6_MTU) : undefined;
  close(fd);
  return mtu;
}
