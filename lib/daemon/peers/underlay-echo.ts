/** Pings on the underlay, of either family, where the host allows them. */
import { familyOf, type IpAddress } from '../../addr/ip.ts';
import type { Log } from '../../log.ts';
import { EchoSocket } from '../../sys/echo-socket.ts';

const SEQUENCES = 0x10000;

/** What a monitor asks of the underlay; tests have one of their own. */
export interface UnderlayPings {
  /** The number of the ping; undefined where none may be sent. */
  send(to: IpAddress): number | undefined;
  receive(): readonly { readonly sequence: number; readonly rttMs: number }[];
  close(): void;
}

export class UnderlayEcho implements UnderlayPings {
  readonly #log: Log;
  readonly #token: bigint;
  readonly #sockets = new Map<4 | 6, EchoSocket | undefined>();
  #sequence = 0;
  #said = false;

  constructor(log: Log, token: bigint) {
    this.#log = log;
    this.#token = token;
    this.#socketFor(4);
  }

  #socketFor(family: 4 | 6): EchoSocket | undefined {
    if (this.#sockets.has(family)) return this.#sockets.get(family);
    const socket = EchoSocket.open(family, this.#token);
    this.#sockets.set(family, socket);
    if (socket === undefined && !this.#said) {
      this.#said = true;
      this.#log.info(
        { hint: "CAP_NET_RAW, or a net.ipv4.ping_group_range with weftd's group, would let it" },
        'Peers are not pinged on the underlay: not permitted',
      );
    }
    return socket;
  }

  send(to: IpAddress): number | undefined {
    const socket = this.#socketFor(familyOf(to));
    if (socket === undefined) return undefined;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) % SEQUENCES;
    socket.send(to, sequence);
    return sequence;
  }

  receive(): readonly { readonly sequence: number; readonly rttMs: number }[] {
    return [...this.#sockets.values()].flatMap((socket) => socket?.receive() ?? []);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket?.close();
    this.#sockets.clear();
  }
}
