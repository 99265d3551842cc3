import { readFileSync } from 'node:fs';
import { type ReadCapture, readCapture } from './read-capture.ts';

export type VectorName =
  | `flanneld-udp/${'h1' | 'h2'}-${'underlay' | 'overlay'}`
  | `flanneld-vxlan/h1-${'underlay' | 'overlay'}`
  | 'neighbors/linux';

/** A capture that real flannelds, or Linux alone, left behind: test/vectors/README.md. */
export function readVector(name: VectorName): ReadCapture {
  return readCapture(new Uint8Array(readFileSync(new URL(`../../../test/vectors/${name}.pcap`, import.meta.url))));
}
