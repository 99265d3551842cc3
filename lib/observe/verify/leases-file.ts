/**
 * Leases from a file, for captures of another machine or another day: what `etcdctl get --prefix /coreos.com/network` prints, keys
 * and values in turn, or the same with `-w json`.
 */
import { readFileSync } from 'node:fs';
import { parseMac } from '../../addr/mac.ts';
import type { Wire } from '../../capture/checks.ts';
import type { InspectedNode } from '../../capture/expectation.ts';
import { messageOf, WeftError } from '../../error.ts';
import { wireOf } from '../../headers/wire-of.ts';
import { type BackendObject, findOption } from '../../lease/backend-option.ts';
import type { LeaseAttrs } from '../../lease/lease.ts';
import { decodeLeaseAttrs } from '../../lease/lease-attrs.ts';
import { parseNetworkConfig } from '../../lease/network-config.ts';
import { parseSubnetKey } from '../../lease/subnet-key.ts';
import type { VerifiedNetwork } from './networks.ts';

/** Codes: LEASES_UNREADABLE. `mtu`: of the underlay. */
export function readLeases(path: string, mtu: number): VerifiedNetwork {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, messageOf(cause), cause);
  }
  return networkOfLeases(text, path, mtu);
}

/** Exported for tests. `path` is for messages. */
export function networkOfLeases(text: string, path: string, mtu: number): VerifiedNetwork {
  let configText: string | undefined;
  const nodes: InspectedNode[] = [];
  let learning = false;
  let wire: Wire | undefined;
  for (const [key, value] of pairsOf(text, path)) {
    const name = key.slice(key.lastIndexOf('/') + 1);
    if (name === 'config') configText = value;
    const subnets = parseSubnetKey(name);
    if (subnets === undefined) continue;
    try {
      nodes.push(
        nodeOf(decodeLeaseAttrs(value), [subnets.ipv4, ...(subnets.ipv6 === undefined ? [] : [subnets.ipv6])]),
      );
    } catch {
      // A value that no daemon reads is no lease.
    }
  }
  if (configText === undefined) throw unreadable(path, 'there is no key ".../config" in it');
  if (nodes.length === 0) throw unreadable(path, 'there is no lease in it');
  try {
    const { backendType, backend } = parseNetworkConfig(configText);
    wire = wireOfConfig(backendType, backend);
    learning = findOption(backend, 'Learning') === true;
  } catch (cause) {
    throw unreadable(path, messageOf(cause), cause);
  }
  if (wire === undefined) throw unreadable(path, 'its backend is none that packets are verified of');
  return { name: '', wire, nodes, learning, mtu };
}

function nodeOf(
  { publicIp, publicIpv6, backendData, backendV6Data }: LeaseAttrs,
  inner: InspectedNode['inner'],
): InspectedNode {
  return {
    addresses: publicIpv6 === undefined ? [publicIp] : [publicIp, publicIpv6],
    mac: undefined,
    inner,
    vtepMacs: [backendData, backendV6Data].flatMap((data) => {
      const text = typeof data === 'object' && data !== null ? findOption(data as BackendObject, 'VtepMAC') : undefined;
      const mac = typeof text === 'string' ? parseMac(text) : undefined;
      return mac === undefined ? [] : [mac];
    }),
  };
}

/** Undefined of a backend that carries nothing. */
function wireOfConfig(type: string, backend: BackendObject): Wire | undefined {
  const number = (name: string): number | null => {
    const value = findOption(backend, name);
    return typeof value === 'number' && value > 0 ? value : null;
  };
  return wireOf({ type, port: number('Port'), vni: number('VNI') });
}

function pairsOf(text: string, path: string): [key: string, value: string][] {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) {
    const decoded = (base64: unknown) => Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64').toString();
    try {
      const { kvs } = JSON.parse(trimmed) as {
        readonly kvs?: readonly { readonly key: unknown; readonly value: unknown }[];
      };
      return Array.from(kvs ?? [], ({ key, value }) => [decoded(key), decoded(value)]);
    } catch (cause) {
      throw unreadable(path, messageOf(cause), cause);
    }
  }
  const lines = trimmed.split('\n').filter((line) => line.trim() !== '');
  return lines.flatMap((line, index): [string, string][] =>
    index % 2 === 0 ? [[line.trim(), lines[index + 1] ?? '']] : [],
  );
}

function unreadable(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('LEASES_UNREADABLE', `Cannot read leases from ${JSON.stringify(path)}: ${why}`, {
    cause,
    hint: 'it has to hold what "etcdctl get --prefix /coreos.com/network" prints, -w json or not',
  });
}
