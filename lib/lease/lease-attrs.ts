/** The value of a lease key. flannel pkg/lease/lease.go, LeaseAttrs, and pkg/ip for its addresses. */
import { formatIpv4, type Ipv4, parseIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, type Ipv6, parseIpv6 } from '../addr/ipv6.ts';
import { WeftError } from '../error.ts';
import { goField, goPlainField, type JsonObject, type JsonValue, parseJson, quoteJson, toPlain } from './go-json.ts';
import type { LeaseAttrs } from './lease.ts';

/** ::ffff:0:0/96, the IPv4-mapped addresses (RFC 4291 §2.5.5.2), which Go's net.IP takes for IPv4. */
const IPV4_MAPPED = 0xffffn << 32n;

/**
 * Reads a lease value as Go does: keys in any case, unknown keys ignored, a missing PublicIP is 0.0.0.0, which
 * no backend takes for a peer. Throws WeftError LEASE_INVALID naming the field, or JSON_INVALID.
 */
export function decodeLeaseAttrs(text: string): LeaseAttrs {
  const value = parseJson(text);
  if (value === null) return readAttrs({ kind: 'object', members: [] });
  if (typeof value === 'object' && value.kind === 'object') return readAttrs(value);
  throw new WeftError('LEASE_INVALID', `must be a JSON object, is ${quoteJson(value)}`);
}

/** Writes a lease value byte for byte as Go does: fixed key order, no spaces, PublicIPv6 always there. */
export function encodeLeaseAttrs(attrs: LeaseAttrs): string {
  const value = {
    PublicIP: formatIpv4(attrs.publicIp),
    PublicIPv6: attrs.publicIpv6 === undefined ? null : formatIpv6(attrs.publicIpv6),
    BackendType: attrs.backendType === '' ? undefined : attrs.backendType,
    BackendData: attrs.backendData,
    BackendV6Data: attrs.backendV6Data,
  };
  // JSON.stringify leaves undefined members out.
  return escapeAsGo(JSON.stringify(value));
}

function readAttrs(object: JsonObject): LeaseAttrs {
  const backendType = goPlainField(object, 'BackendType') ?? '';
  if (typeof backendType !== 'string') throw invalid('BackendType', backendType, 'must be a string');
  return {
    publicIp: readPublicIp(goField(object, 'PublicIP')),
    publicIpv6: readPublicIpv6(goField(object, 'PublicIPv6')),
    backendType,
    backendData: readRaw(goField(object, 'BackendData')),
    backendV6Data: readRaw(goField(object, 'BackendV6Data')),
  };
}

function readPublicIp(value: JsonValue | undefined): Ipv4 {
  if (value === undefined) return 0;
  if (typeof value === 'string') {
    const address = parseIpv4(value) ?? mappedIpv4(parseIpv6(value));
    if (address !== undefined) return address;
  }
  throw invalid('PublicIP', value, 'must be an IPv4 address');
}

function mappedIpv4(address: Ipv6 | undefined): Ipv4 | undefined {
  return address !== undefined && address >> 32n === IPV4_MAPPED >> 32n ? Number(address & 0xffffffffn) : undefined;
}

function readPublicIpv6(value: JsonValue | undefined): Ipv6 | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') {
    const mapped = parseIpv4(value);
    const address = mapped === undefined ? parseIpv6(value) : IPV4_MAPPED | BigInt(mapped);
    if (address !== undefined) return address;
  }
  throw invalid('PublicIPv6', value, 'must be an IPv6 address');
}

function readRaw(value: JsonValue | undefined): unknown {
  return value === undefined ? undefined : toPlain(value);
}

/** encoding/json escapes these so that JSON can stand in HTML and JavaScript; compacted raw messages too. */
function escapeAsGo(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function invalid(field: string, value: JsonValue, allowed: string): WeftError {
  return new WeftError('LEASE_INVALID', `${field} is ${quoteJson(value)}: ${allowed}`);
}
