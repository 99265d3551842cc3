import { formatIpv4, parseIpv4 } from '../addr/ipv4.ts';
import { formatIpv6, parseIpv6 } from '../addr/ipv6.ts';
import {
  formatPrefix,
  type Ipv4Prefix,
  type Ipv6Prefix,
  ipv4Prefix,
  ipv6Prefix,
  type Prefix,
  parsePrefix,
  prefixContains,
} from '../addr/prefix.ts';
import { messageOf, WeftError } from '../error.ts';
import { goField, goPlainField, type JsonObject, type JsonValue, parseJson, quoteJson, toPlain } from './go-json.ts';

/** The parsed `<prefix>/config`. flannel pkg/subnet/config.go; defaults are already applied. */
export interface NetworkConfig {
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly network: Ipv4Prefix;
  readonly subnetLen: number;
  /** First and last subnet that may be handed out, each a prefix of subnetLen. */
  readonly subnetMin: Ipv4Prefix;
  readonly subnetMax: Ipv4Prefix;
  readonly ipv6: Ipv6NetworkConfig | undefined;
  /** Lower case; 'udp' when the config names no backend, as flanneld's code has it. */
  readonly backendType: string;
  /**
   * The Backend object as parsed JSON; each backend reads its own. Keys are as written and match in any case; of several
   * that match, the last in order wins.
   */
  readonly backend: Readonly<Record<string, unknown>>;
}

interface Ipv6NetworkConfig {
  readonly network: Ipv6Prefix;
  readonly subnetLen: number;
  readonly subnetMin: Ipv6Prefix;
  readonly subnetMax: Ipv6Prefix;
}

/** The prefixes of the whole network. */
export function networkPrefixes({ network, ipv6 }: NetworkConfig): Prefix[] {
  return ipv6 === undefined ? [network] : [network, ipv6.network];
}

/**
 * Parses and checks the value of `<prefix>/config`. Throws WeftError CONFIG_INVALID whose message names the field, the
 * value found and what is allowed.
 *
 * Stricter than flannel on purpose, where flannel goes on and fails later: IPv4 switched off (flannel's etcd mode cannot
 * do without it: interop notes, PR #1539), SubnetMin above SubnetMax, an IPv6 prefix as Network (flannel panics).
 */
export function parseNetworkConfig(text: string): NetworkConfig {
  const object = parseObject(text);
  if (!readBoolean(object, 'EnableIPv4', true))
    throw invalid('EnableIPv4', 'false', 'must be true: an IPv6-only network cannot be kept in etcd');
  const enableIpv6 = readBoolean(object, 'EnableIPv6', false);
  const { type, backend } = readBackend(goField(object, 'Backend'));
  const ipv4 = subnetRange(IPV4_RULES, object);
  const ipv6 = enableIpv6 ? subnetRange(IPV6_RULES, object) : undefined;
  return { enableIpv4: true, enableIpv6, ...ipv4, ipv6, backendType: type, backend };
}

function parseObject(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new WeftError('CONFIG_INVALID', `not valid JSON: ${messageOf(error)}`, { cause: error });
  }
  if (isObject(value)) return value;
  throw new WeftError('CONFIG_INVALID', `must be a JSON object, is ${quoteJson(value)}`);
}

/** No Backend at all means udp; a Backend without Type is an error, as in flannel. */
function readBackend(value: JsonValue | undefined): { type: string; backend: Record<string, unknown> } {
  if (value === undefined) return { type: 'udp', backend: {} };
  if (!isObject(value)) throw invalid('Backend', quoteJson(value), 'must be an object with a Type');
  const type = goPlainField(value, 'Type');
  if (type === undefined || type === '') throw invalid('Backend.Type', 'missing', 'must name a backend, such as "udp"');
  if (typeof type !== 'string') throw invalid('Backend.Type', quoteJson(type), 'must be a string');
  // toPlain of an object is an object.
  return { type: type.toLowerCase(), backend: toPlain(value) as Record<string, unknown> };
}

/** What differs between the families in flannel's CheckNetworkConfig. */
interface FamilyRules<P extends Prefix> {
  readonly fields: { readonly network: string; readonly len: string; readonly min: string; readonly max: string };
  readonly bits: number;
  /** A subnet needs two addresses and room for a bridge: /30, /126. */
  readonly maxSubnetLen: number;
  /** Networks up to this length get subnets of `wideSubnetLen`, longer ones a quarter each. */
  readonly wideNetworkLen: number;
  readonly wideSubnetLen: number;
  readonly example: string;
  parseAddress(text: string): bigint | undefined;
  formatAddress(address: bigint): string;
  prefix(address: bigint, length: number): P;
  isFamily(prefix: Prefix): prefix is P;
}

const IPV4_RULES: FamilyRules<Ipv4Prefix> = {
  fields: { network: 'Network', len: 'SubnetLen', min: 'SubnetMin', max: 'SubnetMax' },
  bits: 32,
  maxSubnetLen: 30,
  wideNetworkLen: 22,
  wideSubnetLen: 24,
  example: '10.244.0.0/16',
  parseAddress: (text) => optionalBigInt(parseIpv4(text)),
  formatAddress: (address) => formatIpv4(Number(address)),
  prefix: (address, length) => ipv4Prefix(Number(address), length),
  isFamily: (prefix): prefix is Ipv4Prefix => prefix.family === 4,
};

