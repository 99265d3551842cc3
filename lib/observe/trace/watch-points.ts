/** Looks at the points a packet passes on one host, and tells of each of ours that is seen. */
import type { Wire } from '../../capture/checks.ts';
import { WeftError } from '../../error.ts';
import { EdgeCapture } from '../edge-capture.ts';
import type { Edge } from '../edges.ts';
import type { Point } from './model.ts';
import { probeFilter } from './probe-filter.ts';
import type { Recognizer } from './recognize.ts';

export interface Place {
  readonly place: 'pod veth' | 'bridge' | 'overlay' | 'underlay';
  readonly device: string;
  readonly netns: string | undefined;
}

export interface SeenPoint extends Point {
  /** The packet from its link-layer header on. */
  readonly frame: Uint8Array;
}

export interface PointWatch {
  readonly points: readonly SeenPoint[];
  /** Takes what has come. */
  readonly poll: () => void;
  /** Frames that the kernel had no room for: a point that was not seen may be among them. */
  readonly lost: () => readonly { readonly device: string; readonly frames: number }[];
  readonly stop: () => void;
}

/** Our choice: what comes through the filter is little. */
const RING_BYTES = 2 * 1024 * 1024;
/** Our choice: all of a busy tunnel comes through, 50 ms of it at 5 Gb/s. */
const UNDERLAY_RING_BYTES = 32 * 1024 * 1024;

/**
 * Throws what EdgeCapture.open throws. `wire` says what the tunnel's port carries. Each place has a capture of its own: on a busy
 * underlay more may come than can be looked at, and the others do not wait for it.
 */
function watchPoints(places: readonly Place[], wire: Wire, recognizer: Recognizer, host: Point['host']): PointWatch {
  const points: SeenPoint[] = [];
  const captures: EdgeCapture[] = [];
  const orderOf = ({ device, kind }: SeenPoint): number => {
    const order = places.findIndex((place) => place.device === device);
    return kind === 'answer' ? -order : order;
  };
  const stop = (): void => {
    for (const capture of captures) capture.close();
  };
  try {
    for (const place of places)
      captures.push(
        openPlace(place, wire, recognizer, (point) => {
          if (points.length < MOST_POINTS) points.push({ host, ...point });
        }),
      );
  } catch (error) {
    stop();
    throw error;
  }
  return {
    points,
    poll: () => {
      for (const capture of captures) capture.poll();
      // A packet has one stamp on the veth and on its bridge: then the place that it passes first is the first.
      points.sort((a, b) => a.seconds - b.seconds || a.nanoseconds - b.nanoseconds || orderOf(a) - orderOf(b));
    },
    lost: () =>
      captures
        .flatMap((capture) => capture.statistics())
        .flatMap(({ edge, dropped }) => (dropped > 0 ? [{ device: edge.device, frames: dropped }] : [])),
    stop,
  };
}

function openPlace(
  { place, device, netns }: Place,
  wire: Wire,
  recognizer: Recognizer,
  onPoint: (point: Omit<SeenPoint, 'host'>) => void,
): EdgeCapture {
  const isUnderlay = place === 'underlay';
  const kind = isUnderlay ? 'underlay' : 'overlay';
  const edge: Edge = { kind, device, netns, networks: [{ name: '', prefixes: [], wire, filter: '' }], filter: '' };
  return EdgeCapture.open([edge], {
    snapLength: 2048,
    ringBytes: isUnderlay ? UNDERLAY_RING_BYTES : RING_BYTES,
    program: () => probeFilter(recognizer.probe, isUnderlay ? wire : undefined),
    onPacket: ({ linkType, frame, packet }) => {
      const found = recognizer.recognize(packet.bytes, linkType === 1);
      if (found === undefined) return;
      const { outgoing, seconds, nanoseconds } = frame;
      const direction = outgoing ? 'out' : 'in';
      const { length: bytes } = packet;
      onPoint({ place, device, direction, ...found, seconds, nanoseconds, bytes, frame: packet.bytes.slice() });
    },
  });
}

/** What is told of it. */
export function withoutFrame({ frame: _frame, ...point }: SeenPoint): Point {
  return point;
}

/** Our choice: a packet that goes round in a circle is seen again and again. */
const MOST_POINTS = 100;

/** The places that exist: a device that is missing is the tables' to tell. */
export function openPlaces(
  places: readonly Place[],
  wire: Wire,
  recognizer: Recognizer,
  host: Point['host'],
): PointWatch {
  let left = [...places];
  for (;;) {
    try {
      return watchPoints(left, wire, recognizer, host);
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'NO_SUCH_DEVICE') throw error;
      const gone = left.find(({ device }) => error.message.includes(`"${device}"`));
      if (gone === undefined) throw error;
      left = left.filter((place) => place !== gone);
      if (left.length === 0) throw error;
    }
  }
}
