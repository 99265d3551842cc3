/** Captures on the underlay of one host while something runs, and claims what was seen. */
import { execFile } from 'node:child_process';
import { release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../error.ts';
import type { LabHost } from '../lab/lab.ts';
import { execInNetns } from '../lab/netns.ts';
import { CaptureRecord, type CaptureTally } from './capture-record.ts';
import { DemoChild } from './child.ts';
import type { Claims } from './claims.ts';
import { FrameReader } from './frame-stream.ts';
import { CHECKS, type CheckName, type Expectation } from './inspect.ts';

/**
 * Off while the capture runs, so that each datagram crosses the veth by itself, as on a wire. Otherwise libpcap sees
 * trains of 64 KB before they are cut, and reserves 64 KiB of its buffer for each packet.
 */
const SEGMENTATION = ['tso', 'gso', 'tx-udp-segmentation'];
/** Off as well, so that outer checksums are complete where they are captured. */
const CHECKSUM = 'tx';
/** Before Linux 6.11 a device without checksum offload refuses UDP_SEGMENT with EIO, and the daemons would fall back. */
const TRAINS_WITHOUT_CHECKSUM_OFFLOAD = [6, 11] as const;

const QUIET_MS = 300;
const LONGEST_DRAIN_MS = 5000;

/** Runs `body` while frames of the backend's port are captured on `host`; returns them. */
export async function captureWhile(
  hosts: readonly LabHost[],
  expected: Expectation,
  body: () => Promise<void>,
): Promise<CaptureRecord> {
  // Of the lab's two hosts, the first.
  const host = hosts[0]!;
  const features = offloadsToSwitchOff(release());
  await setFeatures(hosts, features, 'off');
  const child = new DemoChild(host.netns, 'capture-child.js');
  try {
    child.ask({ type: 'capture', device: host.underlayInterface, filter: `udp port ${expected.port}` });
    const { linkType } = await child.reply('ready');
    const record = new CaptureRecord(`${host.underlayInterface} of ${host.netns}`, linkType, expected);
    const reader = new FrameReader((frame, timestampNs) => record.add(frame, timestampNs));
    child.output.on('data', (chunk: Buffer) => reader.push(chunk));
    await body();
    await drain(record);
    return record;
  } finally {
    await child.stop();
    await setFeatures(hosts, features, 'on');
  }
}

/** Names for ethtool -K. `kernel` is uname's release, "6.18.44-generic". */
export function offloadsToSwitchOff(kernel: string): string[] {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = TRAINS_WITHOUT_CHECKSUM_OFFLOAD;
  const harmless = major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
  return harmless ? [...SEGMENTATION, CHECKSUM] : SEGMENTATION;
}

/** Until no frame has come for a while. */
async function drain(record: CaptureRecord): Promise<void> {
  const deadline = performance.now() + LONGEST_DRAIN_MS;
  for (let before = -1; record.frames !== before && performance.now() < deadline; await delay(QUIET_MS)) {
    before = record.frames;
  }
}

async function setFeatures(hosts: readonly LabHost[], features: readonly string[], state: 'on' | 'off'): Promise<void> {
  for (const { netns, underlayInterface } of hosts) {
    const settings = features.flatMap((feature) => [feature, state]);
    await execInNetns(netns, ['ethtool', '-K', underlayInterface, ...settings]);
  }
}

/** One claim for every header check, over all frames. `sentPackets`: what the daemons say they sent meanwhile. */
export function claimHeaders(tally: CaptureTally, sentPackets: number, claims: Claims): void {
  const { frames, innerPackets, icmp, tcp, udp } = tally;
  claims.check(
    'captured live with cap on the underlay',
    icmp > 0 && tcp > 0 && udp > 0,
    `${frames} frames with ${icmp} ICMP, ${tcp} TCP and ${udp} UDP packets inside`,
  );
  const seen = `${innerPackets} of the ${sentPackets} packets the daemons counted as sent`;
  if (innerPackets < sentPackets)
    claims.skip('capture is complete', `${seen}; it missed the rest, as libpcap does when its buffer is full`);
  else claims.check('capture is complete', innerPackets === sentPackets, seen);
  for (const [check, text] of Object.entries(CHECKS)) {
    // Object.entries forgets that the keys are those of CHECKS.
    const failure = tally.failures[check as CheckName];
    const more = check === 'outer-checksum' ? `, ${describeChecksums(tally)}` : '';
    const detail =
      failure.count === 0
        ? `all ${frames} frames: ${text}${more}`
        : `not in ${failure.count} of ${frames} frames: ${text}${more}; the first: ${failure.example}`;
    claims.check(check.replace('-', ' '), frames > 0 && failure.count === 0, detail);
  }
}

function describeChecksums({ outerChecksums }: CaptureTally): string {
  const kinds = Object.entries(outerChecksums).filter(([, count]) => count > 0);
  return kinds.map(([kind, count]) => `${kind} ${count}`).join(', ');
}

/** Lets tshark read the file: as many packets, and inside each the addresses of the pods. */
export async function claimWireshark(
  path: string,
  frames: number,
  port: number,
  pods: readonly string[],
  claims: Claims,
): Promise<void> {
  const name = 'Wireshark reads the capture file';
  const argv = ['-r', path, '-d', `udp.port==${port},ip`, '-T', 'fields', '-e', 'ip.src', '-e', 'ip.dst'];
  try {
    const { stdout } = await promisify(execFile)('tshark', argv, { maxBuffer: 1 << 28, timeout: 60_000 });
    const lines = stdout.split('\n').filter((line) => line !== '');
    const inner = lines.filter((line) =>
      line.split('\t').every((addresses) => pods.includes(addresses.split(',')[1] ?? '')),
    );
    const detail = `tshark decodes ${lines.length} of ${frames} frames, ${inner.length} with the pods' addresses inside`;
    claims.check(name, lines.length === frames && inner.length === frames, detail);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') claims.skip(name, 'tshark is not installed');
    else claims.check(name, false, messageOf(error).split('\n')[0] ?? '');
  }
}
