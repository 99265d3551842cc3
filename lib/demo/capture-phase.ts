/** Captures on the underlay of one host while something runs, and claims what was seen. */
import { release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type AnyWire, CHECKS, type CheckName, captureFilter, checkTitle } from '../capture/checks.ts';
import type { Expectation } from '../capture/expectation.ts';
import { FrameReader } from '../capture/frame-stream.ts';
import { CaptureRecord, type CaptureTally } from '../capture/record.ts';
import { setFeatures } from '../lab/ethtool.ts';
import type { LabHost } from '../lab/model.ts';
import { DemoChild } from './child.ts';
import type { Claims } from './claims.ts';

/**
 * Off while the capture runs, so that each packet crosses the veth by itself, as on a wire. Otherwise libpcap sees
 * trains of 64 KB before they are cut, and reserves 64 KiB of its buffer for each packet.
 */
const SEGMENTATION = ['tso', 'gso', 'tx-udp-segmentation'];
/** Off as well, so that checksums are complete where they are captured. */
const CHECKSUM = 'tx';
/** Before Linux 6.11 a device without checksum offload refuses UDP_SEGMENT with EIO, and the daemons would fall back. */
const TRAINS_WITHOUT_CHECKSUM_OFFLOAD = [6, 11] as const;

const QUIET_MS = 300;
const LONGEST_DRAIN_MS = 5000;

/** A device, and what is switched off on it. */
interface Switched {
  readonly netns: string;
  readonly device: string;
  readonly features: readonly string[];
}

/** Runs `body` while the backend's frames are captured on the first of the hosts; returns them. `pods`: their addresses. */
export async function captureWhile(
  hosts: readonly LabHost[],
  expected: Expectation,
  pods: readonly string[],
  body: () => Promise<void>,
): Promise<CaptureRecord> {
  // Of the lab's two hosts, the first.
  const host = hosts[0]!;
  const switched = devicesToSwitch(hosts, expected.wire);
  for (const { netns, device, features } of switched) await setFeatures(netns, device, features, 'off');
  const child = new DemoChild(host.netns, 'capture-child.js');
  try {
    const filter = captureFilter(expected.wire, pods.map((pod) => `ip host ${pod}`).join(' and '));
    child.ask({ type: 'capture', device: host.underlayInterface, filter });
    const { linkType } = await child.reply('ready');
    const record = new CaptureRecord(`${host.underlayInterface} of ${host.netns}`, linkType, expected);
    const reader = new FrameReader((frame) => record.add(frame));
    child.output.on('data', (chunk: Buffer) => reader.push(chunk));
    await body();
    await drain(record);
    return record;
  } finally {
    await child.stop();
    for (const { netns, device, features } of switched) await setFeatures(netns, device, features, 'on');
  }
}

function devicesToSwitch(hosts: readonly LabHost[], wire: AnyWire): Switched[] {
  const features = offloadsToSwitchOff(release(), wire.encapsulation);
  return hosts.flatMap(({ netns, podNetns, underlayInterface }) => [
    { netns, device: underlayInterface, features },
    // Where the kernel's count of forwarded packets stands for the daemon's, a super-packet would count as one.
    ...(wire.encapsulation === 'none' ? [{ netns: podNetns, device: 'eth0', features: SEGMENTATION }] : []),
  ]);
}

/** Names for ethtool -K on the underlay. `kernel` is uname's release, "6.18.44-generic". */
export function offloadsToSwitchOff(kernel: string, encapsulation: AnyWire['encapsulation']): string[] {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = TRAINS_WITHOUT_CHECKSUM_OFFLOAD;
  const harmless = major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  const trains = encapsulation === 'ip-in-udp' || encapsulation === 'vxlan';
  return harmless || !trains ? [...SEGMENTATION, CHECKSUM] : SEGMENTATION;
}

/** Until no frame has come for a while. */
async function drain(record: CaptureRecord): Promise<void> {
  const deadline = performance.now() + LONGEST_DRAIN_MS;
  for (let before = -1; record.frames !== before && performance.now() < deadline; await delay(QUIET_MS)) {
    before = record.frames;
  }
}

/** What was sent while the capture ran, and who counted it: "the daemons counted as sent". */
export interface SentCount {
  readonly packets: number;
  readonly by: string;
}

/** One claim for every header check, over all frames. */
export function claimHeaders(tally: CaptureTally, wire: AnyWire, sent: SentCount, claims: Claims): void {
  const { frames, icmp, tcp, udp } = tally;
  const inside = wire.encapsulation === 'none' ? '' : ' inside';
  claims.check(
    'captured live with cap on the underlay',
    icmp > 0 && tcp > 0 && udp > 0,
    `${frames} frames with ${icmp} ICMP, ${tcp} TCP and ${udp} UDP packets${inside}`,
  );
  claimComplete(tally, sent, claims);
  for (const [name, text] of Object.entries(CHECKS[wire.encapsulation])) {
    // Object.entries forgets that the keys are those of CHECKS.
    const check = name as CheckName;
    const failure = tally.failures.get(check);
    const more = check === 'outer-checksum' ? `, ${describeChecksums(tally)}` : '';
    const detail =
      failure === undefined
        ? `all ${frames} frames: ${text}${more}`
        : `not in ${failure.count} of ${frames} frames: ${text}${more}; the first: ${failure.example}`;
    claims.check(checkTitle(check, wire), frames > 0 && failure === undefined, detail);
  }
  if (wire.encapsulation === 'vxlan') claimFlows(tally, claims);
}

function claimComplete({ innerPackets }: CaptureTally, sent: SentCount, claims: Claims): void {
  const seen = `${innerPackets} of the ${sent.packets} packets ${sent.by}`;
  if (innerPackets < sent.packets)
    claims.skip('capture is complete', `${seen}; it missed the rest, as libpcap does when its buffer is full`);
  else claims.check('capture is complete', innerPackets === sent.packets, seen);
}

/** VXLAN's source port distinguishes flows (RFC 7348 §5): one port for a flow, so that its packets stay in order, several for several. */
function claimFlows({ flows: { flows, sourcePorts, split } }: CaptureTally, claims: Claims): void {
  claims.check(
    'outer source ports follow the flows',
    split === 0 && Math.max(0, ...sourcePorts) > 1,
    `${flows} flows by ${sourcePorts.join(' and ')} ports of the two hosts, ${split} of them by more than one`,
  );
}

function describeChecksums({ outerChecksums }: CaptureTally): string {
  const kinds = Object.entries(outerChecksums).filter(([, count]) => count > 0);
  return kinds.map(([kind, count]) => `${kind} ${count}`).join(', ');
}
