/** Which packets a capture is about, beyond what the kernel's filters can say. */
import { readFileSync } from 'node:fs';
import { BpfProgram } from '../capture/bpf.ts';
import { Layers, word } from '../capture/layers.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../capture/link-type.ts';
import { WeftError } from '../error.ts';
import { compileFilter } from '../sys/libpcap.ts';
import { ETHERNET_TYPE, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/layout/ethernet.ts';
import type { EdgePacket } from './edge-capture.ts';
import type { Edge } from './edges.ts';

/**
 * A pcap-filter(7) on the underlay's frames, alone: for libpcap's words about what was written, and so that no parenthesis of it
 * ends one of ours. Throws BAD_FILTER, LIBPCAP_MISSING.
 */
export function checkOuterFilter(text: string): void {
  compileFilter(text, LINKTYPE_ETHERNET);
}

/** A pcap-filter(7) on inner packets, wherever they are: alone on the overlay, carried on the underlay. */
export class InnerFilter {
  readonly #program: BpfProgram;
  /** It speaks of Ethernet addresses: only inner frames can match. */
  readonly #onFrames: boolean;
  readonly #layers = new Layers();

  /** Throws BAD_FILTER, LIBPCAP_MISSING. */
  constructor(text: string) {
    const { program, onFrames } = compileInner(text);
    this.#program = new BpfProgram(program);
    this.#onFrames = onFrames;
  }

  matches({ edge, linkType, tunnels, packet }: EdgePacket): boolean {
    const layers = this.#layers;
    const { memory, start, end, length } = packet;
    const level = layers.read(memory, start, end, linkType === LINKTYPE_ETHERNET, tunnels) - 1;
    const carried = edge.kind === 'underlay' && edge.networks.every(({ wire }) => wire.encapsulation !== 'none');
    // Not IP: an ARP frame of a TAP can still match a filter on frames.
    if (level < 0)
      return this.#onFrames && linkType === LINKTYPE_ETHERNET && !carried && this.#run(memory, start, end, length);
    if (carried && level < 1) return false;
    const at = this.#onFrames ? layers.ethernet[level]! : layers.ip[level]!;
    return at >= 0 && this.#run(memory, at, end, length - (at - start));
  }

  #run(memory: Uint8Array, start: number, end: number, length: number): boolean {
    return this.#program.run(memory, start, end, length) !== 0;
  }
}

function compileInner(text: string): { program: ReturnType<typeof compileFilter>; onFrames: boolean } {
  try {
    return { program: compileFilter(text, LINKTYPE_RAW), onFrames: false };
  } catch (error) {
    try {
      return { program: compileFilter(text, LINKTYPE_ETHERNET), onFrames: true };
    } catch {
      // The first error is about the language; this one would be about the other link type.
    }
    throw error;
  }
}

/**
 * A pcap-filter(7) for the terminal session this process runs in, by the SSH_CONNECTION of it or of a process above it (sudo
 * keeps it from us); undefined without one.
 */
export function ownSession(environment: Readonly<Record<string, string | undefined>>, pid: number): string | undefined {
  const text = environment.SSH_CONNECTION ?? connectionOfAncestor(pid);
  const parts = text?.split(' ') ?? [];
  const [client = '', clientPort = '', server = '', serverPort = ''] = parts;
  // From the environment: only what is an address and a port goes into a filter.
  if (parts.length !== 4 || !/^[\d.]+$|^[\da-f:]+$/i.test(client) || !/^[\d.]+$|^[\da-f:]+$/i.test(server))
    return undefined;
  if (!/^\d+$/.test(clientPort) || !/^\d+$/.test(serverPort)) return undefined;
  return `tcp and host ${client} and port ${clientPort} and host ${server} and port ${serverPort}`;
}

/** All packets but those of a session, which `ownSession` has named; what is no IP packet is nobody's session. */
export function notOfSession(session: string | undefined): (packet: EdgePacket) => boolean {
  if (session === undefined) return () => true;
  const others = new InnerFilter(`not (${session})`);
  return (packet) => others.matches(packet) || !isIpPacket(packet);
}

function isIpPacket({ linkType, packet: { memory, start } }: EdgePacket): boolean {
  if (linkType !== LINKTYPE_ETHERNET) return true;
  const type = word(memory, start + ETHERNET_TYPE);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6;
}

/** Our choice: shells in shells are not deeper. */
const ANCESTORS_MAX = 32;

function connectionOfAncestor(pid: number): string | undefined {
  let at = pid;
  for (let i = 0; i < ANCESTORS_MAX && at > 1; i++) {
    try {
      const entry = readFileSync(`/proc/${at}/environ`, 'latin1')
        .split('\0')
        .find((line) => line.startsWith('SSH_CONNECTION='));
      if (entry !== undefined) return entry.slice('SSH_CONNECTION='.length);
      at = Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${at}/stat`, 'latin1'))?.[1] ?? 0);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** The edges of the networks and kinds that were asked for. Throws UNKNOWN_NETWORK, NO_SUCH_DEVICE. */
export function chooseEdges(edges: readonly Edge[], network: string | undefined, where: string | undefined): Edge[] {
  const named = network === undefined ? [...edges] : edges.flatMap((edge) => narrowed(edge, network));
  if (network !== undefined && named.length === 0)
    throw new WeftError('UNKNOWN_NETWORK', `No network "${network}" has a device now`, { hint: 'see weft status' });
  if (where === undefined) return named;
  const chosen = named.filter(({ kind, device }) => kind === where || device === where);
  if (chosen.length > 0) return chosen;
  const devices = named.map(({ device }) => device).join(', ');
  throw new WeftError(
    'NO_SUCH_DEVICE',
    `"${where}" is neither overlay nor underlay, nor one of the devices ${devices}`,
  );
}

/** The part of an edge that is one network's. */
function narrowed(edge: Edge, name: string): Edge[] {
  const networks = edge.networks.filter((network) => network.name === name);
  if (networks.length === 0) return [];
  if (networks.length === edge.networks.length) return [edge];
  const filters = networks.map(({ filter }) => filter);
  return [{ ...edge, networks, filter: filters.join(' or ') }];
}
