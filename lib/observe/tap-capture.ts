/** What weftd did with packets that no interface shows: those it dropped, by its tap. */
import { tunnelPorts } from '../capture/checks.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../capture/link-type.ts';
import type { WirePacket } from '../capture/wire-packet.ts';
import { openTap, type TapRecord } from '../control/tap-client.ts';
import { MAX_TAP_SAMPLE } from '../control/tap-protocol.ts';
import { WeftError } from '../error.ts';
import type { EdgePacket } from './edge-capture.ts';
import type { Edge, EdgeNetwork } from './edges.ts';
import { type PacketOutput, READER_CHECK_MS } from './run-capture.ts';

export interface TapRun {
  readonly socketPath: string;
  readonly network: string | undefined;
  /** For what UDP ports carry, and names. */
  readonly networks: readonly EdgeNetwork[];
  readonly snapLength: number;
  /** A drop reason; undefined: all. */
  readonly reason: string | undefined;
  /** Underlay addresses; undefined: all. */
  readonly peers: ReadonlySet<string> | undefined;
  readonly output: PacketOutput;
  readonly matches: (packet: EdgePacket) => boolean;
  readonly count: number | undefined;
  readonly seconds: number | undefined;
  readonly signal: AbortSignal;
  readonly onStart: () => void;
}

export interface TapResult {
  readonly seen: number;
  readonly shown: number;
  /** Packets shown by drop reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Records that were not read in time. */
  readonly lost: number;
  readonly error: WeftError | undefined;
}

/** Shows dropped packets until the end that was asked for. Throws what openTap and the output's `begin` throw, before the first packet. */
export async function runTap(run: TapRun): Promise<TapResult> {
  const { output } = run;
  const tap = openTap(run.socketPath, {
    sample: MAX_TAP_SAMPLE,
    snapLength: run.snapLength,
    droppedOnly: true,
    ...(run.network !== undefined && { network: run.network }),
  });
  const { networks } = await tap.reply;
  const points = networks.map(({ name, linkType }) => pointOf(name, linkType ?? LINKTYPE_RAW, run.networks));
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    tap.close();
  };
  run.signal.addEventListener('abort', stop, { once: true });
  const timer = run.seconds === undefined ? undefined : setTimeout(stop, run.seconds * 1000);
  let seen = 0;
  let shown = 0;
  const reasons = new Map<string, number>();
  let error: WeftError | undefined;
  let begun = false;
  const check = setInterval(() => {
    try {
      output.checkReader();
    } catch (cause) {
      if (cause instanceof WeftError) error ??= cause;
      stop();
    }
  }, READER_CHECK_MS);
  try {
    output.begin(points);
    output.flush();
    begun = true;
    run.onStart();
    if (run.signal.aborted) stop();
    for await (const record of tap) {
      const number = points.findIndex(({ edge }) => edge.networks[0]?.name === record.network);
      if (number < 0 || (run.count !== undefined && shown >= run.count)) continue;
      seen++;
      const packet = packetOf(record, points[number]!, number);
      if (!isWanted(record, run) || !run.matches(packet)) continue;
      shown++;
      if (record.reason !== null) reasons.set(record.reason, (reasons.get(record.reason) ?? 0) + 1);
      output.packet(packet);
      output.flush();
      if (output.isDone() || (run.count !== undefined && shown >= run.count)) stop();
      while (output.isFull() && !stopped) await output.proceed(100);
    }
    await output.end(points.map(({ edge }) => ({ edge, received: seen, dropped: tap.lost, cut: 0 })));
  } catch (cause) {
    if (!begun || !(cause instanceof WeftError)) throw cause;
    error ??= cause;
  } finally {
    clearTimeout(timer);
    clearInterval(check);
    run.signal.removeEventListener('abort', stop);
    tap.close();
    output.close();
  }
  return { seen, shown, reasons, lost: tap.lost, error };
}

function isWanted({ reason, peer }: TapRecord, run: TapRun): boolean {
  return (
    (run.reason === undefined || reason === run.reason) &&
    (run.peers === undefined || (peer !== null && run.peers.has(peer)))
  );
}

type TapPoint = Pick<EdgePacket, 'edge' | 'linkType' | 'tunnels'>;

/** weftd itself, as a place where packets are seen. */
function pointOf(name: string, linkType: 1 | 101, known: readonly EdgeNetwork[]): TapPoint {
  const network = known.find((each) => each.name === name) ?? {
    name,
    prefixes: [],
    wire: { encapsulation: 'none' as const },
    filter: '',
  };
  const device = name === '' ? 'weftd' : `weftd:${name}`;
  const edge: Edge = { kind: 'overlay', device, netns: undefined, networks: [network], filter: '' };
  return { edge, linkType, tunnels: tunnelPorts([network.wire]) };
}

function packetOf(record: TapRecord, { edge, tunnels }: TapPoint, number: number): EdgePacket {
  const { bytes, length, timeIn, direction } = record;
  const packet: WirePacket = {
    memory: bytes,
    start: 0,
    end: bytes.length,
    bytes,
    length,
    index: 0,
    of: 1,
    idRebuilt: false,
    checksumUnfinished: false,
    notCut: record.superPacket,
  };
  const frame = {
    seconds: Number(timeIn / 1_000_000_000n),
    nanoseconds: Number(timeIn % 1_000_000_000n),
    memory: bytes,
    start: 0,
    end: bytes.length,
    bytes,
    length,
    outgoing: direction === 'outbound',
    vnetFlags: 0,
    vnetGsoType: 0,
    vnetGsoSize: 0,
    vnetCsumStart: 0,
    vnetCsumOffset: 0,
  };
  return {
    edge,
    number,
    linkType: record.ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW,
    tunnels,
    frame,
    packet,
    note: noteOf(record),
  };
}

function noteOf({ verdict, reason, peer, packets }: TapRecord): string {
  const many = packets > 1 ? ` (${packets} packets)` : '';
  return `${verdict}${reason === null ? '' : `: ${reason}`}${many}${peer === null ? '' : `, peer ${peer}`}`;
}
