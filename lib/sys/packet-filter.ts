/**
 * Classic BPF programs: the kernel runs one on each packet and drops those it returns 0 for.
 * include/uapi/linux/{filter,bpf_common}.h, Documentation/networking/filter.rst.
 */
import type { Mac } from '../addr/mac.ts';
import { ETHERNET_DESTINATION, ETHERNET_SOURCE } from '../wire/layout/ethernet.ts';
import { addressOf } from './ffi.ts';

// struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 operand.
const INSTRUCTION_SIZE = 8;
/** struct sock_fprog on 64-bit Linux: u16 number of instructions, padding, pointer to them. */
export const FPROG_SIZE = 16;

const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const LOAD_LENGTH = 0x80;
const JUMP = 0x05;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_BITS = 0x45;
const RETURN = 0x06;

const DROP = 0;
const KEEP = 0xffffffff;

/** Of the first octet of a destination. IEEE 802.3. */
const GROUP_BIT = 1;

/** Our choice: a filter for more sources costs every other frame more than the storm does. */
export const MAX_FILTERED_SOURCES = 8;

/**
 * A struct sock_fprog with its instructions behind it, in one piece of memory that never moves: pass it to setsockopt or
 * ioctl as it is. The kernel takes a copy.
 */
export type PacketFilter = Uint8Array;

/** struct sock_filter. */
export type FilterInstruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** The program as the kernel takes it. */
function emitFilter(program: readonly FilterInstruction[]): PacketFilter {
  const bytes = new Uint8Array(new ArrayBuffer(FPROG_SIZE + program.length * INSTRUCTION_SIZE));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, BigInt(addressOf(bytes) + FPROG_SIZE), true);
  for (const [index, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    const at = FPROG_SIZE + index * INSTRUCTION_SIZE;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, operand, true);
  }
  return bytes;
}

/** Lets nothing through. */
export function dropAll(): PacketFilter {
  return emitFilter([[RETURN, 0, 0, DROP]]);
}

/**
 * Drops Ethernet frames to a group address (broadcast or multicast) whose source is one of `sources`; lets all others
 * through. Throws RangeError for more than MAX_FILTERED_SOURCES.
 */
export function dropGroupFramesFrom(sources: readonly Mac[]): PacketFilter {
  if (sources.length > MAX_FILTERED_SOURCES)
    throw new RangeError(`Cannot filter ${sources.length} sources: at most ${MAX_FILTERED_SOURCES}`);
  const compare = sources.flatMap((mac, index): FilterInstruction[] => {
    // Each source takes four instructions; behind the last come KEEP and DROP.
    const toDrop = (sources.length - 1 - index) * 4 + 1;
    return [
      [LOAD_WORD, 0, 0, ETHERNET_SOURCE],
      [JUMP_IF_EQUAL, 0, 2, Math.floor(mac / 0x10000)],
      [LOAD_HALF, 0, 0, ETHERNET_SOURCE + 4],
      [JUMP_IF_EQUAL, toDrop, 0, mac % 0x10000],
    ];
  });
  return emitFilter([
    [LOAD_BYTE, 0, 0, ETHERNET_DESTINATION],
    [JUMP_IF_BITS, 0, compare.length, GROUP_BIT],
    ...compare,
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, DROP],
  ]);
}

/**
 * `program` (undefined: all that comes) for a packet socket that keeps `snapLength` bytes of a frame. Frames longer than `whole`
 * bytes are kept whole: a train has headers all along it.
 */
export function snapFilter(
  program: readonly FilterInstruction[] | undefined,
  snapLength: number,
  whole: number,
): PacketFilter {
  const chosen = program ?? [[RETURN, 0, 0, KEEP]];
  // Every "keep" becomes a jump to what decides how much.
  const body = chosen.map(([code, ifTrue, ifFalse, operand], index): FilterInstruction => {
    const keeps = code === RETURN && operand !== DROP;
    return keeps ? [JUMP, 0, 0, chosen.length - index - 1] : [code, ifTrue, ifFalse, operand];
  });
  return emitFilter([
    ...body,
    [LOAD_LENGTH, 0, 0, 0],
    [JUMP_IF_GREATER, 0, 1, whole],
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, snapLength],
  ]);
}
