/**
 * Which networks the daemon carries: the one of -etcd-prefix and -subnet-file, or those of -network, of which each has a
 * name and may have a network namespace of its own.
 *
 *   -network=name=blue,etcd-prefix=/tenants/blue,subnet-file=/run/flannel/blue.env,netns=blue
 */
import { resolve } from 'node:path';
import type { WeftError } from '../../error.ts';
import { etcdPrefixValue, fileValue, quote, usage } from './flag-value.ts';

export interface NetworkOptions {
  /** Unique in this daemon; '' for the only network of a daemon without -network. */
  readonly name: string;
  /** As etcdPrefixValue gives it: no slash at the end. */
  readonly etcdPrefix: string;
  readonly subnetFile: string;
  /** File of the namespace for devices, neighbours and routes; undefined: the daemon's own. */
  readonly netns: string | undefined;
}

const KEYS = ['name', 'etcd-prefix', 'subnet-file', 'netns'] as const;
type Key = (typeof KEYS)[number];

/** 15 bytes are what Linux takes for a device name: a device can be named after any network. */
const NAME = /^[a-z0-9-]{1,15}$/;
const EXAMPLE = 'for example -network=name=blue,etcd-prefix=/tenants/blue,subnet-file=/run/flannel/blue.env,netns=blue';
/** Where iproute2 keeps namespaces that have a name. */
const NETNS_DIRECTORY = '/run/netns';

/**
 * Reads the values of -network. One value may hold several networks with ";" between them, as an environment variable has
 * to. Throws WeftError USAGE.
 */
export function parseNetworks(values: readonly string[]): readonly NetworkOptions[] {
  const networks = values.flatMap((value) => value.split(';')).map(parseNetwork);
  requireUnique(networks, 'name', ({ name }) => name);
  requireUnique(networks, 'etcd-prefix', ({ etcdPrefix }) => etcdPrefix);
  requireUnique(networks, 'subnet-file', ({ subnetFile }) => resolve(subnetFile));
  return networks;
}

function parseNetwork(text: string): NetworkOptions {
  const fields = new Map<Key, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    const key = KEYS.find((candidate) => candidate === part.slice(0, Math.max(equals, 0)).trim());
    if (key === undefined)
      throw invalid(text, `${quote(part)} is none of ${KEYS.map((name) => `${name}=`).join(', ')}`);
    if (fields.has(key)) throw invalid(text, `${key} is given twice`);
    fields.set(key, part.slice(equals + 1).trim());
  }
  const required = (key: Key): string => {
    const value = fields.get(key);
    if (value === undefined || value === '') throw invalid(text, `${key} is missing`);
    return value;
  };
  const name = required('name');
  if (!NAME.test(name)) throw invalid(text, `name ${quote(name)} must be 1 to 15 characters of a-z, 0-9 and "-"`);
  const netns = fields.get('netns');
  return {
    name,
    etcdPrefix: etcdPrefixValue('network: etcd-prefix', required('etcd-prefix')),
    subnetFile: fileValue('network: subnet-file', required('subnet-file')),
    netns: netns === undefined ? undefined : netnsPath(text, netns),
  };
}

/** A name is one of `ip netns`; anything with a slash is a path, such as /proc/4711/ns/net. */
function netnsPath(text: string, value: string): string {
  if (value.startsWith('/')) return value;
  if (value === '' || value === '.' || value === '..' || value.includes('/') || value.includes('\0'))
    throw invalid(text, `netns ${quote(value)} must be a name of "ip netns", or a path that begins with a slash`);
  return `${NETNS_DIRECTORY}/${value}`;
}

function requireUnique(networks: readonly NetworkOptions[], key: Key, read: (network: NetworkOptions) => string): void {
  const holders = new Map<string, string>();
  for (const network of networks) {
    const value = read(network);
    const holder = holders.get(value);
    if (holder !== undefined)
      throw usage(
        key === 'name'
          ? `two values of -network have name ${value}`
          : `networks ${holder} and ${network.name} of -network have the same ${key} ${quote(value)}`,
        `each network has its own name, etcd-prefix and subnet-file; ${EXAMPLE}`,
      );
    holders.set(value, network.name);
  }
}

function invalid(text: string, why: string): WeftError {
  return usage(`invalid value ${quote(text)} for -network: ${why}`, EXAMPLE);
}
