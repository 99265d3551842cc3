/** libpcap's compiler of filters, pcap_compile(3PCAP): the language of tcpdump and Wireshark's capture filters, pcap-filter(7). */
import koffi from 'koffi';
import { messageOf, WeftError } from '../error.ts';
import { memoryAt } from './ffi.ts';
import type { FilterInstruction } from './packet-filter.ts';

/** As Debian and as others name it. */
const NAMES = ['libpcap.so.0.8', 'libpcap.so.1'];

/** struct bpf_program: u32 number of instructions, padding, pointer to them. */
const PROGRAM_SIZE = 16;
const INSTRUCTION_SIZE = 8;
/** Of pcap_compile: the filter may say "broadcast", which needs none for IPv6 and Ethernet. */
const NETMASK_UNKNOWN = 0xffff_ffff;

/** Of files, and what libpcap calls the same in memory on Linux. */
const LINKTYPE_RAW = 101;
const DLT_RAW = 12;

type Handle = bigint;

interface Libpcap {
  readonly openDead: (linkType: number, snapLength: number) => Handle | null;
  readonly close: (handle: Handle) => void;
  readonly compile: (handle: Handle, program: Uint8Array, text: string, optimize: number, netmask: number) => number;
  readonly error: (handle: Handle) => string;
  readonly free: (program: Uint8Array) => void;
  readonly run: (program: Uint8Array, header: Uint8Array, bytes: Uint8Array) => number;
}

let library: Libpcap | undefined;

/** Loads the library when a filter is compiled: nobody else needs it. Throws WeftError LIBPCAP_MISSING. */
function libpcap(): Libpcap {
  library ??= bindLibrary();
  return library;
}

function bindLibrary(): Libpcap {
  let reason: unknown;
  for (const name of NAMES) {
    try {
      const file = koffi.load(name);
      return {
        openDead: file.func('void *pcap_open_dead(int linktype, int snaplen)') as Libpcap['openDead'],
        close: file.func('void pcap_close(void *handle)') as Libpcap['close'],
        compile: file.func(
          'int pcap_compile(void *handle, void *program, const char *text, int optimize, uint32_t netmask)',
        ) as Libpcap['compile'],
        error: file.func('const char *pcap_geterr(void *handle)') as Libpcap['error'],
        free: file.func('void pcap_freecode(void *program)') as Libpcap['free'],
        run: file.func('int pcap_offline_filter(void *program, void *header, void *bytes)') as Libpcap['run'],
      };
    } catch (error) {
      reason = error;
    }
  }
  throw new WeftError('LIBPCAP_MISSING', `Cannot load libpcap, which compiles filters: ${messageOf(reason)}`, {
    cause: reason,
    hint: 'install it: apt-get install libpcap0.8',
  });
}

/** Compiles, and calls `body` with the struct bpf_program while it lasts. */
function withProgram<T>(text: string, linkType: number, body: (library: Libpcap, program: Uint8Array) => T): T {
  const pcap = libpcap();
  const handle = pcap.openDead(linkType === LINKTYPE_RAW ? DLT_RAW : linkType, 0x7fff_ffff);
  if (handle === null) throw new WeftError('BAD_FILTER', 'libpcap has no memory for a filter');
  const program = new Uint8Array(new SharedArrayBuffer(PROGRAM_SIZE));
  try {
    if (pcap.compile(handle, program, text, 1, NETMASK_UNKNOWN) !== 0) {
      throw new WeftError('BAD_FILTER', `The filter "${text}" is not one: ${pcap.error(handle)}`, {
        hint: 'see man pcap-filter; put it in one pair of quotes',
      });
    }
    try {
      return body(pcap, program);
    } finally {
      pcap.free(program);
    }
  } finally {
    pcap.close(handle);
  }
}

/**
 * The program of `text` for frames that begin as `linkType` says (1: Ethernet, 101: IP). It returns 0 for what it does not want.
 * Throws WeftError BAD_FILTER with libpcap's own words, LIBPCAP_MISSING.
 */
export function compileFilter(text: string, linkType: 1 | 101): FilterInstruction[] {
  if (text.includes('\0')) throw new WeftError('BAD_FILTER', 'The filter has a zero byte in it');
  return withProgram(text, linkType, (_, program) => {
    const view = new DataView(program.buffer);
    const length = view.getUint32(0, true);
    const code = new DataView(memoryAt(Number(view.getBigUint64(8, true)), length * INSTRUCTION_SIZE));
    return Array.from({ length }, (_empty, index): FilterInstruction => {
      const at = index * INSTRUCTION_SIZE;
      return [code.getUint16(at, true), code.getUint8(at + 2), code.getUint8(at + 3), code.getUint32(at + 4, true)];
    });
  });
}

/** What libpcap itself says of each packet, whole: for tests of what runs such a program here. */
export function matchesByLibpcap(text: string, linkType: 1 | 101, packets: readonly Uint8Array[]): boolean[] {
  return withProgram(text, linkType, (pcap, program) =>
    packets.map((packet) => {
      // struct pcap_pkthdr: two longs of time, then the lengths kept and on the wire.
      const header = new Uint8Array(24);
      const view = new DataView(header.buffer);
      view.setUint32(16, packet.length, true);
      view.setUint32(20, packet.length, true);
      return pcap.run(program, header, packet) !== 0;
    }),
  );
}
