/** What was seen of the frames that were verified: faults by kind with their first example, and how much passed between whom. */
import { formatIp, type IpAddress } from '../../addr/ip.ts';
import type { CheckName } from '../../capture/checks.ts';
import { type Expectation, InspectedNodes } from '../../capture/expectation.ts';
import { inspectFrame } from '../../capture/inspect.ts';
import type { InspectedFrame, Inspection } from '../../capture/inspection.ts';
import { readIpPacket } from '../../capture/ip-packet.ts';
import { ipOffset } from '../../capture/link-layer.ts';
import { ETHERNET_HEADER } from '../../wire/layout/ethernet.ts';
import { IPPROTO_IPIP, IPPROTO_UDP } from '../../wire/layout/ip.ts';
import { IPV4_HEADER_MIN } from '../../wire/layout/ipv4.ts';
import { UDP_DESTINATION_PORT, UDP_HEADER } from '../../wire/layout/udp.ts';
import { VXLAN_HEADER, VXLAN_VNI } from '../../wire/layout/vxlan.ts';
import type { VerifiedNetwork } from './networks.ts';

export interface FrameToVerify extends InspectedFrame {
  /** For the example of a fault: "frame 12", "12:31:07.120441817 eth0 out". */
  readonly where: () => string;
}

/** From one underlay address to another. */
export interface DirectionTally {
  readonly network: string;
  readonly from: string;
  readonly to: string;
  frames: number;
  innerPackets: number;
  bytes: number;
  faults: number;
  unfinished: number;
  superPackets: number;
}

export interface Fault {
  readonly network: string;
  readonly check: CheckName;
  count: number;
  /** Of the first frame: where it is, and what is in it. */
  readonly where: string;
  readonly bytes: Uint8Array;
  readonly linkType: number;
}

/** Our choice: anybody may send with any source address; what comes from more is counted together. */
const MOST_DIRECTIONS = 1000;

/** Up to the end of a UDP header without options before it: of fewer bytes nothing tells whose a frame is. */
const TELLING_BYTES = ETHERNET_HEADER + IPV4_HEADER_MIN + UDP_HEADER;

/** A network, and what its frames have to be. */
interface Verified {
  readonly network: VerifiedNetwork;
  readonly expected: Expectation;
}

export class VerifyTally {
  frames = 0;
  /** Frames that are none of the networks'. */
  others = 0;
  /** Of them those that were kept too short for it to be told. */
  untold = 0;
  checked = 0;
  probes = 0;
  /** Later fragments: nothing but their outer header can be seen. */
  fragments = 0;
  /** Frames of which too few bytes were kept to check all. */
  cut = 0;
  superPackets = 0;
  unfinishedInner = 0;
  unfinishedOuter = 0;
  readonly directions = new Map<string, DirectionTally>();
  readonly faults = new Map<string, Fault>();
  readonly #networks: readonly Verified[];

