import { readFileSync } from 'node:fs';
import { ETHERNET_HEADER } from '../../lib/wire/layout/ethernet.ts';
import { hex } from '../wire/bytes.ts';
import { readCapture } from './read-capture.ts';

const directory = new URL('../../../test/vectors/kernel-segmentation/', import.meta.url);

/** Frames as a TUN device with IFF_VNET_HDR gives or takes them, and the packets Linux cut them to: test/vectors/README.md. */
export function readKernelSegmentation(): { frames: Uint8Array[]; packets: Uint8Array[] } {
  const lines = readFileSync(new URL('frames.txt', directory), 'utf8').trimEnd().split('\n');
  const capture = readCapture(new Uint8Array(readFileSync(new URL('segments.pcap', directory))));
  return { frames: lines.map(hex), packets: capture.packets.map(({ bytes }) => bytes.subarray(ETHERNET_HEADER)) };
}
