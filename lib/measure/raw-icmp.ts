/** The npm package `raw-socket`: an optional dependency, native, and therefore loaded only when it is needed. */
import { readFileSync } from 'node:fs';
import { WeftError } from '../error.ts';
import { loadOptionalPackage } from '../optional-package.ts';
import { withinNetns } from '../sys/netns.ts';

/** What we use of the package; it has no types of its own. */
interface RawSocketModule {
  readonly Protocol: { readonly ICMP: number };
  createSocket(options: { readonly protocol: number; readonly bufferSize: number }): RawSocket;
}

export interface RawSocket {
  /** `before` runs right before the system call. */
  send(
    buffer: Buffer,
    offset: number,
    length: number,
    address: string,
    before: () => void,
    after: (error: Error | null, bytes: number) => void,
  ): void;
  on(event: 'message', listener: (packet: Buffer, source: string) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): void;
}

const BUFFER_SIZE = 65_536;
/** include/uapi/linux/capability.h */
const CAP_NET_RAW = 13n;

/** Opens a raw ICMP socket in a network namespace, undefined: ours. Codes: RAW_SOCKET_MISSING, NOT_PERMITTED, NETNS_MISSING. */
export function openRawIcmp(netns?: string): RawSocket {
  // Its types are ours.
  const raw = loadOptionalPackage('raw-socket', 'RAW_SOCKET_MISSING') as RawSocketModule;
  // Without the capability the package would quietly take a datagram ICMP socket, which numbers echoes in its own way.
  if (!hasNetRaw()) {
    throw new WeftError('NOT_PERMITTED', 'Cannot open a raw ICMP socket: CAP_NET_RAW is missing', {
      hint: 'Run it with sudo',
    });
  }
  return withinNetns(netns, () => raw.createSocket({ protocol: raw.Protocol.ICMP, bufferSize: BUFFER_SIZE }));
}

function hasNetRaw(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_NET_RAW) & 1n) === 1n;
}
