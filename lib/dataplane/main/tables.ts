/**
 * The main thread's side of peers and tables in a queue's memory: FIBs, leased FDB, flood lists. All are built in the half
 * nobody reads, then named; the worker takes the new half between two turns and says so.
 */
import { addressBytes, formatIp, type IpAddress } from '../../addr/ip.ts';
import type { Ipv4 } from '../../addr/ipv4.ts';
import type { Ipv6 } from '../../addr/ipv6.ts';
import { hostPrefix, type Prefix } from '../../addr/prefix.ts';
import {
  CHUNKS,
  CHUNKS_SIZE,
  CONFIG_TABLES_IN_USE,
  CONFIG_TABLES_WANTED,
  FIB_INNER4,
  FIB_INNER6,
  FIB_KINDS,
  FIB_OUTER4,
  FIB_OUTER6,
  MAX_CHUNKS,
  MAX_PEERS,
  PEER_ADDRESS,
  PEER_ADDRESS_LENGTH,
  PEER_EPOCH,
  PEER_IN_BYTES,
  PEER_IN_PACKETS,
  PEER_MAC,
  PEER_MAX_DATAGRAM,
  PEER_OUT_BYTES,
  PEER_OUT_PACKETS,
  PEER_SEGMENT,
  PEER_SIZE,
  PEER_SOCKET_MASK,
  PEER_SOCKETS,
  PEER_TUNNEL4,
  PEER_TUNNEL6,
  PEERS,
  TABLES,
  TABLES_FDB,
  TABLES_FDB_INDEX,
  TABLES_FLOOD,
  TABLES_FLOOD_INDEX,
  TABLES_PEERS,
  TABLES_ROOTS,
  TABLES_SIZE,
} from '../../fastpath/abi.ts';
import { buildFdb, fdbBucketsFor } from '../../fib/fdb.ts';
import { FDB_BUCKET_SLOTS, FIB_CHUNK_ENTRIES } from '../../fib/layout.ts';
import { buildFib, type ChunkPool, clearPool, type FibRoute } from '../../fib/trie.ts';
import type { SegmentPeer } from '../segment.ts';
import type { PeerStats } from '../stats.ts';

/** The sockets of one family that packets may leave by: numbers `first` to `first + mask`. */
export interface SendSockets {
  readonly first: number;
  readonly mask: number;
}

/** The peers of one segment. */
export interface SegmentTable {
  /** 1 to MAX_SEGMENTS. */
  readonly segment: number;
  readonly peers: readonly SegmentPeer[];
}

interface NumberedPeer {
  readonly number: number;
  readonly segment: number;
  readonly peer: SegmentPeer;
}

export interface RejectedPrefix {
  readonly segment: number;
  readonly prefix: Prefix;
}

export class TableWriter {
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #shorts: Uint16Array;
  readonly #longs: BigUint64Array;
  readonly #sockets: Readonly<Record<4 | 6, SendSockets>>;
  /** Peers in the newest tables, by what makes them who they are. */
  #peers = new Map<string, NumberedPeer>();
  /** By segment and underlay address. */
  #byAddress = new Map<string, NumberedPeer>();
  /** See limit. */
  readonly #limits = new Map<string, number>();
  /** Numbers whose peers left: reusable once the worker reads the tables that no longer name them. */
  #retired: number[] = [];
  #free: number[] = [];
  #nextPeer = 1;
  #generation = 0;

  constructor(memory: WebAssembly.Memory, sockets: Readonly<Record<4 | 6, SendSockets>>) {
    this.#buffer = memory.buffer;
    this.#words = new Int32Array(memory.buffer);
    this.#shorts = new Uint16Array(memory.buffer);
    this.#longs = new BigUint64Array(memory.buffer);
    this.#sockets = sockets;
  }

