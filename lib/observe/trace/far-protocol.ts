/** What `weft trace` and `weft trace-points` on the other host say to each other: lines of JSON on its standard input and output. */
import type { Wire } from '../../capture/checks.ts';
import { WeftError } from '../../error.ts';
import type { Point, Suspect, TableStep } from './model.ts';
import type { Probe } from './probe.ts';

/** The first line. */
export interface FarSetup {
  readonly wire: Wire;
  /** Of the asking host, which the far one most likely has too; '' without one. */
  readonly overlayDevice: string;
  readonly source: number;
  readonly destination: number;
  readonly protocol: Probe['transport'];
  /** Underlay addresses of the asking and the asked host. */
  readonly near: number;
  readonly far: number;
  /** The overlay's, "10.244.0.0/16"; undefined where it is not known. */
  readonly network?: string | undefined;
  /** As the lease has it: "02:42:..."; null where there is none. */
  readonly vtepMac: string | null;
}

export interface FarTables {
  readonly steps: readonly TableStep[];
  readonly suspects: readonly Suspect[];
  readonly notes: readonly string[];
}

export type FarRequest =
  | { readonly ask: 'setup'; readonly setup: FarSetup }
  | { readonly ask: 'watch'; readonly probe: Probe }
  | { readonly ask: 'points' };

export type FarReply =
  | { readonly tables: FarTables }
  | { readonly watching: true }
  | { readonly points: readonly Point[] }
  | { readonly error: { readonly code: string; readonly message: string } };

/** Throws WeftError FAR_FAILED for what is no such reply. */
export function parseReply(line: string, host: string): FarReply {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as FarReply;
  } catch {
    // Said below.
  }
  throw new WeftError('FAR_FAILED', `What answers on ${host} is not weft: "${line.slice(0, 60)}"`, {
    hint: 'The same version of weft has to be in the PATH there',
  });
}
