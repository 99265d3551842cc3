/** Socket options that more than one kind of socket has. socket(7), ip(7), ipv6(7). */
import type { Family } from '../addr/ip.ts';
import {
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
/** The values are the same for both families. */
const PMTUDISC_DONT = 0;
const PMTUDISC_DO = 2;

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

/**
 * Whether outer packets may be fragmented. Off (the normal state), IPv4 packets carry DF, and a packet of either family
 * that exceeds the path MTU fails with EMSGSIZE; IPv6 packets are never fragmented on their way, so off only stops our
 * own kernel.
 */
export function setFragmentation(fd: number, allowed: boolean, family: Family): void {
  const value = allowed ? PMTUDISC_DONT : PMTUDISC_DO;
  if (family === 4) setOption(fd, SOL_IP, IP_MTU_DISCOVER, value);
  else setOption(fd, SOL_IPV6, IPV6_MTU_DISCOVER, value);
}

/** From now on the kernel throws away what `filter` drops, before it is queued. Returns 0, or -1 with errno. */
export function attachFilter(fd: number, filter: PacketFilter): number {
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, FPROG_SIZE);
}
