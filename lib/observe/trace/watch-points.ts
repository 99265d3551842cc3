/** Looks at the points a packet passes on one host, and tells of each of ours that is seen. */
import type { Wire } from '../../capture/checks.ts';
import { WeftError } from '../../error.ts';
import { EdgeCapture } from '../edge-capture.ts';
import type { Edge } from '../edges.ts';
import type { Point } from './model.ts';
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
  readonly stop: () => void;
}

/** Throws what EdgeCapture.open throws. `wire` says what the tunnel's port carries. */
function watchPoints(places: readonly Place[], wire: Wire, recognizer: Recognizer, host: Point['host']): PointWatch {
  const points: SeenPoint[] = [];
  const byEdge = new Map<Edge, Place>();
  for (const place of places) {
    byEdge.set(
      {
        kind: place.place === 'underlay' ? 'underlay' : 'overlay',
        device: place.device,
        netns: place.netns,
        networks: [{ name: '', prefixes: [], wire, filter: '' }],
        filter: '',
      },
      place,
    );
  }
  const capture = EdgeCapture.open([...byEdge.keys()], {
    snapLength: 2048,
    ringBytes: 2 * 1024 * 1024,
    onPacket: ({ edge, linkType, frame, packet }) => {
      const place = byEdge.get(edge);
      const found = recognizer.recognize(packet.bytes, linkType === 1);
      if (place === undefined || found === undefined || points.length >= MOST_POINTS) return;
      points.push({
        host,
        place: place.place,
        device: place.device,
        direction: frame.outgoing ? 'out' : 'in',
        ...found,
        seconds: frame.seconds,
        nanoseconds: frame.nanoseconds,
        bytes: packet.length,
        frame: packet.bytes.slice(),
      });
    },
  });
  return {
    points,
    poll: () => {
      capture.poll();
    },
    stop: () => {
      capture.stop();
      capture.close();
    },
  };
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
