/**
 * What user space costs on a running node: each inner packet is looked for on the overlay's device and on the underlay, and the
 * time between the two is weftd's, its queue in the kernel included. `weft overhead`.
 */
import { askDaemon } from '../../control/client.ts';
import type { NetworkReport, StatusReply } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { netnsOfDaemon } from '../daemon-netns.ts';
import { describeGone, EdgeCapture } from '../edge-capture.ts';
import { type Edge, edgesOf } from '../edges.ts';
import { type DirectionReport, EdgePairs } from './edge-pairs.ts';
import { readAfter, readBefore, type Spent, spentBetween } from './reading.ts';

export interface OverheadOptions {
  readonly controlSocket: string;
  /** One of several; undefined: the first. */
  readonly network: string | undefined;
  /** 0: until interrupted. */
  readonly seconds: number;
  /** Called once from when on packets are seen: with where, and what ends the looking early. */
  readonly onLooking: (source: string, stop: () => void) => void;
}

/** `--json`. Keys are stable. */
export interface OverheadReport extends Omit<Spent, 'notes'> {
  readonly network: string;
  readonly overlayDevice: string;
  readonly underlayDevice: string;
  readonly seconds: number;
  readonly outbound: DirectionReport;
  readonly inbound: DirectionReport;
  /** What our own looking had no room for, frames of the kernel's or packets: they are in no figure, or seem lost. */
  readonly notSeen: number;
  /** What could not be looked at, or is not known: one sentence each. */
  readonly notes: readonly string[];
}

/** Outer and inner headers of any kind, and an echo's magic number. */
const SNAP_LENGTH = 192;
const RING_BYTES = 32 * 1024 * 1024;
/** Our choice: how often what is lost is given up. */
const EXPIRE_MS = 500;

/** Codes: those of askDaemon and EdgeCapture.open; NO_EDGES, NO_TUNNEL when the network carries nothing through weftd. */
export async function measureOverhead(options: OverheadOptions): Promise<OverheadReport> {
  const { controlSocket, network } = options;
  const status = await askDaemon(controlSocket, '/v1/status', network);
  const report = status.networks.find(({ name }) => network === undefined || name === network) ?? status.networks[0];
  const { overlay, underlay } = edgesOfNetwork(report, netnsOfDaemon(status.pid).path);
  const pairs = new EdgePairs(overlay, underlay);
  const notes: string[] = [];
  const capture = EdgeCapture.open([overlay, underlay], {
    snapLength: SNAP_LENGTH,
    ringBytes: RING_BYTES,
    filter: (edge) => (edge === underlay ? underlay.networks[0]?.filter : undefined),
    onPacket: (packet) => pairs.see(packet),
    onGone: (edge, error) => {
      notes.push(describeGone(edge, error));
      // With one edge alone nothing is paired.
      capture.stop();
    },
  });
  const expiry = setInterval(() => pairs.expire(), EXPIRE_MS);
  try {
    const name = report?.name ?? '';
    const source = `${overlay.device} and ${underlay.device}`;
    const { notes: unknown, ...looked } = await lookFor(options, capture, { name, status }, source);
    const unseen = capture.statistics().reduce((sum, { dropped }) => sum + dropped, 0);
    return {
      network: name,
      overlayDevice: overlay.device,
      underlayDevice: underlay.device,
      ...looked,
      ...pairs.finish(),
      notSeen: unseen + pairs.forgotten,
      notes: [...notes, ...unknown],
    };
  } finally {
    clearInterval(expiry);
    capture.close();
  }
}

type Looked = Spent & Pick<OverheadReport, 'seconds'>;

/** Captures for the time asked for, and says what the daemon and the machine did meanwhile. */
async function lookFor(
  { controlSocket, seconds, onLooking }: OverheadOptions,
  capture: EdgeCapture,
  { name, status }: { readonly name: string; readonly status: StatusReply },
  source: string,
): Promise<Looked> {
  const stop = () => capture.stop();
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : undefined;
  try {
    const before = await readBefore(controlSocket, name, status);
    const startMs = performance.now();
    onLooking(source, stop);
    await capture.run();
    const elapsed = (performance.now() - startMs) / 1000;
    const spent = spentBetween(before, await readAfter(controlSocket, name, status));
    return { seconds: Math.round(elapsed * 10) / 10, ...spent };
  } finally {
    clearTimeout(timer);
  }
}

function edgesOfNetwork(
  report: NetworkReport | undefined,
  netns: string | undefined,
): { overlay: Edge; underlay: Edge } {
  const edges = edgesOf({ networks: report === undefined ? [] : [report] }, netns);
  const overlay = edges.find(({ kind }) => kind === 'overlay');
  const underlay = edges.find(({ kind }) => kind === 'underlay');
  if (overlay !== undefined && underlay !== undefined) return { overlay, underlay };
  const type = report?.backend?.type ?? 'the backend';
  throw new WeftError('NO_TUNNEL', `No packet of this network goes through weftd: ${type} has no device of its own`, {
    hint: 'weft bench measures what the kernel forwards alone',
  });
}
