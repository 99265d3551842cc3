/** All that passes some edges, as it is on the wire, in the order of the kernel's stamps. */
import { setTimeout as delay } from 'node:timers/promises';
import { tunnelPorts } from '../capture/checks.ts';
import type { TunnelPorts } from '../capture/layers.ts';
import { WireCutter } from '../capture/wire-cut.ts';
import type { WirePacket } from '../capture/wire-packet.ts';
import { messageOf, WeftError } from '../error.ts';
import { compileFilter } from '../sys/libpcap.ts';
import type { FilterInstruction } from '../sys/packet-filter.ts';
import type { SeenFrame } from '../sys/packet-frame.ts';
import { PacketSocket, RING_RETIRE_MS } from '../sys/packet-socket.ts';
import { Readiness } from '../sys/readiness.ts';
import type { Edge } from './edges.ts';

/** One object for all packets of an edge: what it says holds during the call that it is given to. */
export interface EdgePacket {
  readonly edge: Edge;
  /** Of the edge, in the order they were given. */
  readonly number: number;
  readonly linkType: 1 | 101;
  /** What UDP ports carry there, by the edge's networks. */
  readonly tunnels: TunnelPorts;
  /** As the kernel has it, perhaps a super-packet or a train: its time, its direction. */
  readonly frame: SeenFrame;
  /** As it is on the wire. */
  readonly packet: WirePacket;
  /** What became of it, where that is known: "dropped: no-route". */
  readonly note?: string;
}

export interface EdgeCaptureOptions {
  /** Bytes of a packet that are wanted. */
  readonly snapLength: number;
  /** For each edge. Default 8 MiB. */
  readonly ringBytes?: number;
  /** pcap-filter(7) on the frame as it is on that edge, beside the edge's own. */
  readonly filter?: (edge: Edge) => string | undefined;
  /** The same as a program, instead of both. */
  readonly program?: (edge: Edge) => readonly FilterInstruction[];
  /** Super-packets and trains are left as the kernel has them, and checksums unfinished. */
  readonly raw?: boolean;
  readonly onPacket: (packet: EdgePacket) => void;
  /** Whoever gets the packets has no room now: they wait in the kernel's ring. */
  readonly isFull?: () => boolean;
  /** An edge's device was deleted; the others go on. */
  readonly onGone?: (edge: Edge, error: WeftError) => void;
}

/** A frame waits this long for an older one of another edge, whose block the kernel has not handed over yet. */
const HOLD_MS = RING_RETIRE_MS + 10;
/** Our choice: how long the kernel has for its last blocks. Two retire times when it is idle. */
const FINISH_MS = 1000;

/** Our choice: more than outer and inner headers take, IPv6 and options included. */
const HEADERS = 256;

/** Longer than any frame. */
const WHOLE = 0x4_0000;

/** Our choice: of a network that brings more than we can look at, signals and timers do not wait longer than this. */
const TURN_MS = 50;
/** Frames between two looks at the clock. */
const TURN_FRAMES = 16;

/** Our choice: a stamp that is later than now was given before the clock was set back. */
const AHEAD_MS = 100;

/** Our choice: 1.2 MB at 1 Gb/s, of a ring of 8 MiB or more. */
const REST_MS = 10;

/** Our choice: how often it is looked whether a device that was set down is deleted: the kernel reports the first alone. */
const DOWN_POLL_MS = 200;

interface Source {
  readonly edge: Edge;
  readonly socket: PacketSocket;
  readonly cutter: WireCutter;
  /** What onPacket gets, made once. */
  readonly seen: { -readonly [Key in keyof EdgePacket]: EdgePacket[Key] };
  readonly onPiece: (packet: WirePacket) => void;
  /** Super-packets and trains. */
  cut: number;
  gone: boolean;
}

export class EdgeCapture {
  readonly #sources: Source[];
  readonly #options: EdgeCaptureOptions;
  readonly #readiness: Readiness;
  #stopped = false;
  /** The last look ended before the frames did. */
  #hasMore = false;

