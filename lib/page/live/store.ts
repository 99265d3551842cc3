/** What the page knows: the events of its server applied in their order. No element is made or read here. */
import type { Peer, StatusReply } from '../../control/protocol.ts';
import { printableAll } from '../../printable.ts';
import { type Hello, HISTORY, type PageEvents, type PageTick, PEER_HISTORY, type Sentence } from '../../ui/messages.ts';
import { PacketLog } from './packet-log.ts';
import { type Trouble, troubleOf } from './words.ts';

/**
 * Of the page to its server: `stale` when nothing came for a while, `unreachable` when it does not answer, `over` when it does not
 * know this page's cookie any more.
 */
export type Link = 'connecting' | 'live' | 'stale' | 'unreachable' | 'over';

/** What an event can change on the page. */
export type Part = 'state' | 'peers' | 'rates' | 'ticks' | 'packets' | 'tap';

const PARTS: Readonly<Record<keyof PageEvents, readonly Part[]>> = {
  hello: ['state', 'peers', 'rates', 'ticks', 'packets', 'tap'],
  status: ['state', 'peers'],
  peers: ['peers', 'rates'],
  tick: ['ticks', 'rates'],
  packets: ['packets'],
  gone: ['state', 'peers'],
  tap: ['tap'],
};

/** Bytes and packets a second, each way. */
interface Rates {
  readonly outBytes: number;
  readonly inBytes: number;
  readonly outPackets: number;
  readonly inPackets: number;
}

export interface PeerView {
  readonly peer: Peer;
  readonly trouble: Trouble | undefined;
  /** Of the last tick. */
  readonly rates: Rates;
  /** Bytes a second both ways, the mean of some seconds: what sorts and widens by it does not jump. */
  readonly busy: number;
}

const IDLE: Rates = { outBytes: 0, inBytes: 0, outPackets: 0, inPackets: 0 };

/** Our choice: the weight of the last tick in `busy`. */
const WEIGHT = 0.3;
/** Our choice: below it, in bytes a second, `busy` is nothing: a mean never ends. */
const LEAST_BUSY = 1;

/** Our choice: characters of a text; sentences with a list in them are longer than words. */
const MOST_TEXT = 2000;

/** Our choice: a tick a second comes, or one every few seconds with many peers. */
const STALE_MS = 8000;

export class Store {
  link: Link = 'connecting';
  hello: Hello | undefined;
  status: StatusReply | undefined;
  /** Why there is no news of the daemon; undefined: there is. */
  gone: Sentence | undefined;
  /** Why there is no packet list; null: there is one; undefined: not said yet. */
  tap: Sentence | null | undefined;
  total: PageTick['total'];
  readonly packets = new PacketLog();
  readonly #ticks: PageTick[] = [];
  readonly #peers = new Map<string, PeerView>();
  #startsAnew = false;
  #peersTold = false;
  #lastEventMs = 0;

  /** The oldest first; at most HISTORY, and of these PEER_HISTORY with peers. */
  get ticks(): readonly PageTick[] {
    return this.#ticks;
  }

  get peers(): ReadonlyMap<string, PeerView> {
    return this.#peers;
  }

  /** Time of the daemon's machine, ms since the epoch; undefined before the first tick. */
  get nowMs(): number | undefined {
    const last = this.#ticks.at(-1);
    return last === undefined ? undefined : Date.parse(last.at);
  }

  /** Returns what it changes. `nowMs` is of any clock that only rises. */
  apply<Name extends keyof PageEvents>(name: Name, value: PageEvents[Name], nowMs: number): readonly Part[] {
    this.#lastEventMs = nowMs;
    this.link = 'live';
    const apply: { [N in keyof PageEvents]: (value: PageEvents[N]) => void } = {
      hello: (hello) => this.#hello(hello),
      status: (status) => this.#status(status),
      peers: ({ changed, gone }) => this.#changePeers(readable(changed), readable(gone)),
      // Numbers: of its text, addresses choose a peer, and reasons are made readable where they are shown.
      tick: (tick) => this.#tick(tick),
      packets: (batch) => this.packets.add(readable(batch)),
      gone: (sentence) => {
        this.gone = readable(sentence);
      },
      tap: (sentence) => {
        this.tap = readable(sentence);
      },
    };
    apply[name](value);
    return PARTS[name];
  }