  /** True if the worker reads the newest tables, so that the other half may be rebuilt. */
  get ready(): boolean {
    return Atomics.load(this.#words, CONFIG_TABLES_IN_USE / 4) === this.#generation;
  }

  /**
   * Builds the tables of all segments and makes them the ones to read. Call only when `ready`; wake the worker afterwards.
   * Returns the prefixes that found no room.
   */
  replace(segments: readonly SegmentTable[]): RejectedPrefix[] {
    this.#free.push(...this.#retired);
    this.#retired = [];
    const next = this.#generation + 1;
    const tables = TABLES + (next & 1) * TABLES_SIZE;
    const pool: ChunkPool = {
      chunks: new Uint16Array(this.#buffer, CHUNKS + (next & 1) * CHUNKS_SIZE, MAX_CHUNKS * FIB_CHUNK_ENTRIES),
      used: 0,
    };
    clearPool(pool);
    new Uint8Array(this.#buffer, tables, TABLES_FLOOD).fill(0);
    const { numbered, rejected } = this.#number(segments);
    const named = new Uint8Array(this.#buffer, tables + TABLES_PEERS, (MAX_PEERS + 1) / 8);
    for (const { number } of numbered) named[number >> 3]! |= 1 << (number & 7);
    let flood = 0;
    let buckets = 0;
    for (const { segment } of segments) {
      const peers = numbered.filter((peer) => peer.segment === segment);
      for (const prefix of this.#writeFibs(pool, tables, segment, peers)) rejected.push({ segment, prefix });
      flood = this.#writeFloodList(tables, segment, peers, flood);
      buckets = this.#writeFdb(tables, segment, peers, buckets);
    }
    this.#generation = next;
    Atomics.store(this.#words, CONFIG_TABLES_WANTED / 4, next);
    return rejected;
  }

  #writeFibs(pool: ChunkPool, tables: number, segment: number, peers: readonly NumberedPeer[]): Prefix[] {
    const outer = (family: 4 | 6): FibRoute[] =>
      peers
        .map(({ number, peer }) => ({ prefix: hostPrefix(peer.address), next: number }))
        .filter(({ prefix }) => prefix.family === family);
    const inner = (family: 4 | 6): FibRoute[] =>
      peers.flatMap(({ number, peer }) =>
        peer.prefixes.filter((prefix) => prefix.family === family).map((prefix) => ({ prefix, next: number })),
      );
    const write = (kind: number, routes: readonly FibRoute[]): FibRoute[] => {
      const { root, rejected } = buildFib(pool, routes);
      this.#shorts[(tables + TABLES_ROOTS) / 2 + segment * FIB_KINDS + kind] = root;
      return rejected;
    };
    // Sources first: a peer whose datagrams we could not recognise would be of no use.
    write(FIB_OUTER4, outer(4));
    write(FIB_OUTER6, outer(6));
    return [...write(FIB_INNER4, inner(4)), ...write(FIB_INNER6, inner(6))].map(({ prefix }) => prefix);
  }

  #writeFloodList(tables: number, segment: number, peers: readonly NumberedPeer[], first: number): number {
    const index = (tables + TABLES_FLOOD_INDEX) / 4 + segment * 2;
    this.#words[index] = first;
    this.#words[index + 1] = peers.length;
    const list = (tables + TABLES_FLOOD) / 2 + first;
    for (const [i, { number }] of peers.entries()) this.#shorts[list + i] = number;
    return first + peers.length;
  }

  /** Returns the buckets that are taken with this segment's. */
  #writeFdb(tables: number, segment: number, peers: readonly NumberedPeer[], taken: number): number {
    const records = peers.flatMap(({ number, peer: { vtep } }) =>
      vtep === undefined ? [] : [{ mac: vtep.mac, peer: number }],
    );
    const buckets = fdbBucketsFor(records.length);
    const first = taken * FDB_BUCKET_SLOTS * 8;
    buildFdb(new BigUint64Array(this.#buffer, tables + TABLES_FDB + first, buckets * FDB_BUCKET_SLOTS), records);
    const index = (tables + TABLES_FDB_INDEX) / 4 + segment * 2;
    this.#words[index] = first;
    this.#words[index + 1] = buckets - 1;
    return taken + buckets;
  }

  /** Gives each peer its number; peers that stay keep theirs, and so their counters. */
  #number(segments: readonly SegmentTable[]): { numbered: NumberedPeer[]; rejected: RejectedPrefix[] } {
    const before = this.#peers;
    const peers = new Map<string, NumberedPeer>();
    const rejected: RejectedPrefix[] = [];
    for (const { segment, peers: wanted } of segments) {
      for (const peer of wanted) {
        const { mac, tunnel4, tunnel6 } = peer.vtep ?? {};
        const key = [segment, formatIp(peer.address), mac, tunnel4, tunnel6].join(' ');
        const number = peers.has(key) ? undefined : (before.get(key)?.number ?? this.#take());
        if (number === undefined) {
          rejected.push(...peer.prefixes.map((prefix) => ({ segment, prefix })));
          continue;
        }
        const numbered = { number, segment, peer };
        if (before.has(key)) this.#writeDevice(numbered);
        else this.#writePeer(numbered);
        peers.set(key, numbered);
      }
    }
    for (const [key, { number }] of before) if (!peers.has(key)) this.#retired.push(number);
    this.#peers = peers;
    this.#byAddress = new Map(
      [...peers.values()].map((numbered) => [`${numbered.segment} ${numbered.peer.address}`, numbered]),
    );
    return { numbered: [...peers.values()], rejected };
  }

  #take(): number | undefined {
    return this.#free.pop() ?? (this.#nextPeer <= MAX_PEERS ? this.#nextPeer++ : undefined);
  }

  /** Writes a new peer's record. No table names the number yet, so the worker does not look at it. */
  #writePeer({ number, segment, peer }: NumberedPeer): void {
    const at = PEERS + number * PEER_SIZE;
    const epoch = this.#words[(at + PEER_EPOCH) / 4]! + 1;
    const record = new Uint8Array(this.#buffer, at, PEER_SIZE).fill(0);
    record.set(peer.socketAddress, PEER_ADDRESS);
    this.#words[(at + PEER_EPOCH) / 4] = epoch;
    this.#words[(at + PEER_SEGMENT) / 4] = segment;
    this.#words[(at + PEER_MAX_DATAGRAM) / 4] = this.#limits.get(`${segment} ${peer.address}`) ?? 0;
    this.#words[(at + PEER_ADDRESS_LENGTH) / 4] = peer.socketAddress.length;
    const sockets = this.#sockets[typeof peer.address === 'bigint' ? 6 : 4];
    this.#shorts[(at + PEER_SOCKETS) / 2] = sockets.first;
    this.#shorts[(at + PEER_SOCKET_MASK) / 2] = sockets.mask;
    if (peer.vtep !== undefined) this.#longs[(at + PEER_MAC) / 8] = BigInt(peer.vtep.mac);
    this.#writeDevice({ number, segment, peer });
  }

  /** Also of a peer that stays: on a TUN it may have another subnet, and so another address, by now. */
  #writeDevice({ number, peer }: NumberedPeer): void {
    const { ipv4, ipv6 } = deviceOf(peer);
    const at = PEERS + number * PEER_SIZE;
    this.#words[(at + PEER_TUNNEL4) / 4] = ipv4 ?? 0;
    new Uint8Array(this.#buffer, at + PEER_TUNNEL6, 16).set(
      ipv6 === undefined ? new Uint8Array(16) : addressBytes(ipv6),
    );
  }

  /** The most a datagram to this peer may hold, in bytes; 0: as much as our interface takes. Holds for its later records too. */
  limit(segment: number, address: IpAddress, bytes: number): void {
    const key = `${segment} ${address}`;
    if (bytes > 0) this.#limits.set(key, bytes);
    else this.#limits.delete(key);
    const peer = this.#byAddress.get(key);
    if (peer !== undefined) this.#words[(PEERS + peer.number * PEER_SIZE + PEER_MAX_DATAGRAM) / 4] = Math.max(0, bytes);
  }

  /** The peer of a segment with this underlay address, in the newest tables. */
  peerAt(segment: number, address: IpAddress): { readonly number: number; readonly peer: SegmentPeer } | undefined {
    return this.#byAddress.get(`${segment} ${address}`);
  }

  /** The peers of a segment with their numbers. */
  peersOf(segment: number): { readonly number: number; readonly peer: SegmentPeer }[] {
    return [...this.#peers.values()].filter((numbered) => numbered.segment === segment);
  }

  peerStats(segment: number): PeerStats[] {
    return this.peersOf(segment).map(({ number, peer }) => {
      const counter = (offset: number) => Number(this.#longs[(PEERS + number * PEER_SIZE + offset) / 8]);
      return {
        publicIp: formatIp(peer.address),
        outboundPackets: counter(PEER_OUT_PACKETS),
        outboundBytes: counter(PEER_OUT_BYTES),
        inboundPackets: counter(PEER_IN_PACKETS),
        inboundBytes: counter(PEER_IN_BYTES),
      };
    });
  }

  /** The underlay address of peer `number`, if it is one now. */
  addressOf(number: number): string | undefined {
    for (const numbered of this.#peers.values()) {
      if (numbered.number === number) return formatIp(numbered.peer.address);
    }
    return undefined;
  }
}

/** Addresses of a peer's device. */
export function deviceOf({ vtep, device }: SegmentPeer): { ipv4: Ipv4 | undefined; ipv6: Ipv6 | undefined } {
  return vtep === undefined ? { ipv4: device?.ipv4, ipv6: device?.ipv6 } : { ipv4: vtep.tunnel4, ipv6: vtep.tunnel6 };
}