  /**
   * Captures from now on. Throws what PacketSocket.open and compileFilter throw, NO_EDGES when there are none; then nothing stays
   * open.
   */
  static open(edges: readonly Edge[], options: EdgeCaptureOptions): EdgeCapture {
    if (edges.length === 0)
      throw new WeftError('NO_EDGES', 'No network has a device or an interface now', { hint: 'see weft status' });
    const sources: Source[] = [];
    try {
      for (const edge of edges) {
        sources.push(sourceOf(openEdge(edge, options), edge, sources.length, options));
      }
      // To map a ring takes milliseconds: what passed one edge meanwhile would seem to be lost before the other.
      for (const { socket } of sources) socket.startReceiving();
    } catch (error) {
      for (const { socket } of sources) socket.close();
      throw error;
    }
    return new EdgeCapture(sources, options);
  }

  /** For `open`. */
  constructor(sources: Source[], options: EdgeCaptureOptions) {
    this.#sources = sources;
    this.#options = options;
    this.#readiness = new Readiness(sources.map(({ socket }) => socket.fd));
  }

  get edges(): readonly { readonly edge: Edge; readonly linkType: 1 | 101 }[] {
    return this.#sources.map(({ edge, socket }) => ({ edge, linkType: socket.linkType }));
  }

  /** Hands frames over until `stop`, or until no edge is left. What came before `stop` is handed over, too. */
  async run(): Promise<void> {
    while (!this.isOver) {
      const holds = this.poll();
      if (!this.isOver) await this.wait(holds ? HOLD_MS : -1, holds);
    }
    await this.finish();
  }

  /** Whether it was stopped, or no edge is left. */
  get isOver(): boolean {
    return this.#stopped || this.#sources.every(({ gone }) => gone);
  }

