/** What was captured: the file, and the verdict on each frame. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IpAddress } from '../addr/ip.ts';
import { messageOf, WeftError } from '../error.ts';
import { checkIpv4, ipv4TotalLength } from '../wire/ipv4.ts';
import { ETHERNET_HEADER } from '../wire/layout/ethernet.ts';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../wire/layout/ip.ts';
import { printFrame } from '../wire/print.ts';
import type { CheckName } from './checks.ts';
import type { Expectation } from './expectation.ts';
import { inspectFrame } from './inspect.ts';
import type { Inspection } from './inspection.ts';
import { interfaceDescription, sectionHeader, simplePacket } from './pcapng.ts';
import type { Sum } from './transport-sum.ts';

/** No timestamps rather than wrong ones: the only clock we could read is late by up to 100 ms under load (lib/capture/live.ts). */
const APPLICATION = "weft demo, captured with cap (libpcap), which does not pass on the kernel's timestamps";
const SNAP_LENGTH = 65_535;

/** `offloaded`: unfinished, the NIC would have completed it; a veth never does. */
type OuterChecksum = 'right' | 'offloaded' | 'none' | 'wrong';

export interface CaptureTally {
  /** Frames in the file. */
  readonly frames: number;
  /** Inner packets; as many as frames unless trains were captured whole. */
  readonly innerPackets: number;
  readonly icmp: number;
  readonly tcp: number;
  readonly udp: number;
  readonly outerChecksums: Readonly<Record<OuterChecksum, number>>;
  readonly flows: FlowTally;
  /** How many frames failed each check, and the first such frame in words. */
  readonly failures: ReadonlyMap<CheckName, CheckFailure>;
}

interface CheckFailure {
  readonly count: number;
  readonly example: string | undefined;
}

/** Inner flows, each direction by itself, and the outer UDP source ports that carried them; none without outer UDP. */
interface FlowTally {
  readonly flows: number;
  /** How many different ones each host used. */
  readonly sourcePorts: readonly number[];
  /** Flows that came by more than one source port: paths of equal cost may bring their packets out of order. */
  readonly split: number;
}

/** Keeps frames for a pcapng file and inspects each as it comes. */
export class CaptureRecord {
  readonly #blocks: Uint8Array[];
  readonly #expected: Expectation;
  readonly #linkType: number;
  #frames = 0;
  #innerPackets = 0;
  readonly #protocols = new Map<number, number>();
  readonly #outerChecksums = new Map<Sum, number>();
  readonly #failures = new Map<CheckName, { count: number; example: string }>();
  readonly #portsOfFlow = new Map<string, Set<number>>();
  readonly #portsOfHost = new Map<IpAddress, Set<number>>();

  constructor(device: string, linkType: number, expected: Expectation) {
    this.#expected = expected;
    this.#linkType = linkType;
    this.#blocks = [
      sectionHeader(APPLICATION),
      interfaceDescription({ name: device, linkType, snapLength: SNAP_LENGTH }),
    ];
  }

  get frames(): number {
    return this.#frames;
  }

  get innerPackets(): number {
    return this.#innerPackets;
  }

  /** The probes of the daemons' peer monitors are left out: nobody's traffic is in them. */
  add(frame: Uint8Array): void {
    const length = lengthOnWire(frame);
    const inspection = inspectFrame({ bytes: frame, length, linkType: this.#linkType }, this.#expected);
    if (inspection.inner.some(({ isProbe }) => isProbe)) return;
    this.#frames++;
    this.#blocks.push(simplePacket(frame, length));
    this.#innerPackets += inspection.inner.length;
    for (const { protocol } of inspection.inner) increment(this.#protocols, protocol);
    if (inspection.outerChecksum !== undefined) increment(this.#outerChecksums, inspection.outerChecksum);
    this.#addFlows(inspection);
    for (const check of inspection.failed) {
      const failure = this.#failures.get(check) ?? { count: 0, example: printFrame(frame) };
      failure.count++;
      this.#failures.set(check, failure);
    }
  }

  #addFlows({ inner, outerSource }: Inspection): void {
    if (outerSource === undefined) return;
    const { address, port } = outerSource;
    collect(this.#portsOfHost, address, port);
    for (const { flow } of inner) collect(this.#portsOfFlow, flow, port);
  }

  /** Writes the file beside its name first: it appears whole, and a link somebody put there is replaced, not followed. */
  save(path: string): void {
    const temporary = `${path}.new`;
    try {
      rmSync(temporary, { force: true });
      writeFileSync(temporary, Buffer.concat(this.#blocks), { flag: 'wx', mode: 0o644 });
      renameSync(temporary, path);
    } catch (cause) {
      rmSync(temporary, { force: true });
      throw new WeftError('CAPTURE_NOT_WRITTEN', `Cannot write the capture file ${path}: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  get tally(): CaptureTally {
    const protocol = (number: number) => this.#protocols.get(number) ?? 0;
    const sum = (kind: Sum) => this.#outerChecksums.get(kind) ?? 0;
    return {
      frames: this.#frames,
      innerPackets: this.#innerPackets,
      icmp: protocol(IPPROTO_ICMP),
      tcp: protocol(IPPROTO_TCP),
      udp: protocol(IPPROTO_UDP),
      outerChecksums: {
        right: sum('right'),
        offloaded: sum('unfinished'),
        none: sum('none'),
        wrong: sum('wrong'),
      },
      flows: {
        flows: this.#portsOfFlow.size,
        sourcePorts: [...this.#portsOfHost.values()].map(({ size }) => size),
        split: [...this.#portsOfFlow.values()].filter(({ size }) => size > 1).length,
      },
      failures: this.#failures,
    };
  }
}

function increment<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function collect<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

/** The captured length is all that `cap` gives; a frame it cut still says in its IP header how long it was. */
function lengthOnWire(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < SNAP_LENGTH) return frame.length;
  const cut = checkIpv4(view, ETHERNET_HEADER, Number.MAX_SAFE_INTEGER) === undefined;
  return cut ? Math.max(frame.length, ETHERNET_HEADER + ipv4TotalLength(view, ETHERNET_HEADER)) : frame.length;
}
