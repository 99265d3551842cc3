/**
 * Live capture on a network device with the npm package `cap`, a binding to libpcap: optional, native, and therefore
 * loaded only when it is needed. It captures in the network namespace of the calling process.
 *
 * `cap` throws libpcap's packet header away: the kernel's timestamp, the length on the wire, and with pcap_stats the
 * number of packets the kernel had no room for. So packets have no timestamps here: our own clock when one is handed over
 * is late by up to 100 ms under load, and would pass for the kernel's. The length of a cut packet follows from its IP header,
 * and whether all packets were seen is known only where they are counted at their source.
 */
import { messageOf, WeftError } from '../error.ts';
import { loadOptionalPackage } from '../optional-package.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './link-type.ts';

/** What we use of the package; it has no types of its own. */
interface CapModule {
  readonly Cap: new () => CapHandle;
}

interface CapHandle {
  /** Returns the name of the link type. */
  open(device: string, filter: string, bufferSize: number, buffer: Buffer): string;
  close(): void;
  on(event: 'packet', listener: (bytes: number, truncated: boolean) => void): void;
}

export interface LiveCaptureOptions {
  readonly device: string;
  /** pcap-filter(7), '' for everything. */
  readonly filter: string;
  /**
   * The kernel's ring. With segmentation or receive offloads on, libpcap reserves 64 KiB a packet, else the device's
   * MTU: 32 MiB hold 500 packets or 16,000.
   */
  readonly bufferBytes: number;
  /** `bytes` are the listener's own. */
  readonly onPacket: (bytes: Uint8Array) => void;
}

export interface LiveCapture {
  /** LINKTYPE_ETHERNET or LINKTYPE_RAW. */
  readonly linkType: number;
  close(): void;
}

/** The snap length that `cap` sets: a longer frame (a 64 KB super-packet with its Ethernet header) is cut. */
const SNAP_LENGTH = 65_535;

const LINK_TYPES: ReadonlyMap<string, number> = new Map([
  ['ETHERNET', LINKTYPE_ETHERNET],
  ['RAW', LINKTYPE_RAW],
]);

/** Captures until `close`. Codes: CAP_MISSING, CAPTURE_FAILED. */
export function openLiveCapture(options: LiveCaptureOptions): LiveCapture {
  // Its types are ours.
  const cap = loadOptionalPackage('cap', 'CAP_MISSING') as CapModule;
  const handle = new cap.Cap();
  const buffer = Buffer.alloc(SNAP_LENGTH);
  let linkName: string;
  try {
    linkName = handle.open(options.device, options.filter, options.bufferBytes, buffer);
  } catch (cause) {
    throw captureFailed(options.device, messageOf(cause).trim(), cause);
  }
  const linkType = LINK_TYPES.get(linkName);
  if (linkType === undefined) {
    handle.close();
    throw captureFailed(options.device, `its link type is ${linkName}`);
  }
  handle.on('packet', (length) => options.onPacket(Uint8Array.from(buffer.subarray(0, length))));
  return { linkType, close: () => handle.close() };
}

function captureFailed(device: string, why: string, cause?: unknown): WeftError {
  return new WeftError('CAPTURE_FAILED', `Cannot capture on "${device}": ${why}`, {
    cause,
    hint: 'Capturing takes root or CAP_NET_RAW',
  });
}