  /**
   * Waits for packets, `stop`, or the time to be over; -1: for ever. `holds`, what `poll` said: packets are there, and are looked at
   * when they are due, so that a busy network does not mean a wake-up for each block.
   */
  async wait(timeoutMs: number, holds = false): Promise<void> {
    if (this.#hasMore) return nextTurn();
    if (holds) return this.#readiness.rest(Math.min(timeoutMs, REST_MS));
    const watched = this.#sources.some(({ gone, socket }) => !gone && socket.wasDown);
    return this.#readiness.wait(watched && (timeoutMs < 0 || timeoutMs > DOWN_POLL_MS) ? DOWN_POLL_MS : timeoutMs);
  }

  /** Hands over all that came until now: the kernel gives up a block that is not full a while after its first packet. */
  async finish(): Promise<void> {
    // Of a network that is never silent there would be no end.
    for (const { socket } of this.#sources) socket.stopReceiving();
    const endMs = performance.now() + FINISH_MS;
    for (;;) {
      const isLate = performance.now() > endMs;
      const isLeft = this.#handOver(Number.POSITIVE_INFINITY, !isLate);
      if (this.#options.isFull?.() === true) return;
      if (this.#hasMore) await nextTurn();
      else if (isLate || !isLeft) return;
      else await delay(RING_RETIRE_MS / 2);
    }
  }

  /** Hands over what is due, without waiting, for a while. Returns whether there is something left. */
  poll(): boolean {
    const holds = this.#handOver(Date.now() - HOLD_MS);
    for (const source of this.#sources) if (!source.gone) this.#checkDevice(source);
    return holds;
  }

  stop(): void {
    this.#stopped = true;
    this.#readiness.wake();
  }

  /** Of each edge since it was opened. */
  statistics(): EdgeCounts[] {
    return this.#sources.map(({ edge, socket, cut }) => ({ edge, cut, ...socket.statistics() }));
  }

  close(): void {
    this.#stopped = true;
    this.#readiness.close();
    for (const { socket } of this.#sources) socket.close();
  }

  /**
   * The oldest first. `dueMs`: younger ones have to wait while an edge has nothing to compare them with. `isEnd`: no more come,
   * and all wait for those that the kernel has counted and not handed over yet, which may be older.
   */
  #handOver(dueMs: number, isEnd = false): boolean {
    const sources = this.#sources;
    const aheadMs = dueMs + HOLD_MS + AHEAD_MS;
    const endMs = performance.now() + TURN_MS;
    this.#hasMore = false;
    for (let frames = 1; ; frames++) {
      if (this.#options.isFull?.() === true) return true;
      this.#hasMore = frames % TURN_FRAMES === 0 && performance.now() > endMs;
      if (this.#hasMore) return true;
      let first: Source | undefined;
      let complete = true;
      for (const source of sources) {
        const frame = source.socket.peek();
        if (frame === undefined) {
          if (isEnd && source.socket.untaken > 0) return true;
          if (!source.gone) complete = false;
          continue;
        }
        source.seen.frame = frame;
        if (first === undefined || isOlder(frame, first.seen.frame)) first = source;
      }
      if (first === undefined) return false;
      const { frame } = first.seen;
      const stampMs = frame.seconds * 1000 + frame.nanoseconds / 1e6;
      if (!complete && stampMs > dueMs && stampMs < aheadMs) return true;
      this.#handOn(first, frame);
      first.socket.take();
    }
  }

  #handOn(source: Source, frame: SeenFrame): void {
    const { cutter, onPiece } = source;
    if (this.#options.raw === true) {
      onPiece(cutter.whole(frame));
      return;
    }
    if (cutter.cut(frame, onPiece) > 1) source.cut++;
  }

  #checkDevice(source: Source): void {
    try {
      source.socket.checkDevice();
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      source.gone = true;
      this.#readiness.watch(this.#sources.filter(({ gone }) => !gone).map(({ socket }) => socket.fd));
      this.#options.onGone?.(source.edge, error);
    }
  }
}

export interface EdgeCounts {
  readonly edge: Edge;
  /** Frames that passed the filters, a super-packet once. */
  readonly received: number;
  /** Those of them the kernel had no room for. */
  readonly dropped: number;
  /** Super-packets and trains that were cut. */
  readonly cut: number;
}

function sourceOf(socket: PacketSocket, edge: Edge, number: number, options: EdgeCaptureOptions): Source {
  const { linkType } = socket;
  const tunnels = tunnelPorts(edge.networks.map(({ wire }) => wire));
  const cutter = new WireCutter(linkType, options.snapLength, tunnels);
  const seen: Source['seen'] = { edge, number, linkType, tunnels, frame: NOTHING, packet: NO_PACKET };
  const onPiece = (packet: WirePacket): void => {
    seen.packet = packet;
    options.onPacket(seen);
  };
  return { edge, socket, cutter, seen, onPiece, cut: 0, gone: false };
}

const NO_PACKET: WirePacket = {
  memory: new Uint8Array(0),
  start: 0,
  end: 0,
  bytes: new Uint8Array(0),
  length: 0,
  index: 0,
  of: 1,
  idRebuilt: false,
  checksumUnfinished: false,
  notCut: false,
};

const NOTHING: SeenFrame = {
  seconds: 0,
  nanoseconds: 0,
  memory: new Uint8Array(0),
  start: 0,
  end: 0,
  bytes: new Uint8Array(0),
  length: 0,
  outgoing: false,
  vnetFlags: 0,
  vnetGsoType: 0,
  vnetGsoSize: 0,
  vnetCsumStart: 0,
  vnetCsumOffset: 0,
};

/** Lets timers, signals and descriptors have their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isOlder(a: SeenFrame, b: SeenFrame): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.nanoseconds < b.nanoseconds);
}

function openEdge(
  edge: Edge,
  { snapLength, ringBytes, filter, program, raw = false }: EdgeCaptureOptions,
): PacketSocket {
  return PacketSocket.open({
    device: edge.device,
    netns: edge.netns,
    // The headers of a super-packet are those of all its pieces. Of a train, which may be shorter than the MTU, each datagram has
    // headers of its own.
    snapLength: edge.kind === 'underlay' && !raw ? WHOLE : Math.max(snapLength, HEADERS),
    snapAll: raw || (edge.kind === 'overlay' && snapLength <= HEADERS),
    filter: program === undefined ? compiled(edge, filter?.(edge) ?? '') : program(edge),
    waits: true,
    ...(ringBytes !== undefined && { ringBytes }),
  });
}

/** `own`: what was asked for beside the edge's own filter, '' nothing. */
function compiled(edge: Edge, own: string): FilterInstruction[] | undefined {
  const parts = [edge.filter, own].filter((part) => part !== '').map((part) => `(${part})`);
  if (parts.length === 0) return undefined;
  // A device's link type is known once it is open; an overlay's is what its encapsulation says.
  const encapsulation = edge.networks[0]?.wire.encapsulation;
  const linkType = edge.kind === 'underlay' || encapsulation === 'vxlan' ? 1 : 101;
  if (own !== '') compileFilter(own, linkType); // For its words about what the user wrote.
  return compileFilter(parts.join(' and '), linkType);
}

export function describeGone(edge: Edge, error: unknown): string {
  return `${messageOf(error)}: what passes ${edge.kind === 'overlay' ? 'the overlay' : 'the underlay'} there is not seen any more`;
}
