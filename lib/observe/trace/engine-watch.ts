/** What weftd itself did with the probe and its answer, by its tap: the point between overlay device and underlay. */
import { openTap, type Tap, type TapRecord } from '../../control/tap-client.ts';
import type { Point } from './model.ts';
import type { Recognizer } from './recognize.ts';

/** Bytes of each packet: Ethernet and IPv4 header, and an ICMP error with the header that it quotes. */
const SNAP_LENGTH = 128;
/** Our choice: how long weftd may take to open the tap, and to give what is left when it is closed. */
const ANSWER_MS = 500;
/** Our choice: a packet that goes round in a circle is seen again and again. */
const MOST_POINTS = 100;

export interface EngineWatch {
  readonly points: readonly Point[];
  /** Resolves when what was recorded until now is in `points`. Never rejects. */
  readonly stop: () => Promise<void>;
}

/**
 * Resolves when weftd records. All packets of the network are recorded meanwhile, for the probe cannot be told from others
 * there. Rejects with what openTap says, or when weftd does not answer in time.
 */
export async function watchEngine(
  tapSocket: string,
  network: string | undefined,
  recognizer: Recognizer,
): Promise<EngineWatch> {
  const tap = openTap(tapSocket, { network, sample: 1, snapLength: SNAP_LENGTH });
  const points: Point[] = [];
  const done = readAll(tap, recognizer, points);
  try {
    await within(tap.reply, 'weftd does not open its tap');
  } catch (error) {
    tap.close();
    throw error;
  }
  return {
    points,
    stop: async () => {
      tap.close();
      await within(done, '').catch(() => undefined);
    },
  };
}

/** Never rejects: what came until the tap ended is kept. */
async function readAll(tap: Tap, recognizer: Recognizer, points: Point[]): Promise<void> {
  try {
    for await (const record of tap) {
      const point = pointOf(record, recognizer);
      if (point !== undefined && points.length < MOST_POINTS) points.push(point);
    }
  } catch {
    // weftd ended; that it did not begin is said by the reply.
  }
}

/** Undefined: not ours. */
export function pointOf(record: TapRecord, recognizer: Recognizer): Point | undefined {
  const found = recognizer.recognize(record.bytes, record.ethernet);
  if (found === undefined) return undefined;
  return {
    host: 'here',
    place: 'weftd',
    device: '',
    direction: record.direction === 'outbound' ? 'out' : 'in',
    ...found,
    note: describeRecord(record),
    seconds: Number(record.timeIn / 1_000_000_000n),
    nanoseconds: Number(record.timeIn % 1_000_000_000n),
    bytes: record.length,
    dropped: record.reason,
  };
}

/** "sent to 192.0.2.2 in 12.3 us, train of 1", "dropped: no-route". */
function describeRecord({ verdict, reason, direction, peer, train, timeIn, timeOut }: TapRecord): string {
  if (verdict === 'dropped') return `dropped: ${reason ?? 'for a reason without a name'}`;
  if (verdict === 'answered') return 'answered by weftd itself';
  const who = peer ?? 'nobody';
  const time =
    timeOut === null
      ? ''
      : `${direction === 'outbound' ? ' in' : ','} ${(Number(timeOut - timeIn) / 1000).toFixed(1)} us`;
  const words = direction === 'outbound' ? `sent to ${verdict === 'flooded' ? 'all' : who}` : `from ${who}`;
  const together = train === null || train.packets < 2 ? '' : `, ${train.index + 1} of a train of ${train.packets}`;
  return `${words}${time}${together}`;
}

async function within<T>(promise: Promise<T>, words: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${words} within ${ANSWER_MS} ms`)), ANSWER_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
