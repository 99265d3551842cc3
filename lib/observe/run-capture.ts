/** A capture from its first packet to its counts: what `weft capture` does once it knows what is wanted. */
import { messageOf, WeftError } from '../error.ts';
import { EdgeCapture, type EdgeCaptureOptions, type EdgeCounts, type EdgePacket } from './edge-capture.ts';
import type { Edge } from './edges.ts';

/** Our choice: a packet that matters is not longer on its way to whoever reads. */
const FLUSH_MS = 100;

/** The most that packets are held back for, to be put in order. */
const HOLDING_MS = 30;

/** Our choice: how late it is noticed that whoever read is gone, while there is nothing to write. */
export const READER_CHECK_MS = 1000;

/** Where packets go. */
export interface PacketOutput {
  /** Called once, when packets are being captured and before the first. */
  readonly begin: (edges: EdgeCapture['edges']) => void;
  readonly packet: (packet: EdgePacket) => void;
  /** Called when there is a pause, and at least every 100 ms. */
  readonly flush: () => void;
  /** No more packets now. */
  readonly isFull: () => boolean;
  /** Waits until it is not. */
  readonly proceed: (timeoutMs: number) => Promise<void>;
  /** Called every second. Throws READER_GONE. */
  readonly checkReader: () => void;
  /** Milliseconds until it wants to be flushed in any case. */
  readonly dueInMs: () => number | undefined;
  /** Has had enough: of files, of packets. */
  readonly isDone: () => boolean;
  /** After the last packet; what is written here comes after all others. */
  readonly end: (counts: readonly EdgeCounts[]) => Promise<void>;
  readonly close: () => void;
}

export interface CaptureRun {
  readonly edges: readonly Edge[];
  readonly options: Omit<EdgeCaptureOptions, 'onPacket' | 'isFull' | 'onGone'>;
  readonly output: PacketOutput;
  /** What neither the kernel's filters nor the snap length can say. */
  readonly matches: (packet: EdgePacket) => boolean;
  /** Packets; undefined: no end. */
  readonly count: number | undefined;
  readonly seconds: number | undefined;
  /** Ends the capture; what came until then is still shown. */
  readonly signal: AbortSignal;
  readonly onStart: (edges: EdgeCapture['edges']) => void;
  readonly onGone: (edge: Edge) => void;
}

export interface CaptureResult {
  readonly counts: readonly EdgeCounts[];
  /** Packets as on the wire, and those of them that were wanted. */
  readonly seen: number;
  readonly shown: number;
  /** Why it ended before anybody wanted; what came before is with the reader. */
  readonly error: WeftError | undefined;
  readonly goneEdges: readonly Edge[];
}

/** Throws what `EdgeCapture.open` and the output's `begin` throw, before the first packet. */
export async function runCapture(run: CaptureRun): Promise<CaptureResult> {
  const { output, count } = run;
  const gone: Edge[] = [];
  let seen = 0;
  let shown = 0;
  const isDone = (): boolean => (count !== undefined && shown >= count) || output.isDone();
  const capture = EdgeCapture.open(run.edges, {
    ...run.options,
    onPacket: (packet) => {
      if (isDone()) return;
      seen++;
      if (!run.matches(packet)) return;
      shown++;
      output.packet(packet);
    },
    isFull: () => output.isFull() || isDone(),
    onGone: (edge) => {
      gone.push(edge);
      run.onGone(edge);
    },
  });
  const stop = (): void => capture.stop();
  run.signal.addEventListener('abort', stop, { once: true });
  const timer = run.seconds === undefined ? undefined : setTimeout(stop, run.seconds * 1000);
  let error: WeftError | undefined;
  let begun = false;
  try {
    output.begin(capture.edges);
    output.flush();
    begun = true;
    run.onStart(capture.edges);
    if (run.signal.aborted) stop();
    await follow(capture, output, isDone);
    await output.end(capture.statistics());
  } catch (cause) {
    if (!begun || !(cause instanceof WeftError)) {
      capture.close();
      throw cause;
    }
    error = cause;
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', stop);
  }
  const counts = capture.statistics();
  capture.close();
  try {
    output.close();
  } catch (cause) {
    error ??= new WeftError('OUTPUT_FAILED', `Cannot end the output: ${messageOf(cause)}`, { cause });
  }
  return { counts, seen, shown, error, goneEdges: gone };
}

async function follow(capture: EdgeCapture, output: PacketOutput, isDone: () => boolean): Promise<void> {
  let flushed = performance.now();
  let checked = flushed;
  while (!capture.isOver && !isDone()) {
    const holds = capture.poll();
    const now = performance.now();
    if (!holds || now - flushed >= FLUSH_MS) {
      output.flush();
      flushed = now;
    }
    if (now - checked >= READER_CHECK_MS) {
      output.checkReader();
      checked = now;
    }
    // The last edge may have gone in this round: then nothing wakes us any more.
    if (isDone() || capture.isOver) break;
    if (output.isFull()) await output.proceed(FLUSH_MS);
    else await capture.wait(shortest(holds ? HOLDING_MS : READER_CHECK_MS, output.dueInMs()), holds);
  }
  // The reader may be slower than the ring is long: what is left is handed over as far as there is room.
  await capture.finish();
}

/** Of two times to wait; undefined: for ever. */
function shortest(a: number, b: number | undefined): number {
  return b === undefined ? a : Math.min(a, Math.ceil(b));
}
