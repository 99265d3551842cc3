/**
 * ICMP echoes on the underlay: icmp(7). An unprivileged socket where net.ipv4.ping_group_range has our group, else a raw one
 * with CAP_NET_RAW. The round-trip time ends with the kernel's own stamp (SO_TIMESTAMPNS), so answers may be read late.
 */
import type { Family, IpAddress } from '../addr/ip.ts';
import { AF_INET, AF_INET6 } from '../linux/sockaddr.ts';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, SOL_SOCKET } from '../linux/socket.ts';
import { echoRest, emitIcmpHeader, fillIcmpChecksum, icmpEcho, parseIcmpHeader } from '../wire/icmp.ts';
import { ipv4HeaderLength } from '../wire/ipv4.ts';
import {
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_HEADER,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
} from '../wire/layout/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../wire/layout/ipv4.ts';
import { realtimeNs } from './clock.ts';
import { close, sendto, setsockopt, socket } from './ffi.ts';
import { MessageReader } from './message-reader.ts';
import { socketAddress } from './socket-address.ts';
import { setOption } from './socket-option.ts';

const SO_TIMESTAMPNS = 35;
/** Of ICMP_FILTER and ICMP6_FILTER, on raw sockets. */
const SOL_RAW = 255;
const FILTER = 1;
/** Token and time. */
const DATA = 16;
const MAX_ANSWERS = 256;

/** More than any answer of ours has, with an IPv4 header before it. */
const ANSWER_BYTES = 256;
/** struct timespec. */
const STAMP_SIZE = 16;

export interface Echo {
  readonly sequence: number;
  readonly rttMs: number;
}

export class EchoSocket {
  readonly #fd: number;
  readonly #family: Family;
  readonly #raw: boolean;
  readonly #token: bigint;
  readonly #reader = new MessageReader(ANSWER_BYTES);

  private constructor(fd: number, family: Family, raw: boolean, token: bigint) {
    this.#fd = fd;
    this.#family = family;
    this.#raw = raw;
    this.#token = token;
  }

  /** `token`: 64 bits that answers have to bring back. Undefined where we may not. */
  static open(family: Family, token: bigint): EchoSocket | undefined {
    const domain = family === 4 ? AF_INET : AF_INET6;
    const protocol = family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    for (const type of [SOCK_DGRAM, SOCK_RAW]) {
      const fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
      if (fd < 0) continue;
      setOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
      if (type === SOCK_RAW) passRepliesOnly(fd, family);
      return new EchoSocket(fd, family, type === SOCK_RAW, token);
    }
    return undefined;
  }

  /** `sequence`: 16 bits. What cannot be sent is lost, as on the way. */
  send(to: IpAddress, sequence: number): void {
    const bytes = new Uint8Array(ICMP_HEADER + DATA);
    const view = new DataView(bytes.buffer);
    const type = this.#family === 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
    emitIcmpHeader(view, 0, { type, code: 0, rest: echoRest(Number(this.#token & 0xffffn), sequence) });
    view.setBigUint64(ICMP_HEADER, this.#token);
    view.setBigUint64(ICMP_HEADER + 8, realtimeNs());
    // Over IPv6 the kernel does it.
    if (this.#family === 4) fillIcmpChecksum(view, 0, bytes.length, 0);
    const name = socketAddress(to, 0);
    sendto(this.#fd, bytes, bytes.length, MSG_DONTWAIT, name, name.length);
  }

  /** The answers that have come. */
  receive(): Echo[] {
    const echoes: Echo[] = [];
    for (let i = 0; i < MAX_ANSWERS; i++) {
      const size = this.#reader.receive(this.#fd, MSG_DONTWAIT);
      if (size < 0) break;
      const echo = this.#read(size);
      if (echo !== undefined) echoes.push(echo);
    }
    return echoes;
  }

  #read(size: number): Echo | undefined {
    const { view, start } = this.#reader;
    const header = this.#raw && this.#family === 4 && size >= IPV4_HEADER_MIN ? ipv4HeaderLength(view, start) : 0;
    const at = start + header;
    if (header + ICMP_HEADER + DATA > Math.min(size, ANSWER_BYTES)) return undefined;
    const icmp = parseIcmpHeader(view, at);
    if (icmp.type !== (this.#family === 4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) return undefined;
    if (view.getBigUint64(at + ICMP_HEADER) !== this.#token) return undefined;
    const tookNs = (this.#stamp() ?? realtimeNs()) - view.getBigUint64(at + ICMP_HEADER + 8);
    return { sequence: icmpEcho(icmp).sequence, rttMs: Math.max(0, Number(tookNs) / 1e6) };
  }

  /** When the kernel got it. SCM_TIMESTAMPNS has the number of SO_TIMESTAMPNS. */
  #stamp(): bigint | undefined {
    const { view } = this.#reader;
    const at = this.#reader.control(SOL_SOCKET, SO_TIMESTAMPNS, STAMP_SIZE);
    return at === undefined
      ? undefined
      : view.getBigUint64(at, true) * 1_000_000_000n + view.getBigUint64(at + 8, true);
  }

  close(): void {
    close(this.#fd);
  }
}

/** A raw socket gets every ICMP message of the host otherwise. include/uapi/linux/{icmp,icmpv6}.h */
function passRepliesOnly(fd: number, family: Family): void {
  if (family === 4) {
    setOption(fd, SOL_RAW, FILTER, ~(1 << ICMP_ECHO_REPLY));
    return;
  }
  const blocked = new Uint32Array(8).fill(0xffffffff);
  blocked[ICMPV6_ECHO_REPLY >> 5]! &= ~(1 << (ICMPV6_ECHO_REPLY & 31));
  setsockopt(fd, IPPROTO_ICMPV6, FILTER, new Uint8Array(blocked.buffer), 32);
}
