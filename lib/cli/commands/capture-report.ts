/** What `weft capture` says on standard error before its first packet and after its last. */
import type { EdgeCapture } from '../../observe/edge-capture.ts';
import type { Edge } from '../../observe/edges.ts';
import { FileOutput } from '../../observe/outputs.ts';
import type { CaptureResult, PacketOutput } from '../../observe/run-capture.ts';
import { formatCount } from '../../units.ts';

interface CaptureWish {
  /** File, or "-"; undefined: lines are shown. */
  readonly write?: string | undefined;
  /** Of a ring. */
  readonly fileSize?: number | undefined;
  readonly files?: number | undefined;
}

/** `write`: as in CaptureWish. */
export function startLine(edges: EdgeCapture['edges'], write: string | undefined): string {
  const names = edges.map(({ edge }) => `${edge.device} (${edge.kind}${namesOf(edge)})`).join(', ');
  const where = write === undefined ? '' : ` to ${write === '-' ? 'standard output' : write}`;
  return `capturing on ${names}${where}; Ctrl-C ends it`;
}

function namesOf({ networks }: Edge): string {
  const names = networks.map(({ name }) => name).filter((name) => name !== '');
  return names.length === 0 ? '' : ` of ${names.join(', ')}`;
}

/** What was seen, and what was lost. `output`: where it went. */
export function endLines(
  { counts, seen, shown }: CaptureResult,
  { write, fileSize, files: most }: CaptureWish,
  output: PacketOutput,
): string[] {
  const sum = (key: 'dropped' | 'cut'): string => formatCount(counts.reduce((total, each) => total + each[key], 0));
  const verb = write === undefined ? 'shown' : 'written';
  const written = output instanceof FileOutput ? output.files : 1;
  const kept = fileSize === undefined ? written : Math.min(written, most ?? written);
  const files = written > 1 ? `, in ${written} files${kept < written ? `, the last ${kept} kept` : ''}` : '';
  const pieces = sum('cut');
  const cut = pieces === '0' ? '' : `; cut from ${pieces} super-packets and trains`;
  const lost = counts
    .filter(({ dropped }) => dropped > 0)
    .map(({ edge, dropped }) => `${edge.device} ${formatCount(dropped)}`);
  return [
    `${formatCount(shown)} ${shown === 1 ? 'packet' : 'packets'} ${verb} of ${formatCount(seen)} seen${files}; ${sum('dropped')} lost by the kernel${cut}`,
    ...(lost.length > 0 ? [`lost for want of room: ${lost.join(', ')}; --ring-mib gives more, -s keeps less`] : []),
  ];
}
