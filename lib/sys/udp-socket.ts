/** The underlay's UDP socket. udp(7), ip(7), include/uapi/linux/udp.h. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { WeftError } from '../error.ts';
import { check, Errno, SyscallError } from './errno.ts';
import { bind, close, connect, errno, getsockopt, setsockopt, socket } from './ffi.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_RXQ_OVFL = 40;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_MTU = 14;
const IP_PMTUDISC_DONT = 0;
const IP_PMTUDISC_DO = 2;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;

/** sockaddr_in, 16 bytes: family in host order, port and address in network order. */
export function ipv4SocketAddress(address: Ipv4, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, address);
  return bytes;
}

/**
 * Opens a non-blocking UDP socket on `address`:`port` with buffers of `bufferBytes` (our choice is to force them past
 * net.core.rmem_max; without CAP_NET_ADMIN the kernel's limit holds). Outer packets carry DF.
 * Codes: PORT_BUSY, ADDRESS_NOT_LOCAL, or the errno's name.
 */
export function openUdpSocket(address: Ipv4, port: number, bufferBytes: number): number {
  const object = `UDP ${formatIpv4(address)}:${port}`;
  const fd = check(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', object);
  if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bufferBytes) < 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, bufferBytes);
  if (setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, bufferBytes) < 0) setOption(fd, SOL_SOCKET, SO_SNDBUF, bufferBytes);
  setOption(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  setFragmentation(fd, false);
  const name = ipv4SocketAddress(address, port);
  if (bind(fd, name, name.length) < 0) {
    const value = errno();
    close(fd);
    throw bindFailed(object, port, value);
  }
  return fd;
}

function bindFailed(object: string, port: number, value: number): WeftError {
  const cause = new SyscallError('bind', object, value);
  if (value === Errno.EADDRINUSE) {
    return new WeftError('PORT_BUSY', `Cannot bind ${object}: the port is in use`, {
      cause,
      hint: `see who holds it with "ss -lunp 'sport = :${port}'"; a kernel VXLAN device holds its port without a process`,
    });
  }
  if (value === Errno.EADDRNOTAVAIL) {
    return new WeftError('ADDRESS_NOT_LOCAL', `Cannot bind ${object}: this host has no such address`, {
      cause,
      hint: 'choose the interface with --iface',
    });
  }
  return cause;
}

function setOption(fd: number, level: number, name: number, value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return setsockopt(fd, level, name, bytes, 4);
}

function getOption(fd: number, level: number, name: number): number | undefined {
  const value = new Uint8Array(4);
  const length = Uint8Array.of(4, 0, 0, 0);
  if (getsockopt(fd, level, name, value, length) < 0) return undefined;
  return new DataView(value.buffer).getInt32(0, true);
}

/**
 * Whether outer packets may be fragmented. Off (the normal state) they carry DF, and one that exceeds the path MTU
 * fails with EMSGSIZE.
 */
export function setFragmentation(fd: number, allowed: boolean): void {
  setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO);
}

/** True if the kernel knows UDP_SEGMENT (Linux 4.18). Older kernels accept the set but not the get. */
export function hasUdpSegment(fd: number): boolean {
  return getOption(fd, SOL_UDP, UDP_SEGMENT) !== undefined;
}

/** Switches UDP_GRO on and reads it back: only Linux 5.12 and later answers, and earlier ones are known to misbehave. */
export function enableUdpGro(fd: number): boolean {
  return setOption(fd, SOL_UDP, UDP_GRO, 1) === 0 && getOption(fd, SOL_UDP, UDP_GRO) === 1;
}

/** The path MTU the kernel knows to a peer (sockaddr_in), or undefined. */
export function pathMtu(peer: Uint8Array): number | undefined {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const mtu = connect(fd, peer, peer.length) < 0 ? undefined : getOption(fd, IPPROTO_IP, IP_MTU);
  close(fd);
  return mtu;
}
