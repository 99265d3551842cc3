/** The main thread's side of one segment in a queue's memory: its record, its counters, and its part of the FDB. */
import { addressBytes, formatIp } from '../../addr/ip.ts';
import { formatMac } from '../../addr/mac.ts';
import { ipv4Mask, ipv6Mask } from '../../addr/prefix.ts';
import {
  CONFIG_AGEING,
  CONFIG_NOW,
  COUNTER_BLOCK,
  COUNTERS,
  LEARNED,
  LEARNED_EPOCH,
  LEARNED_EPOCH_MASK,
  LEARNED_INFO,
  LEARNED_INFO_SIZE,
  LEARNED_MOVES,
  LEARNED_REFUSED,
  LEARNED_SEEN,
  LEARNED_SEGMENT_SHIFT,
  LEARNED_SLOTS,
  PEER_EPOCH,
  PEER_SIZE,
  PEERS,
  SEGMENT_FAMILY,
  SEGMENT_FD,
  SEGMENT_HAS_TUNNEL6,
  SEGMENT_LEARNING,
  SEGMENT_MAC,
  SEGMENT_MTU,
  SEGMENT_NETWORK,
  SEGMENT_OWN4,
  SEGMENT_OWN4_MASK,
  SEGMENT_OWN6_HIGH,
  SEGMENT_OWN6_LOW,
  SEGMENT_OWN6_MASK_HIGH,
  SEGMENT_OWN6_MASK_LOW,
  SEGMENT_SIZE,
  SEGMENT_TUN_GRO,
  SEGMENT_TUN_USO,
  SEGMENT_TUNNEL4,
  SEGMENT_TUNNEL6,
  SEGMENT_USED,
  SEGMENT_VNET_HEADER,
  SEGMENT_VNI,
  SEGMENTS,
} from '../../fastpath/abi.ts';
import { FDB_MAC_SHIFT, FDB_PEER_MASK } from '../../fib/layout.ts';
import { VNET_SIZE } from '../../linux/virtio-net.ts';
import { countsOf } from '../counters.ts';
import type { LearnedNeighbor } from '../protocol.ts';
import type { FdbEntry, NeighborEntry, SegmentDevice, SegmentOptions } from '../segment.ts';
import { readStages } from '../stages.ts';
import type { DataplaneStats, PeerStats } from '../stats.ts';
import type { TableWriter } from './tables.ts';

export class SegmentRecord {
  /** 1 to MAX_SEGMENTS. */
  readonly number: number;
  readonly options: SegmentOptions;
  readonly #at: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #longs: BigUint64Array;
  #used = true;

  constructor(memory: WebAssembly.Memory, number: number, options: SegmentOptions) {
    this.number = number;
    this.options = options;
    this.#at = SEGMENTS + number * SEGMENT_SIZE;
    this.#buffer = memory.buffer;
    this.#words = new Int32Array(memory.buffer);
    this.#longs = new BigUint64Array(memory.buffer);
    this.#write();
  }