  /** Whether that made `link` another. */
  age(nowMs: number): boolean {
    if (this.link !== 'live' || nowMs - this.#lastEventMs < STALE_MS) return false;
    this.link = 'stale';
    return true;
  }

  /** Whole seconds since something came. */
  silentSeconds(nowMs: number): number {
    return Math.floor((nowMs - this.#lastEventMs) / 1000);
  }

  /** Of a peer, its last minute: bytes a second both ways, the oldest first. */
  minute(peer: Peer): number[] {
    const isIts = ({ publicIp }: { publicIp: string }): boolean =>
      publicIp === peer.publicIp || publicIp === peer.publicIpv6;
    return this.#ticks
      .slice(-PEER_HISTORY)
      .map(({ peers }) =>
        peers.filter(isIts).reduce((sum, { outboundBytes, inboundBytes }) => sum + outboundBytes + inboundBytes, 0),
      );
  }

  #hello(hello: Hello): void {
    const { history, ...rest } = hello;
    this.hello = { ...readable(rest), history: [] };
    this.#ticks.splice(0, this.#ticks.length, ...history);
    this.packets.clear();
    this.packets.add(this.hello.packets);
    // They are shown until those that follow are there.
    this.#startsAnew = true;
  }

  /** Whether no peers are none: before the daemon has answered, the server tells of none too. */
  get peersKnown(): boolean {
    return this.#peersTold && this.status !== undefined;
  }

  #status(status: StatusReply): void {
    this.status = readable(status);
    this.gone = undefined;
  }

  #changePeers(changed: readonly Peer[], gone: readonly string[]): void {
    if (this.#startsAnew) this.#peers.clear();
    this.#startsAnew = false;
    this.#peersTold = true;
    for (const subnet of gone) this.#peers.delete(subnet);
    for (const peer of changed) {
      const { rates = IDLE, busy = 0 } = this.#peers.get(peer.subnet) ?? {};
      this.#peers.set(peer.subnet, { peer, trouble: troubleOf(peer), rates, busy });
    }
  }

  #tick(tick: PageTick): void {
    this.gone = undefined;
    this.total = tick.total ?? this.total;
    this.#ticks.push(tick);
    if (this.#ticks.length > HISTORY) this.#ticks.shift();
    // What is older nobody asks for.
    const old = this.#ticks.length - 1 - PEER_HISTORY;
    if (old >= 0 && this.#ticks[old]!.peers.length > 0)
      this.#ticks[old] = { ...this.#ticks[old]!, peers: [], stages: null };
    const byAddress = ratesByAddress(tick.peers);
    for (const [subnet, view] of this.#peers) {
      const rates = ratesOf(view.peer, byAddress);
      if (rates === IDLE && view.rates === IDLE && view.busy === 0) continue;
      const mean = view.busy + WEIGHT * (rates.outBytes + rates.inBytes - view.busy);
      this.#peers.set(subnet, { ...view, rates, busy: mean < LEAST_BUSY ? 0 : mean });
    }
  }
}

/** Text from etcd, packets and errors as it may be shown. */
function readable<Value>(value: Value): Value {
  return printableAll(value, MOST_TEXT);
}

function ratesByAddress(peers: PageTick['peers']): ReadonlyMap<string, PageTick['peers'][number]> {
  return new Map(peers.map((each) => [each.publicIp, each]));
}

/** Over both of its addresses. */
function ratesOf({ publicIp, publicIpv6 }: Peer, byAddress: ReadonlyMap<string, PageTick['peers'][number]>): Rates {
  const parts = [publicIp, publicIpv6].flatMap((address) => (address === null ? [] : (byAddress.get(address) ?? [])));
  if (parts.length === 0) return IDLE;
  const sum = (of: (part: PageTick['peers'][number]) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    outBytes: sum((part) => part.outboundBytes),
    inBytes: sum((part) => part.inboundBytes),
    outPackets: sum((part) => part.outboundPackets),
    inPackets: sum((part) => part.inboundPackets),
  };
}
