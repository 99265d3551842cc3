/** The neighbours behind VTEPs, for each segment: from leases (the VTEPs' own devices) and from passing ARP and ND. */
import { addressBytes, formatIp, type IpAddress } from '../../../addr/ip.ts';
import { formatMac } from '../../../addr/mac.ts';
import {
  MAX_LEARNED,
  PEER_MAC,
  PEER_SIZE,
  PEER_TUNNEL4,
  PEER_TUNNEL6,
  PEERS,
  SEGMENT_OWN4,
  SEGMENT_OWN4_MASK,
  SEGMENT_OWN6_HIGH,
  SEGMENT_OWN6_LOW,
  SEGMENT_OWN6_MASK_HIGH,
  SEGMENT_SIZE,
  SEGMENTS,
  WAIT_FD,
} from '../../../fastpath/abi.ts';
import type { Fastpath } from '../../../fastpath/load.ts';
import type { LearnedNeighbor } from '../../protocol.ts';
import { answer, type KnownNeighbor, snoop } from './answer.ts';
import { NeighborHistory } from './history.ts';
import { NeighborTable } from './table.ts';

/** 16 bytes for an address that is looked up. */
const SCRATCH = WAIT_FD + 64;

export class NeighborTables {
  readonly #fastpath: Fastpath;
  readonly #words: Int32Array;
  readonly #longs: BigUint64Array;
  readonly #bytes: Uint8Array;
  readonly #tables = new Map<number, NeighborTable>();
  readonly #histories = new Map<number, NeighborHistory>();

  constructor(fastpath: Fastpath, memory: WebAssembly.Memory) {
    this.#fastpath = fastpath;
    this.#words = new Int32Array(memory.buffer);
    this.#longs = new BigUint64Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** What to do with ARP or neighbour discovery from the segment's device: see `answer`. */
  answer(segment: number, frame: Uint8Array, nowMs: number): Uint8Array | 'flood' | 'bad' {
    this.#fastpath.enterSegment(segment);
    const table = this.#table(segment);
    const history = this.#history(segment);
    const claim = snoop(frame);
    if (claim === undefined) return answer(frame, (address) => this.#known(table, address, nowMs));
    // Who speaks on this side is not behind a VTEP (any more).
    table.forget(claim.address);
    const news = history.isNews(claim.address, claim.mac, nowMs);
    const reply = answer(frame, (address) => {
      const leased = this.#leased(address);
      if (leased !== undefined) return leased;
      if (news || history.asksAgain(claim.mac, address, nowMs)) return undefined;
      const known = this.#known(table, address, nowMs);
      if (known !== undefined) history.answered(claim.mac, address, nowMs);
      return known;
    });
    if (reply === 'flood') history.announced(claim.address, claim.mac, nowMs);
    return reply;
  }

  /**
   * Learns from ARP or neighbour discovery that came from a VTEP of the segment; never of the addresses that leases give to the
   * devices of VTEPs, our own among them.
   */
  learn(segment: number, frame: Uint8Array, nowMs: number): void {
    const claim = snoop(frame);
    if (claim === undefined) return;
    this.#fastpath.enterSegment(segment);
    const peer = this.#fastpath.fdbLookup(BigInt(claim.mac));
    if (peer === 0 || this.#isOwn(segment, claim.address) || this.#leased(claim.address) !== undefined) return;
    const neighbor = { mac: claim.mac, peer, router: claim.router };
    if (this.#table(segment).learn(claim.address, neighbor, nowMs) === 'new') this.#makeRoom();
  }

  /** All segments together remember MAX_LEARNED neighbours; beyond, the one with the most forgets its oldest. */
  #makeRoom(): void {
    let total = 0;
    let largest: NeighborTable | undefined;
    for (const table of this.#tables.values()) {
      total += table.learned;
      if (largest === undefined || table.learned > largest.learned) largest = table;
    }
    if (total > MAX_LEARNED) largest?.forgetOldest();
  }

  forget(segment: number): void {
    this.#tables.delete(segment);
    this.#histories.delete(segment);
  }

  /** What was learned in all segments. */
  list(nowMs: number): LearnedNeighbor[] {
    return [...this.#tables].flatMap(([segment, table]) => {
      this.#fastpath.enterSegment(segment);
      return table
        .entries(nowMs)
        .filter(
          // A lease that came later wins.
          ({ address, mac, peer }) =>
            this.#fastpath.fdbLookup(BigInt(mac)) === peer && this.#leased(address) === undefined,
        )
        .map(({ address, mac, peer, learnedAt }) => ({
          segment,
          peer,
          address: formatIp(address),
          mac: formatMac(mac),
          ageSeconds: Math.floor((nowMs - (learnedAt ?? nowMs)) / 1000),
        }));
    });
  }

  #table(segment: number): NeighborTable {
    const known = this.#tables.get(segment);
    if (known !== undefined) return known;
    const table = new NeighborTable();
    this.#tables.set(segment, table);
    return table;
  }

  #history(segment: number): NeighborHistory {
    const known = this.#histories.get(segment);
    if (known !== undefined) return known;
    const history = new NeighborHistory();
    this.#histories.set(segment, history);
    return history;
  }

  /** Answered only while the FDB knows the way there: who is given a MAC address sends to it. */
  #known(table: NeighborTable, address: IpAddress, nowMs: number): KnownNeighbor | undefined {
    const leased = this.#leased(address);
    if (leased !== undefined) return leased;
    const learned = table.get(address, nowMs);
    if (learned === undefined || this.#fastpath.fdbLookup(BigInt(learned.mac)) !== learned.peer) return undefined;
    return learned;
  }

  /** The segment's own device: it has the base of our subnet. */
  #isOwn(segment: number, address: IpAddress): boolean {
    const at = SEGMENTS + segment * SEGMENT_SIZE;
    if (typeof address === 'number')
      return this.#words[(at + SEGMENT_OWN4_MASK) / 4] !== 0 && this.#words[(at + SEGMENT_OWN4) / 4]! >>> 0 === address;
    const own = (this.#longs[(at + SEGMENT_OWN6_HIGH) / 8]! << 64n) | this.#longs[(at + SEGMENT_OWN6_LOW) / 8]!;
    return this.#longs[(at + SEGMENT_OWN6_MASK_HIGH) / 8] !== 0n && own === address;
  }

  /** The device of a VTEP: a lease has its address. Hosts route, so for IPv6 it is a router. */
  #leased(address: IpAddress): KnownNeighbor | undefined {
    const peer = this.#lookup(address);
    if (peer === 0) return undefined;
    const at = PEERS + peer * PEER_SIZE;
    const mac = Number(this.#longs[(at + PEER_MAC) / 8]);
    if (mac === 0 || !this.#isTunnelOf(at, address)) return undefined;
    return { mac, router: true };
  }

  #lookup(address: IpAddress): number {
    if (typeof address === 'number') return this.#fastpath.lookup4(address);
    this.#bytes.set(addressBytes(address), SCRATCH);
    return this.#fastpath.lookup6(SCRATCH);
  }

  #isTunnelOf(at: number, address: IpAddress): boolean {
    if (typeof address === 'number') return this.#words[(at + PEER_TUNNEL4) / 4]! >>> 0 === address;
    const own = this.#bytes.subarray(at + PEER_TUNNEL6, at + PEER_TUNNEL6 + 16);
    return own.every((octet, i) => octet === this.#bytes[SCRATCH + i]);
  }
}