  #set(field: number, value: number): void {
    this.#words[(this.#at + field) / 4] = value;
  }

  #write(): void {
    const { networkNumber = 0, own, tunnel4, tunnel6, ethernet } = this.options;
    const at = this.#at;
    new Uint8Array(this.#buffer, at, SEGMENT_SIZE).fill(0);
    new Uint8Array(this.#buffer, COUNTERS + this.number * COUNTER_BLOCK, COUNTER_BLOCK).fill(0);
    this.#set(SEGMENT_FD, -1);
    if (own.ipv4 !== undefined) {
      this.#set(SEGMENT_OWN4, own.ipv4.address);
      this.#set(SEGMENT_OWN4_MASK, ipv4Mask(own.ipv4.length));
    }
    if (own.ipv6 !== undefined) {
      const mask = ipv6Mask(own.ipv6.length);
      const low = (1n << 64n) - 1n;
      const { address } = own.ipv6;
      this.#longs[(at + SEGMENT_OWN6_HIGH) / 8] = address >> 64n;
      this.#longs[(at + SEGMENT_OWN6_LOW) / 8] = address & low;
      this.#longs[(at + SEGMENT_OWN6_MASK_HIGH) / 8] = mask >> 64n;
      this.#longs[(at + SEGMENT_OWN6_MASK_LOW) / 8] = mask & low;
    }
    this.#set(SEGMENT_NETWORK, networkNumber);
    this.#set(SEGMENT_TUNNEL4, tunnel4 ?? 0);
    if (tunnel6 !== undefined) {
      this.#set(SEGMENT_HAS_TUNNEL6, 1);
      new Uint8Array(this.#buffer, at + SEGMENT_TUNNEL6, 16).set(addressBytes(tunnel6));
    }
    if (ethernet !== undefined) {
      this.#set(SEGMENT_VNI, ethernet.vni);
      this.#set(SEGMENT_FAMILY, ethernet.family);
      this.#set(SEGMENT_LEARNING, Number(ethernet.learning));
      this.#longs[(at + SEGMENT_MAC) / 8] = BigInt(ethernet.mac);
    }
    // Last: from here on the fast path may find it.
    Atomics.store(this.#words, (at + SEGMENT_USED) / 4, 1);
  }

  setDevice(device: SegmentDevice): void {
    this.#set(SEGMENT_VNET_HEADER, device.vnetHeader ? VNET_SIZE : 0);
    this.#set(SEGMENT_TUN_GRO, Number(device.tunGro));
    this.#set(SEGMENT_TUN_USO, Number(device.tunUso));
    this.#set(SEGMENT_MTU, device.mtu);
    Atomics.store(this.#words, (this.#at + SEGMENT_FD) / 4, device.fd);
  }

  /** Of the device, as long as there has been one. */
  get mtu(): number | undefined {
    return this.#words[(this.#at + SEGMENT_MTU) / 4] || undefined;
  }

  releaseDevice(): void {
    Atomics.store(this.#words, (this.#at + SEGMENT_FD) / 4, -1);
  }

  /** Until `release`: from then on its number may be given to another segment. */
  get used(): boolean {
    return this.#used;
  }

  /** The fast path finds it no more. */
  release(): void {
    this.#used = false;
    Atomics.store(this.#words, (this.#at + SEGMENT_USED) / 4, 0);
    Atomics.store(this.#words, (this.#at + SEGMENT_FD) / 4, -1);
  }

  /** Block 0 has what belongs to no segment: each shows it, for it may have been meant for any. */
  stats(peers: readonly PeerStats[]): DataplaneStats {
    const own = (COUNTERS + this.number * COUNTER_BLOCK) / 8;
    const counts = countsOf(({ index }) => Number(this.#longs[own + index]! + this.#longs[COUNTERS / 8 + index]!));
    return { ...counts, peers, stages: readStages(this.#longs.buffer) };
  }

  fdb(tables: TableWriter): FdbEntry[] {
    if (this.options.ethernet === undefined) return [];
    const peers = tables.peersOf(this.number);
    const leased = peers.flatMap(({ peer }): FdbEntry[] => {
      if (peer.vtep === undefined) return [];
      const entry = { mac: formatMac(peer.vtep.mac), vtep: formatIp(peer.address) };
      return [{ ...entry, origin: 'lease', ageSeconds: null, moves: 0, refusedMoves: 0 }];
    });
    return [...leased, ...this.#learned(new Map(peers.map(({ number, peer }) => [number, formatIp(peer.address)])))];
  }

  /** The worker writes the table meanwhile: an entry may be missed or listed twice, never half. */
  #learned(vteps: ReadonlyMap<number, string>): FdbEntry[] {
    const keys = new BigUint64Array(this.#buffer, LEARNED, LEARNED_SLOTS);
    const halves = new Uint16Array(this.#buffer);
    const now = this.#words[CONFIG_NOW / 4]!;
    const entries: FdbEntry[] = [];
    for (const [slot, key] of keys.entries()) {
      if (key === 0n) continue;
      const info = LEARNED_INFO + slot * LEARNED_INFO_SIZE;
      const peer = Number(key & BigInt(FDB_PEER_MASK));
      const vtep = vteps.get(peer);
      const epoch = this.#words[(PEERS + peer * PEER_SIZE + PEER_EPOCH) / 4]! & LEARNED_EPOCH_MASK;
      const stamp = ((this.number << LEARNED_SEGMENT_SHIFT) | epoch) >>> 0;
      const ageSeconds = now - this.#words[(info + LEARNED_SEEN) / 4]!;
      if (vtep === undefined || this.#words[(info + LEARNED_EPOCH) / 4]! >>> 0 !== stamp) continue;
      if (ageSeconds > this.#words[CONFIG_AGEING / 4]!) continue;
      const moves = halves[(info + LEARNED_MOVES) / 2]!;
      const refusedMoves = halves[(info + LEARNED_REFUSED) / 2]!;
      entries.push({
        mac: formatMac(Number(key >> BigInt(FDB_MAC_SHIFT))),
        vtep,
        origin: 'learned',
        ageSeconds,
        moves,
        refusedMoves,
      });
    }
    return entries;
  }

  neighbors(tables: TableWriter, learned: readonly LearnedNeighbor[]): NeighborEntry[] {
    const peers = tables.peersOf(this.number);
    const leased = peers.flatMap(({ peer }): NeighborEntry[] => {
      if (peer.vtep === undefined) return [];
      const { mac, tunnel4, tunnel6 } = peer.vtep;
      const addresses = [tunnel4, tunnel6].filter((address) => address !== undefined);
      const entry = { mac: formatMac(mac), vtep: formatIp(peer.address), ageSeconds: null };
      return addresses.map((address) => ({ address: formatIp(address), ...entry, origin: 'lease' }));
    });
    const others = learned
      .filter(({ segment }) => segment === this.number)
      .flatMap(({ address, mac, peer, ageSeconds }): NeighborEntry[] => {
        const known = peers.find(({ number }) => number === peer);
        if (known === undefined) return [];
        return [{ address, mac, vtep: formatIp(known.peer.address), origin: 'learned', ageSeconds }];
      });
    return [...leased, ...others];
  }
}
