/** A frame or packet drawn field by field, the outermost header first. What was not kept of it is not drawn. */
import type { Wire } from '../capture/checks.ts';
import { ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/layout/ethernet.ts';
import { VXLAN_HEADER } from '../wire/layout/vxlan.ts';
import { parseVxlanHeader } from '../wire/vxlan.ts';
import { Fields, type WireHeader } from './fields.ts';
import { drawArp, drawEthernet, drawIp } from './network.ts';
import { drawTransport, drawUdp } from './transport.ts';

/** The headers of a frame of the underlay with the bytes of each field. `wire` says what the backend's port carries. */
export function drawFrame(bytes: Uint8Array, wire: Wire): WireHeader[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headers: WireHeader[] = [];
  const { encapsulation } = wire;
  if (encapsulation === 'none') {
    drawWithin(view, 0, true, '', headers);
    return headers;
  }
  let { at } = drawIp(view, drawEthernet(view, 0, 'Ethernet', headers).at, '', headers);
  if (encapsulation !== 'ipip') at = drawUdp(view, at, 'UDP', headers);
  if (encapsulation === 'vxlan') {
    if (at < 0 || at + VXLAN_HEADER + ETHERNET_HEADER > bytes.length) return headers;
    drawVxlan(view, at, headers);
    at += VXLAN_HEADER;
  }
  drawWithin(view, at, encapsulation === 'vxlan', 'inner ', headers);
  return headers;
}

/** What lies in a tunnel, or never was in one: an IP packet or, `ethernet`, a frame. */
export function drawInner(bytes: Uint8Array, ethernet: boolean): WireHeader[] {
  const headers: WireHeader[] = [];
  drawWithin(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, ethernet, 'inner ', headers);
  return headers;
}

function drawWithin(view: DataView, start: number, ethernet: boolean, prefix: string, headers: WireHeader[]): void {
  let at = start;
  if (ethernet) {
    const next = drawEthernet(view, at, `${prefix}Ethernet`, headers);
    if (next.kind === ETHERTYPE_ARP) drawArp(view, next.at, headers);
    if (next.kind !== ETHERTYPE_IPV4 && next.kind !== ETHERTYPE_IPV6) return;
    at = next.at;
  }
  const next = drawIp(view, at, prefix, headers);
  drawTransport(view, next.at, next.kind, prefix, headers);
}

function drawVxlan(view: DataView, at: number, headers: WireHeader[]): void {
  const { vni } = parseVxlanHeader(view, at);
  const fields = new Fields(view, at)
    .hex('flags', 0, 1)
    .hex('reserved', 1, 3)
    .text('VNI', String(vni), 4, 3)
    .hex('reserved', 7, 1);
  headers.push({ name: 'VXLAN', fields: fields.list });
}