const IPV6_RULES: FamilyRules<Ipv6Prefix> = {
  fields: { network: 'IPv6Network', len: 'IPv6SubnetLen', min: 'IPv6SubnetMin', max: 'IPv6SubnetMax' },
  bits: 128,
  maxSubnetLen: 126,
  wideNetworkLen: 62,
  wideSubnetLen: 64,
  example: 'fd00:10:244::/48',
  parseAddress: parseIpv6,
  formatAddress: formatIpv6,
  prefix: ipv6Prefix,
  isFamily: (prefix): prefix is Ipv6Prefix => prefix.family === 6,
};

interface SubnetRange<P extends Prefix> {
  readonly network: P;
  readonly subnetLen: number;
  readonly subnetMin: P;
  readonly subnetMax: P;
}

function subnetRange<P extends Prefix>(rules: FamilyRules<P>, object: JsonObject): SubnetRange<P> {
  const { fields, bits } = rules;
  const network = readNetwork(rules, goField(object, fields.network));
  const subnetLen = readSubnetLen(rules, network, goPlainField(object, fields.len));
  const size = 1n << BigInt(bits - subnetLen);
  const first = BigInt(network.address);
  const end = first + (1n << BigInt(bits - network.length));
  // The first subnet is not handed out: its base address would be the network's own. flannel config.go.
  const subnetMin = readBound(rules, object, fields.min, network, subnetLen) ?? first + size;
  const subnetMax = readBound(rules, object, fields.max, network, subnetLen) ?? end - size;
  if (subnetMin > subnetMax)
    throw invalid(
      fields.min,
      rules.formatAddress(subnetMin),
      `is above ${fields.max} ${rules.formatAddress(subnetMax)}`,
    );
  return {
    network,
    subnetLen,
    subnetMin: rules.prefix(subnetMin, subnetLen),
    subnetMax: rules.prefix(subnetMax, subnetLen),
  };
}

function readNetwork<P extends Prefix>(rules: FamilyRules<P>, value: JsonValue | undefined): P {
  const field = rules.fields.network;
  const allowed = `must be an IPv${rules.bits === 32 ? 4 : 6} prefix such as "${rules.example}"`;
  if (value === undefined) throw invalid(field, 'missing', allowed);
  const prefix = typeof value === 'string' ? parsePrefix(value) : undefined;
  // flannel takes a prefix of length 0 at address 0 for "not given".
  if (prefix === undefined || !rules.isFamily(prefix) || prefix.length === 0)
    throw invalid(field, quoteJson(value), allowed);
  return prefix;
}

function readSubnetLen(rules: FamilyRules<Prefix>, network: Prefix, value: JsonValue | undefined): number {
  const { fields, maxSubnetLen } = rules;
  const given = value === undefined ? 0 : readUnsigned(fields.len, value);
  if (given !== 0) {
    if (given > maxSubnetLen) throw invalid(fields.len, `${given}`, `must be ${maxSubnetLen} or less`);
    if (given < network.length + 2)
      throw invalid(
        fields.len,
        `${given}`,
        `must be ${network.length + 2} or more, so that ${formatPrefix(network)} holds four subnets`,
      );
    return given;
  }
  if (network.length > maxSubnetLen - 2)
    throw invalid(fields.network, formatPrefix(network), `must be /${maxSubnetLen - 2} or larger to hold four subnets`);
  return network.length <= rules.wideNetworkLen ? rules.wideSubnetLen : network.length + 2;
}

/** SubnetMin or SubnetMax; undefined when not given or zero, which flannel takes as not given. */
function readBound(
  rules: FamilyRules<Prefix>,
  object: JsonObject,
  field: string,
  network: Prefix,
  subnetLen: number,
): bigint | undefined {
  const value = goField(object, field);
  // flannel's IPv6 bounds are pointers, where null is "not given"; its IPv4 bounds are not, and null is refused.
  if (value === undefined || (value === null && rules.bits === 128)) return undefined;
  const address = typeof value === 'string' ? rules.parseAddress(value) : undefined;
  if (address === undefined)
    throw invalid(field, quoteJson(value), `must be an IPv${rules.bits === 32 ? 4 : 6} address`);
  if (address === 0n) return undefined;
  if (!prefixContains(network, rules.prefix(address, rules.bits)))
    throw invalid(field, rules.formatAddress(address), `must lie in ${formatPrefix(network)}`);
  const boundary = BigInt(rules.prefix(address, subnetLen).address);
  if (address !== boundary)
    throw invalid(
      field,
      rules.formatAddress(address),
      `must be the start of a /${subnetLen}, such as ${rules.formatAddress(boundary)}`,
    );
  return address;
}

function readBoolean(object: JsonObject, field: string, fallback: boolean): boolean {
  const value = goPlainField(object, field);
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalid(field, quoteJson(value), 'must be true or false');
  return value;
}

function readUnsigned(field: string, value: JsonValue): number {
  const literal = typeof value === 'object' && value?.kind === 'number' ? value.literal : '';
  if (!/^(0|[1-9][0-9]*)$/.test(literal)) throw invalid(field, quoteJson(value), 'must be a whole number');
  return Number(literal);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value?.kind === 'object';
}

function optionalBigInt(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function invalid(field: string, found: string, allowed: string): WeftError {
  return new WeftError('CONFIG_INVALID', `${field} is ${found}: ${allowed}`);
}
