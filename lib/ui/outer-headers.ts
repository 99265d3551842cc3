/**
 * The headers around a packet of the tap. weftd records what is in them, not them: they are built anew from what it says of the
 * network, by the same writers, and what it does not say is marked and stands as zeros. docs/wire-formats.md, "The outer headers".
 */
import { familyOf, type IpAddress } from '../addr/ip.ts';
import { parseIpv4 } from '../addr/ipv4.ts';
import { parseIpv6 } from '../addr/ipv6.ts';
import type { Wire } from '../capture/checks.ts';
import type { StatusReply } from '../control/protocol.ts';
import type { TapRecord } from '../control/tap-client.ts';
import { drawFrame, drawInner } from '../headers/draw.ts';
import type { WireField, WireHeader } from '../headers/fields.ts';
import { buildFrame } from '../headers/frame.ts';
import { wireOf } from '../headers/wire-of.ts';
import type { PacketField, PacketHeader } from './messages.ts';

/** What was known of the network when the packet passed. */
export interface Surroundings {
  readonly wire: Wire;
  /** The overlay's. */
  readonly device: string;
  /** Of the underlay, text; null: it has none. */
  readonly own: string | null;
  readonly own6: string | null;
}

export function surroundingsOf({
  backend,
  external,
}: Pick<StatusReply, 'backend' | 'external'>): Surroundings | undefined {
  const wire = backend === null ? undefined : wireOf(backend);
  if (backend === null || external === null || wire === undefined) return undefined;
  return { wire, device: backend.device, own: external.ipv4, own6: external.ipv6 };
}

export interface Drawn {
  readonly headers: readonly PacketHeader[];
  /** The outer headers, and what was kept of the packet. */
  readonly bytes: Uint8Array;
  /** Bytes of the outer headers. */
  readonly outer: number;
}

/** Without outer headers where there were none, or nothing is known of them. */
export function drawRecord(record: TapRecord, around: Surroundings | undefined): Drawn {
  const frame = around === undefined ? undefined : outerFrame(record, around);
  if (frame === undefined || around === undefined) {
    const headers = drawInner(record.bytes, record.ethernet).map(seen);
    return { headers, bytes: record.bytes, outer: 0 };
  }
  const outer = frame.length - record.bytes.length;
  const headers = drawFrame(frame, around.wire).map((header) =>
    (header.fields[0]?.at ?? 0) < outer ? rebuilt(header, record, around.wire, frame) : seen(header),
  );
  return { headers, bytes: frame, outer };
}

function outerFrame(record: TapRecord, { wire, own, own6 }: Surroundings): Uint8Array | undefined {
  const { direction, verdict, peer, bytes, length } = record;
  if (peer === null || wire.encapsulation === 'none' || !hasOuter(direction, verdict)) return undefined;
  const far = parseAddress(peer);
  const near = far === undefined ? undefined : parseAddress((familyOf(far) === 6 ? own6 : own) ?? '');
  if (far === undefined || near === undefined) return undefined;
  const [source, destination] = direction === 'outbound' ? [near, far] : [far, near];
  // 0 is what stands for all that is not known.
  const sourcePort = wire.encapsulation === 'ip-in-udp' && direction === 'outbound' ? wire.port : 0;
  const unknown = { sourceMac: 0, destinationMac: 0, tos: 0, ttl: 0, dontFragment: false, outerId: 0 };
  return buildFrame({ wire, source, destination, sourcePort, ...unknown }, bytes, length);
}

/** What was dropped on its way out has none yet, and a flooded frame one for each peer. */
function hasOuter(direction: TapRecord['direction'], verdict: TapRecord['verdict']): boolean {
  return direction === 'inbound' || verdict === 'forwarded';
}

function parseAddress(text: string): IpAddress | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

function seen({ name, fields }: WireHeader): PacketHeader {
  return { name, rebuilt: false, fields: fields.map((field) => ({ ...field, known: true })) };
}

function rebuilt({ name, fields }: WireHeader, record: TapRecord, wire: Wire, frame: Uint8Array): PacketHeader {
  const unknown = unknownFields(name, record, wire);
  return { name, rebuilt: true, fields: fields.map((field) => fieldOf(field, unknown, frame)) };
}

function fieldOf(field: WireField, unknown: ReadonlyMap<string, string>, frame: Uint8Array): PacketField {
  const value = unknown.get(field.name);
  if (value === undefined) return { ...field, known: true };
  // The sum of a header that is not whole says nothing.
  if (field.name === 'checksum') frame.fill(0, field.at, field.at + field.length);
  return { ...field, value, known: false };
}

const NOT_KNOWN = 'not known';
const UNKNOWN: Readonly<Record<string, readonly string[]>> = {
  Ethernet: ['destination', 'source'],
  IPv4: ['TOS', 'ID', 'flags', 'TTL', 'checksum'],
  IPv6: ['traffic class', 'flow label', 'hop limit'],
  UDP: ['checksum'],
};

/** By name: what stands in place of the value. */
function unknownFields(header: string, { direction, reason }: TapRecord, wire: Wire): Map<string, string> {
  const unknown = new Map((UNKNOWN[header] ?? []).map((name) => [name, NOT_KNOWN]));
  const isOutbound = direction === 'outbound';
  if (header === 'UDP' && wire.encapsulation === 'vxlan' && isOutbound)
    unknown.set('source port', 'one of eight, by the flow');
  if (header === 'UDP' && !isOutbound) unknown.set('source port', NOT_KNOWN);
  if (header === 'VXLAN' && !isOutbound) unknown.set('reserved', NOT_KNOWN);
  if (header === 'VXLAN' && reason === 'unknown-vni') unknown.set('VNI', 'none of this node');
  if (header === 'VXLAN' && reason === 'bad-vxlan-header')
    for (const name of ['flags', 'VNI']) unknown.set(name, 'without the I flag');
  return unknown;
}
