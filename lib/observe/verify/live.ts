/** Verifies what passes the underlay of the running daemon's networks. */
import { askDaemon } from '../../control/client.ts';
import { netnsOfDaemon } from '../daemon-netns.ts';
import { describeGone, EdgeCapture } from '../edge-capture.ts';
import { edgesOf } from '../edges.ts';
import { timeOfDay } from '../packet-line.ts';
import { networkOfDaemon, type VerifiedNetwork } from './networks.ts';
import { type VerifyReport, verifyReport } from './report.ts';
import { VerifyTally } from './tally.ts';

export interface LiveOptions {
  readonly controlSocket: string;
  /** One of several; undefined: all. */
  readonly network: string | undefined;
  /** 0: until interrupted. */
  readonly seconds: number;
  /** Called once from when on packets are seen: with where, and what ends the looking early. */
  readonly onLooking: (source: string, stop: () => void) => void;
}

/** Whole packets: a checksum covers all of one. */
const SNAP_LENGTH = 0x1_0040;
/** Our choice: a quarter of a second of 1 Gb/s in trains, while the checks are behind. */
const RING_BYTES = 32 * 1024 * 1024;

/** Codes: those of askDaemon and EdgeCapture.open; NO_EDGES when no network carries anything. */
export async function verifyLive(options: LiveOptions): Promise<VerifyReport> {
  const { controlSocket, network, seconds, onLooking } = options;
  const status = await askDaemon(controlSocket, '/v1/status', network);
  const reports = status.networks.filter(({ name }) => network === undefined || name === network);
  const verified: VerifiedNetwork[] = [];
  for (const report of reports) {
    const peers = await askDaemon(controlSocket, '/v1/peers', report.name === '' ? undefined : report.name);
    const one = networkOfDaemon(report, peers);
    if (one !== undefined) verified.push(one);
  }
  const all = edgesOf({ networks: reports }, netnsOfDaemon(status.pid).path);
  const edges = all.filter(({ kind }) => kind === 'underlay');
  const tally = new VerifyTally(verified, true);
  const gone: string[] = [];
  const capture = EdgeCapture.open(edges, {
    snapLength: SNAP_LENGTH,
    ringBytes: RING_BYTES,
    onPacket: ({ edge, linkType, frame, packet: { bytes, length } }) => {
      const { seconds: at, nanoseconds, outgoing } = frame;
      const where = () => `${timeOfDay({ seconds: at, nanoseconds })} ${edge.device} ${outgoing ? 'out' : 'in'}`;
      tally.add({ bytes, length, linkType, where });
    },
    onGone: (edge, error) => gone.push(describeGone(edge, error)),
  });
  const stop = () => capture.stop();
  const startMs = performance.now();
  const timer = seconds > 0 ? setTimeout(stop, seconds * 1000) : undefined;
  const source = edges.map(({ device }) => device).join(', ');
  onLooking(source, stop);
  try {
    await capture.run();
    const lost = capture.statistics().reduce((sum, { dropped }) => sum + dropped, 0);
    return verifyReport(tally, {
      source,
      seconds: Math.round((performance.now() - startMs) / 100) / 10,
      lost,
      notChecked: gone,
    });
  } finally {
    clearTimeout(timer);
    capture.close();
  }
}