  /** `asOnWire`: nothing is left to a NIC, as in what a live capture has cut and finished. */
  constructor(networks: readonly VerifiedNetwork[], asOnWire: boolean) {
    this.#networks = networks.map((network) => {
      const { wire, nodes, learning, mtu } = network;
      const known = nodes === undefined ? undefined : new InspectedNodes(nodes);
      const given = { wire, nodes: known, learning, mtu, asOnWire };
      return { network, expected: { ...given, innerTtl: undefined, dscp: undefined, strict: false } };
    });
  }

  add(frame: FrameToVerify): void {
    this.frames++;
    const ours = this.#networkOf(frame);
    if (ours === undefined) {
      this.others++;
      if (frame.bytes.length < Math.min(frame.length, TELLING_BYTES)) this.untold++;
      return;
    }
    const seen = inspectFrame(frame, ours.expected);
    if (seen.inner.some(({ isProbe }) => isProbe)) {
      this.probes++;
      return;
    }
    this.checked++;
    const unfinished = seen.inner.filter(({ checksum }) => checksum === 'unfinished').length;
    this.unfinishedInner += unfinished;
    if (seen.outerChecksum === 'unfinished') this.unfinishedOuter++;
    if (seen.isSuperPacket) this.superPackets++;
    if (seen.isFragment) this.fragments++;
    if (seen.unchecked.size > 0) this.cut++;
    this.#addDirection(ours.network, frame, seen, unfinished);
    for (const check of seen.failed) this.#addFault(ours.network, check, frame);
  }

  #addDirection({ name, wire }: VerifiedNetwork, frame: FrameToVerify, seen: Inspection, unfinished: number): void {
    const ends =
      wire.encapsulation === 'none' ? endsOf(frame) : { from: seen.outerSource?.address, to: seen.outerDestination };
    const [from, to] = [textOf(ends.from), textOf(ends.to)];
    let key = `${name} ${from} ${to}`;
    if (this.directions.size >= MOST_DIRECTIONS && !this.directions.has(key)) key = 'others';
    let direction = this.directions.get(key);
    if (direction === undefined) {
      const [shownFrom, shownTo] = key === 'others' ? ['others', 'others'] : [from, to];
      const zero = { frames: 0, innerPackets: 0, bytes: 0, faults: 0, unfinished: 0, superPackets: 0 };
      direction = { network: name, from: shownFrom, to: shownTo, ...zero };
      this.directions.set(key, direction);
    }
    direction.frames++;
    direction.innerPackets += seen.inner.length;
    direction.bytes += frame.length;
    direction.unfinished += unfinished;
    if (seen.failed.size > 0) direction.faults++;
    if (seen.isSuperPacket) direction.superPackets++;
  }

  #addFault({ name }: VerifiedNetwork, check: CheckName, { where, bytes, linkType }: FrameToVerify): void {
    const key = `${name} ${check}`;
    const fault = this.faults.get(key);
    if (fault !== undefined) fault.count++;
    else this.faults.set(key, { network: name, check, count: 1, where: where(), bytes: bytes.slice(), linkType });
  }

  /** By port and protocol; of several VXLAN networks on one port the one with the frame's VNI, else the first. */
  #networkOf({ bytes, linkType, length }: InspectedFrame): Verified | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const at = ipOffset(view, linkType);
    if (at === undefined) return undefined;
    const mark = markOf(view, at, length);
    if (mark === undefined) return undefined;
    const candidates = this.#networks.filter(({ expected }) => isOf(expected, mark));
    return (
      candidates.find(({ network: { wire } }) => wire.encapsulation === 'vxlan' && wire.vni === mark.vni) ??
      candidates[0]
    );
  }
}

/** What tells whose a frame is, as far as it can be read at all: also of one that is wrong in something else. */
interface Mark {
  readonly protocol: number;
  /** Of the outer UDP header. */
  readonly port: number | undefined;
  readonly vni: number | undefined;
  readonly source: IpAddress | undefined;
  readonly destination: IpAddress | undefined;
  readonly isLater: boolean;
}

function markOf(view: DataView, at: number, length: number): Mark | undefined {
  const packet = readIpPacket(view, at, length);
  if (packet === 'cut') return undefined;
  // A wrong checksum or length is for the checks to say: whose frame it is shows all the same.
  const payload = packet?.payload ?? at + 20;
  const protocol = packet?.protocol ?? (at + 20 <= view.byteLength ? view.getUint8(at + 9) : undefined);
  if (protocol === undefined) return undefined;
  const isLater = packet?.isLater ?? false;
  const hasPort = protocol === IPPROTO_UDP && !isLater && payload + UDP_HEADER <= view.byteLength;
  const vxlan = payload + UDP_HEADER + VXLAN_VNI;
  return {
    protocol,
    port: hasPort ? view.getUint16(payload + UDP_DESTINATION_PORT) : undefined,
    vni: hasPort && vxlan + VXLAN_HEADER - VXLAN_VNI <= view.byteLength ? view.getUint32(vxlan) >>> 8 : undefined,
    source: packet?.source,
    destination: packet?.destination,
    isLater,
  };
}

function isOf({ wire, nodes }: Expectation, { protocol, port, source, destination, isLater }: Mark): boolean {
  switch (wire.encapsulation) {
    case 'ipip':
      return protocol === IPPROTO_IPIP;
    case 'none':
      return [source, destination].some((address) => address !== undefined && nodes?.holding(address) !== undefined);
    default:
      // Of a later fragment its nodes alone say that it is ours.
      if (isLater) return source !== undefined && nodes?.at(source) !== undefined;
      return protocol === IPPROTO_UDP && port === wire.port;
  }
}

function endsOf({ bytes, linkType, length }: InspectedFrame): {
  from: IpAddress | undefined;
  to: IpAddress | undefined;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = ipOffset(view, linkType);
  const packet = at === undefined ? undefined : readIpPacket(view, at, length);
  return typeof packet === 'object'
    ? { from: packet.source, to: packet.destination }
    : { from: undefined, to: undefined };
}

function textOf(address: IpAddress | undefined): string {
  return address === undefined ? '?' : formatIp(address);
}
