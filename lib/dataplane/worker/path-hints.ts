/**
 * Reads what ICMP errors said about our packets (IP_RECVERR, ip(7)): that one was too long for its path. Anybody may have sent
 * the error, so it goes to the main thread, which asks the path itself (docs/adr/0027).
 */
import type { IpAddress } from '../../addr/ip.ts';
import {
  EE_ERRNO,
  EE_INFO,
  EE_ORIGIN,
  EE_SIZE,
  IP_RECVERR,
  IPV6_RECVERR,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SOL_IP,
  SOL_IPV6,
} from '../../linux/socket.ts';
import { Errno } from '../../sys/errno.ts';
import { MessageReader } from '../../sys/message-reader.ts';

/** Errors read at once; more wait for the next turn. */
const MAX_ERRORS = 32;
/** Our choice: hints that are handed on in a second. A flood of forged ones must not keep the main thread busy. */
const HINTS_PER_SECOND = 20;
/** Our choice: of the packet that an error is about nothing is looked at. */
const PACKET_BYTES = 64;

export class PathHints {
  readonly #report: (peer: IpAddress, mtu: number) => void;
  readonly #reader = new MessageReader(PACKET_BYTES);
  #second = 0;
  #inSecond = 0;

  constructor(report: (peer: IpAddress, mtu: number) => void) {
    this.#report = report;
  }

  /** Empties the error queue of a socket. */
  read(fd: number, nowMs: number): void {
    for (let i = 0; i < MAX_ERRORS; i++) {
      if (this.#reader.receive(fd, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
      const mtu = this.#tooLong();
      if (mtu === undefined) continue;
      const second = Math.floor(nowMs / 1000);
      if (second !== this.#second) this.#inSecond = 0;
      this.#second = second;
      if (++this.#inSecond <= HINTS_PER_SECOND) this.#report(this.#reader.address, mtu);
    }
  }

  /** The MTU that the error speaks of; undefined for every other error. */
  #tooLong(): number | undefined {
    const { view } = this.#reader;
    const at =
      this.#reader.control(SOL_IP, IP_RECVERR, EE_SIZE) ?? this.#reader.control(SOL_IPV6, IPV6_RECVERR, EE_SIZE);
    if (at === undefined) return undefined;
    const origin = view.getUint8(at + EE_ORIGIN);
    const isIcmp = origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6;
    return isIcmp && view.getUint32(at + EE_ERRNO, true) === Errno.EMSGSIZE
      ? view.getUint32(at + EE_INFO, true)
      : undefined;
  }
}
