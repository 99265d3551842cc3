import { readFileSync } from 'node:fs';
import { type PcapFile, readPcap } from '../../lib/capture/pcap.ts';

export type VectorName =
  | `flanneld-udp/${'h1' | 'h2'}-${'underlay' | 'overlay'}`
  | `flanneld-vxlan/h1-${'underlay' | 'overlay'}`
  | 'neighbors/linux';

/** A capture that real flannelds, or Linux alone, left behind: test/vectors/README.md. */
export function readVector(name: VectorName): PcapFile {
  return readPcap(new Uint8Array(readFileSync(new URL(`../../../test/vectors/${name}.pcap`, import.meta.url))));
}
