/** Socket options that more than one kind of socket has. socket(7), ip(7), ipv6(7). */
import type { Family } from '../addr/ip.ts';
import {
  IP_RECVERR,
  IPV6_RECVERR,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RXQ_OVFL,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from '../linux/socket.ts';
import { getsockopt, setsockopt } from './ffi.ts';
import { FPROG_SIZE, type PacketFilter } from './packet-filter.ts';

const SO_ATTACH_FILTER = 26;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
const IPV6_MTU = 24;

/**
 * What becomes of an outer packet that is too long for the path: values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, which are
 * the same. IPv6 packets are never fragmented by routers, so for them it only says what our own kernel does.
 */
export const Fragmentation = {
  /** IP_PMTUDISC_DONT: DF is 0, and our own kernel fragments for the path MTU that it knows. */
  allowed: 0,
  /** IP_PMTUDISC_DO: DF is 1, and what exceeds the path MTU that the kernel knows fails with EMSGSIZE. */
  forbidden: 2,
  /**
   * IP_PMTUDISC_PROBE: DF is 1, and the path MTU that the kernel knows, which anybody's ICMP error may have set, is not looked
   * at. Only what exceeds the MTU of our own interface fails with EMSGSIZE.
   */
  probing: 3,
  /**
   * IP_PMTUDISC_INTERFACE: DF is 0, so routers may fragment, and no ICMP error is asked for or believed. Only what exceeds the
   * MTU of our own interface fails with EMSGSIZE. IPv4 only.
   */
  byRouters: 4,
} as const;

/** Sets an option whose value is an int. Returns 0, or -1 with errno. */
export function setOption(fd: number, level: number, name: number, value: number): number {
  return setsockopt(fd, level, name, new Uint8Array(Int32Array.of(value).buffer), 4);
}

/** An option whose value is an int; undefined when the kernel does not know it. */
export function getOption(fd: number, level: number, name: number): number | undefined {
  const value = new Int32Array(1);
  const length = new Uint8Array(Uint32Array.of(4).buffer);
  return getsockopt(fd, level, name, new Uint8Array(value.buffer), length) < 0 ? undefined : value[0];
}

/** A buffer of `bytes`, past net.core.rmem_max with CAP_NET_ADMIN, else up to it. Returns 0, or -1 with errno. */
export function setReceiveBuffer(fd: number, bytes: number): number {
  const forced = setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);
  return forced < 0 ? setOption(fd, SOL_SOCKET, SO_RCVBUF, bytes) : forced;
}

/** As setReceiveBuffer, with net.core.wmem_max. */
export function setSendBuffer(fd: number, bytes: number): number {
  const forced = setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
  return forced < 0 ? setOption(fd, SOL_SOCKET, SO_SNDBUF, bytes) : forced;
}

/** Each datagram read carries the number of those that found no room (SO_RXQ_OVFL). */
export function reportOverflow(fd: number): void {
  setOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
}

/** Sets what becomes of outer packets that are too long. */
export function setFragmentation(fd: number, value: number, family: Family): void {
  if (family === 4) setOption(fd, SOL_IP, IP_MTU_DISCOVER, value);
  else setOption(fd, SOL_IPV6, IPV6_MTU_DISCOVER, value);
}

/** What setFragmentation has set. */
export function fragmentationOf(fd: number, family: Family): number {
  const value = family === 4 ? getOption(fd, SOL_IP, IP_MTU_DISCOVER) : getOption(fd, SOL_IPV6, IPV6_MTU_DISCOVER);
  return value ?? Fragmentation.forbidden;
}

/** ICMP errors about what a socket sent are queued for whoever reads them; a send or receive fails once for each. */
export function reportErrors(fd: number, family: Family): void {
  if (family === 4) setOption(fd, SOL_IP, IP_RECVERR, 1);
  else setOption(fd, SOL_IPV6, IPV6_RECVERR, 1);
}

/** Our own kernel cuts what an IPv6 socket sends into fragments of `mtu` bytes, 1280 at least; 0: as the route says. */
export function setFragmentSize6(fd: number, mtu: number): void {
  setOption(fd, SOL_IPV6, IPV6_MTU, mtu);
}

/** From now on the kernel throws away what `filter` drops, before it is queued. Returns 0, or -1 with errno. */
export function attachFilter(fd: number, filter: PacketFilter): number {
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, FPROG_SIZE);
}
