/** Names, addresses and paths of a lab: all follow from its id and its options. */
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { WeftError } from '../error.ts';
import type { Lab, LabHost, LabOptions, LabTenant } from './model.ts';

/** What is written to lab.json; the rest of a Lab follows from it. */
export type LabDescription = Required<Pick<LabOptions, 'id' | 'hosts' | 'direct' | 'underlayMtu' | 'tenants'>>;

export const MAX_HOSTS = 200;
/** One digit in the names of their namespaces. */
export const MAX_TENANTS = 9;
/** IPv6 needs 1280 (RFC 8200 §5). */
export const MIN_UNDERLAY_MTU = 1280;
export const MAX_UNDERLAY_MTU = 65_535;
const DIRECTORY_PREFIX = 'weft-lab-';

function isLabId(id: string): boolean {
  return /^[a-z0-9]{1,8}$/.test(id);
}

/** Throws WeftError USAGE for a bad id. */
export function directoryOf(id: string): string {
  requireLabId(id);
  return join(tmpdir(), DIRECTORY_PREFIX + id);
}

/** The id in the name of a lab's directory; undefined for other names. */
export function idOfDirectory(name: string): string | undefined {
  if (!name.startsWith(DIRECTORY_PREFIX)) return undefined;
  const id = name.slice(DIRECTORY_PREFIX.length);
  return isLabId(id) ? id : undefined;
}

/** Throws WeftError USAGE when something is out of range. */
export function describeLab(options: LabOptions): LabDescription {
  const { id, hosts, direct = false, underlayMtu = 1500, tenants = 0 } = options;
  requireLabId(id);
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > MAX_HOSTS)
    throw usage(`Cannot make a lab of ${hosts} hosts: 1 to ${MAX_HOSTS} are possible`);
  if (direct && hosts !== 2) throw usage(`Cannot join ${hosts} hosts by one veth: it has two ends`);
  if (!Number.isInteger(underlayMtu) || underlayMtu < MIN_UNDERLAY_MTU || underlayMtu > MAX_UNDERLAY_MTU)
    throw usage(`Cannot use underlay MTU ${underlayMtu}: ${MIN_UNDERLAY_MTU} to ${MAX_UNDERLAY_MTU} are possible`);
  if (!Number.isInteger(tenants) || tenants < 0 || tenants > MAX_TENANTS)
    throw usage(`Cannot make a lab with ${tenants} tenants: 0 to ${MAX_TENANTS} are possible`);
  return { id, hosts, direct, underlayMtu, tenants };
}

export function layOut(description: LabDescription): Lab {
  const { id, direct, underlayMtu } = description;
  const directory = directoryOf(id);
  const hosts = upTo(description.hosts).map((number) => layOutHost(id, directory, number));
  return {
    id,
    hosts,
    tenants: upTo(description.tenants).map((number) => layOutTenant(id, hosts, number)),
    direct,
    underlayMtu,
    directory,
    etcdNetns: direct ? `${id}-h1` : underlayNetns(id),
    etcdEndpoint: `http://${direct ? '192.0.2.1' : '192.0.2.254'}:2379`,
  };
}

function layOutHost(id: string, directory: string, number: number): LabHost {
  const own = join(directory, `h${number}`);
  return {
    number,
    netns: `${id}-h${number}`,
    podNetns: `${id}-pod${number}`,
    underlayAddress: `192.0.2.${number}`,
    underlayAddress6: `2001:db8::${number.toString(16)}`,
    underlayInterface: 'u0',
    subnetFile: join(own, 'subnet.env'),
    controlSocket: join(own, 'weft.sock'),
  };
}

function layOutTenant(id: string, hosts: readonly LabHost[], number: number): LabTenant {
  const name = `t${number}`;
  return {
    number,
    name,
    etcdPrefix: `/weft/${name}`,
    sites: hosts.map((host) => ({
      netns: `${id}-${name}h${host.number}`,
      podNetns: `${id}-${name}pod${host.number}`,
      subnetFile: join(dirname(host.subnetFile), `${name}.env`),
    })),
  };
}

/** 1, 2, ..., last. */
function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** The namespace of the bridge that joins the hosts. */
export function underlayNetns(id: string): string {
  return `${id}-net`;
}

export function namespacesOf(lab: Lab): string[] {
  const sites = [...lab.hosts, ...lab.tenants.flatMap((tenant) => tenant.sites)];
  const names = sites.flatMap((site) => [site.netns, site.podNetns]);
  return lab.direct ? names : [underlayNetns(lab.id), ...names];
}

/** True for every name a lab with this id can have, whatever its numbers of hosts and tenants were. */
export function isNamespaceOf(id: string, name: string): boolean {
  return name.startsWith(`${id}-`) && /^(net|(t\d)?(h|pod)\d{1,3})$/.test(name.slice(id.length + 1));
}

function requireLabId(id: string): void {
  if (!isLabId(id))
    throw usage(`Cannot use lab id ${JSON.stringify(id)}: 1 to 8 characters of a-z and 0-9 are possible`);
}

function usage(message: string): WeftError {
  return new WeftError('USAGE', message);
}
