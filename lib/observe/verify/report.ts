import type { CheckName } from '../../capture/checks.ts';
import { ipOffset } from '../../capture/link-layer.ts';
import { LINKTYPE_ETHERNET } from '../../capture/link-type.ts';
import { printFrame, printPacket } from '../../wire/print.ts';
import type { DirectionTally, FrameToVerify, VerifyTally } from './tally.ts';

/** `weft verify --json`; keys are stable. */
export interface VerifyReport {
  readonly schema: 'weft-verify/1';
  /** Packets were checked, and nothing was wrong with any. */
  readonly ok: boolean;
  /** Where frames came from: a file's name, "eth0". */
  readonly source: string;
  readonly seconds: number | null;
  readonly frames: number;
  /** Frames of the networks, which were checked. */
  readonly checked: number;
  /** Frames of others. */
  readonly others: number;
  /** Of the peer monitors, left out. */
  readonly probes: number;
  readonly fragments: number;
  /** Frames of which too few bytes were kept. */
  readonly cut: number;
  readonly superPackets: number;
  readonly unfinished: { readonly inner: number; readonly outer: number };
  /** What was not looked at, and why; sentences. */
  readonly notChecked: readonly string[];
  /** Frames that the kernel had no room for. */
  readonly lost: number;
  readonly directions: readonly Readonly<DirectionTally>[];
  readonly faults: readonly VerifyFault[];
}

export interface VerifyFault {
  readonly network: string;
  readonly check: CheckName;
  /** What had to hold. */
  readonly rule: string;
  readonly count: number;
  /** Where the first such frame is, and what is in it. */
  readonly where: string;
  readonly frame: string;
}

/** What each check asks of a frame. */
const RULES: Readonly<Record<CheckName, string>> = {
  ethernet: "Ethernet addresses are those of the hosts' devices",
  'outer-ip': 'the outer IP header is whole, of the right protocol, its checksum right',
  'outer-tos': 'no congestion mark on a packet whose sender knows none (RFC 6040)',
  'outer-addresses': 'from the address of one lease to that of another',
  'outer-ports': "the backend's UDP port: udp from it and to it, vxlan to it",
  'outer-length': 'the outer UDP length fills the IP packet',
  'outer-checksum': 'the outer UDP checksum is right',
  'vxlan-header': "VXLAN flags 08, the network's VNI, reserved bits zero (RFC 7348)",
  'inner-ethernet': "inner MAC addresses are the leases' VtepMACs; inside is IP or ARP",
  'inner-ip': 'the inner IP header is whole, its checksum right, and it fills what carries it',
  'inner-addresses': "the inner source lies in the sender's lease, the destination in the receiver's",
  'inner-ttl': 'a TTL that a forwarded packet can have; udp counts as a hop, as flanneld does',
  'inner-checksum': 'the inner ICMP, TCP or UDP checksum is right',
  mtu: "no packet is longer than the underlay's MTU",
};

/** A frame in words: captures hold frames of several link types. */
function printed({ bytes, linkType }: Pick<FrameToVerify, 'bytes' | 'linkType'>): string {
  if (linkType === LINKTYPE_ETHERNET) return printFrame(bytes);
  return printPacket(bytes.subarray(ipOffset(new DataView(bytes.buffer), linkType) ?? 0));
}

export interface ReportFacts {
  readonly source: string;
  readonly seconds: number | null;
  readonly lost: number;
  readonly notChecked: readonly string[];
}

export function verifyReport(tally: VerifyTally, facts: ReportFacts): VerifyReport {
  const { untold } = tally;
  const notChecked = untold === 0 ? [] : [`${untold} frames of which too few bytes were kept to tell whose they are`];
  return {
    schema: 'weft-verify/1',
    ok: tally.checked > 0 && tally.faults.size === 0,
    source: facts.source,
    seconds: facts.seconds,
    frames: tally.frames,
    checked: tally.checked,
    others: tally.others,
    probes: tally.probes,
    fragments: tally.fragments,
    cut: tally.cut,
    superPackets: tally.superPackets,
    unfinished: { inner: tally.unfinishedInner, outer: tally.unfinishedOuter },
    notChecked: [...facts.notChecked, ...notChecked],
    lost: facts.lost,
    directions: [...tally.directions.values()],
    faults: [...tally.faults.values()].map((fault) => {
      const { network, check, count, where } = fault;
      return { network, check, rule: RULES[check], count, where, frame: printed(fault) };
    }),
  };
}
