/**
 * VXLAN header, RFC 7348 §5. An Ethernet frame follows.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |R|R|R|R|I|R|R|R|            reserved                           |
 * |                      VNI                      |   reserved    |
 */
import { VXLAN_FLAG_VNI, VXLAN_FLAGS, VXLAN_HEADER, VXLAN_VNI } from './layout/vxlan.ts';
import type { WireProblem } from './problem.ts';

export interface VxlanHeader {
  /** VXLAN Network Identifier, 24 bits. */
  readonly vni: number;
}

/** Whether view[offset, end) begins with a VXLAN header that carries a VNI. Reserved bits are ignored, as §5 asks of receivers. */
export function checkVxlan(view: DataView, offset: number, end: number): WireProblem | undefined {
  if (end - offset < VXLAN_HEADER) return 'truncated';
  if ((view.getUint8(offset + VXLAN_FLAGS) & VXLAN_FLAG_VNI) === 0) return 'bad-flags';
  return undefined;
}

const vxlanVni = (view: DataView, offset: number): number => view.getUint32(offset + VXLAN_VNI) >>> 8;

/** The header at `offset`. Call checkVxlan first. */
export function parseVxlanHeader(view: DataView, offset: number): VxlanHeader {
  return { vni: vxlanVni(view, offset) };
}

/** Writes the header, reserved bits zero, and returns its length, 8. */
export function emitVxlanHeader(view: DataView, offset: number, header: VxlanHeader): number {
  view.setUint32(offset + VXLAN_FLAGS, VXLAN_FLAG_VNI * 0x100_0000);
  view.setUint32(offset + VXLAN_VNI, header.vni * 0x100);
  return VXLAN_HEADER;
}

/** "VXLAN vni 1". */
export function formatVxlanHeader(header: VxlanHeader): string {
  return `VXLAN vni ${header.vni}`;
}
