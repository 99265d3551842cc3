/**
 * The thread that reads what data planes record and hands it to readers. It runs while there are any, and a while longer;
 * nothing that a reader does or leaves undone holds up the main thread or a data plane.
 */
import { Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { MAX_TAP_SAMPLE } from '../control/tap-protocol.ts';
import { TapRings, tapWanted } from '../dataplane/tap-ring.ts';
import { Connection } from './connection.ts';
import type { FromTapThread, ToTapThread } from './protocol.ts';
import { widest } from './reader.ts';

/** Our choice: a ring holds 2,600 records of 128 bytes, of 65,000 a second then. */
const DRAIN_MS = 40;
/** The ring is filled faster than that: it is emptied again at once. */
const BUSY_BYTES = 128 * 1024;
const COUNTS_MS = 1000;

interface Source {
  readonly rings: TapRings;
  /** Records its worker had no room for, as of the last look. */
  lost: number;
}

const sources = new Map<number, Source>();
const connections = new Map<number, Connection>();
/** One of so many forwarded packets is recorded now. */
let sample = MAX_TAP_SAMPLE;
let saidMs = 0;
let timer: NodeJS.Timeout | undefined;

function post(message: FromTapThread): void {
  parentPort?.postMessage(message);
}

/** Takes what is there to all readers. Returns the bytes that were in the fullest ring. */
function drain(): number {
  let most = 0;
  for (const source of sources.values()) {
    const { bytes, clock } = source.rings;
    for (const connection of connections.values()) connection.setClock(clock);
    const offer = (at: number): void => {
      for (const connection of connections.values()) connection.offer(bytes, at, sample);
    };
    most = Math.max(most, source.rings.drain(offer));
    const { lost } = source.rings;
    const missed = lost - source.lost;
    source.lost = lost;
    if (missed > 0) for (const connection of connections.values()) connection.missed(missed);
  }
  for (const connection of connections.values()) connection.flush();
  return most;
}

function turn(): void {
  const busy = drain() > BUSY_BYTES;
  const nowMs = performance.now();
  if (nowMs - saidMs > COUNTS_MS) {
    saidMs = nowMs;
    for (const [id, connection] of connections) post({ type: 'counts', id, ...connection.loss });
  }
  timer = setTimeout(turn, busy ? 0 : DRAIN_MS);
}

/** Tells what is to be recorded from now on. */
function want(): void {
  const requests = [...connections.values()].flatMap(({ request }) => request ?? []);
  if (requests.length === 0) {
    post({ type: 'wanted', tap: 0 });
    return;
  }
  const { sample: wanted, snapLength } = widest(requests);
  sample = wanted ?? MAX_TAP_SAMPLE;
  post({ type: 'wanted', tap: tapWanted(wanted, snapLength) });
}

function accept({ id, fd, networks, reasons }: Extract<ToTapThread, { readonly type: 'reader' }>): void {
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  const connection = new Connection(
    socket,
    { networks, reasons },
    {
      onRequest: (request) => {
        post({ type: 'opened', id, request });
        want();
      },
      onClosed: (problem) => {
        connections.delete(id);
        post({ type: 'counts', id, ...connection.loss });
        post({ type: 'closed', id, problem });
        want();
      },
    },
  );
  connections.set(id, connection);
}

parentPort?.on('message', (message: ToTapThread) => {
  switch (message.type) {
    case 'begun': {
      const rings = new TapRings(message.memory);
      sources.set(message.id, { rings, lost: rings.lost });
      return;
    }
    case 'ended':
      drain();
      sources.delete(message.id);
      return;
    case 'reader':
      accept(message);
      return;
    case 'stop':
      drain();
      clearTimeout(timer);
      for (const connection of connections.values()) connection.end();
      parentPort?.close();
  }
});
turn();
