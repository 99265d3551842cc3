/** The main thread's side of routes and peers in a queue's memory: builds the FIB nobody reads, then names it. */
import type { Ipv4 } from '../addr/ipv4.ts';
import { formatIpv4 } from '../addr/ipv4.ts';
import { ipv4Prefix, type Prefix } from '../addr/prefix.ts';
import {
  CHUNKS,
  CHUNKS_SIZE,
  CONFIG_FIB_IN_USE,
  CONFIG_FIB_WANTED,
  FIB,
  FIB_CHUNK_SIZE,
  FIB_ROOT_SOURCES,
  FIB_ROOT4,
  FIB_ROOT6,
  FIB_SIZE,
  MAX_CHUNKS,
  MAX_PEERS,
  PEER_ADDRESS,
  PEER_ADDRESS_LENGTH,
  PEER_IN_BYTES,
  PEER_IN_PACKETS,
  PEER_OUT_BYTES,
  PEER_OUT_PACKETS,
  PEER_PUBLIC4,
  PEER_SIZE,
  PEERS,
} from '../fastpath/abi.ts';
import { addRoutes, type ChunkPool } from '../fib/trie.ts';
import type { PeerStats } from './stats.ts';

const ROOT_ENTRIES = 65536;

/** A peer and the prefixes behind it. */
export interface PeerRoutes {
  readonly publicIp: Ipv4;
  /** sockaddr to send to (lib/sys/udp-socket.ts). */
  readonly socketAddress: Uint8Array;
  readonly prefixes: readonly Prefix[];
}

export class FibWriter {
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #counters: BigUint64Array;
  /** Peer number of each PublicIP in the newest FIB. */
  #peers = new Map<Ipv4, number>();
  /** Numbers whose peers left: reusable once the worker reads the FIB that no longer names them. */
  #retired: number[] = [];
  #free: number[] = [];
  #nextPeer = 1;
  #generation = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#buffer = memory.buffer;
    this.#words = new Int32Array(memory.buffer);
    this.#counters = new BigUint64Array(memory.buffer);
  }

  /** True if the worker reads the newest FIB, so that the other one may be rebuilt. */
  get ready(): boolean {
    return Atomics.load(this.#words, CONFIG_FIB_IN_USE / 4) === this.#generation;
  }

  /**
   * Builds the FIB for `routes` and makes it the one to read. Call only when `ready`; wake the worker afterwards.
   * Returns the prefixes that found no room.
   */
  replace(routes: readonly PeerRoutes[]): Prefix[] {
    this.#free.push(...this.#retired);
    this.#retired = [];
    const next = this.#generation + 1;
    const fib = FIB + (next & 1) * FIB_SIZE;
    const root = (offset: number) => new Uint16Array(this.#buffer, fib + offset, ROOT_ENTRIES).fill(0);
    const pool: ChunkPool = {
      chunks: new Uint16Array(this.#buffer, CHUNKS + (next & 1) * CHUNKS_SIZE, (MAX_CHUNKS * FIB_CHUNK_SIZE) / 2),
      used: 0,
    };
    const { numbered, rejected } = this.#number(routes);
    const all = numbered.flatMap(({ peer, route }) => route.prefixes.map((prefix) => ({ prefix, next: peer })));
    const sources = numbered.map(({ peer, route }) => ({ prefix: ipv4Prefix(route.publicIp, 32), next: peer }));
    // Sources first: a peer whose datagrams we could not recognise would be of no use.
    addRoutes(root(FIB_ROOT_SOURCES), pool, sources);
    const full = [
      ...addRoutes(
        root(FIB_ROOT4),
        pool,
        all.filter((route) => route.prefix.family === 4),
      ),
      ...addRoutes(
        root(FIB_ROOT6),
        pool,
        all.filter((route) => route.prefix.family === 6),
      ),
    ];
    this.#generation = next;
    Atomics.store(this.#words, CONFIG_FIB_WANTED / 4, next);
    return [...rejected, ...full.map((route) => route.prefix)];
  }

  /** Gives each route's peer its number; peers that stay keep theirs, and so their counters. */
  #number(routes: readonly PeerRoutes[]): { numbered: { peer: number; route: PeerRoutes }[]; rejected: Prefix[] } {
    const before = this.#peers;
    const peers = new Map<Ipv4, number>();
    const numbered: { peer: number; route: PeerRoutes }[] = [];
    const rejected: Prefix[] = [];
    for (const route of routes) {
      const peer = peers.get(route.publicIp) ?? before.get(route.publicIp) ?? this.#take(route);
      if (peer === undefined) {
        rejected.push(...route.prefixes);
        continue;
      }
      peers.set(route.publicIp, peer);
      numbered.push({ peer, route });
    }
    for (const [publicIp, peer] of before) if (!peers.has(publicIp)) this.#retired.push(peer);
    this.#peers = peers;
    return { numbered, rejected };
  }

  /** Writes a new peer's record. No FIB names the number yet, so the worker does not look at it. */
  #take(route: PeerRoutes): number | undefined {
    const peer = this.#free.pop() ?? (this.#nextPeer <= MAX_PEERS ? this.#nextPeer++ : undefined);
    if (peer === undefined) return undefined;
    const at = PEERS + peer * PEER_SIZE;
    const record = new Uint8Array(this.#buffer, at, PEER_SIZE).fill(0);
    record.set(route.socketAddress, PEER_ADDRESS);
    this.#words[(at + PEER_PUBLIC4) / 4] = route.publicIp;
    this.#words[(at + PEER_ADDRESS_LENGTH) / 4] = route.socketAddress.length;
    return peer;
  }

  peerStats(): PeerStats[] {
    return [...this.#peers].map(([publicIp, peer]) => {
      const counter = (offset: number) => Number(this.#counters[(PEERS + peer * PEER_SIZE + offset) / 8]);
      return {
        publicIp: formatIpv4(publicIp),
        outboundPackets: counter(PEER_OUT_PACKETS),
        outboundBytes: counter(PEER_OUT_BYTES),
        inboundPackets: counter(PEER_IN_PACKETS),
        inboundBytes: counter(PEER_IN_BYTES),
      };
    });
  }
}
