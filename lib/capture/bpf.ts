/**
 * Runs classic BPF programs on packets: for filters on inner packets, which the kernel never sees by themselves. The BSD Packet
 * Filter, McCanne and Jacobson 1993; include/uapi/linux/bpf_common.h. Checked against libpcap's own.
 */

/** struct bpf_insn: code, jump if true, jump if false, operand. */
export type BpfInstruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const MEMORY_WORDS = 16;

// Classes
const LD = 0x00;
const LDX = 0x01;
const ST = 0x02;
const STX = 0x03;
const ALU = 0x04;
const JMP = 0x05;
const RET = 0x06;
const MISC = 0x07;
// Sizes and modes of loads
const SIZE_HALF = 0x08;
const SIZE_BYTE = 0x10;
const MODE_IMM = 0x00;
const MODE_ABS = 0x20;
const MODE_IND = 0x40;
const MODE_MEM = 0x60;
const MODE_LEN = 0x80;
const MODE_MSH = 0xa0;
/** The other operand is X. */
const SOURCE_X = 0x08;
const RETURN_A = 0x10;
const TXA = 0x80;

/** A program that is ready to run, for one packet after the other. */
export class BpfProgram {
  readonly #codes: Uint16Array;
  readonly #ifTrue: Uint8Array;
  readonly #ifFalse: Uint8Array;
  readonly #operands: Uint32Array;
  readonly #scratch = new Uint32Array(MEMORY_WORDS);

  constructor(instructions: readonly BpfInstruction[]) {
    this.#codes = Uint16Array.from(instructions, ([code]) => code);
    this.#ifTrue = Uint8Array.from(instructions, ([, ifTrue]) => ifTrue);
    this.#ifFalse = Uint8Array.from(instructions, ([, , ifFalse]) => ifFalse);
    this.#operands = Uint32Array.from(instructions, ([, , , operand]) => operand);
  }

  /**
   * What the program returns for memory[start, end), a packet of `length` bytes: 0 is "not this one". A load behind its end
   * ends it with 0.
   */
  run(memory: Uint8Array, start: number, end: number, length: number): number {
    let a = 0;
    let x = 0;
    const codes = this.#codes;
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at]!;
      const k = this.#operands[at]!;
      switch (code & 7) {
        case LD: {
          const value = this.#load(code, k, x, memory, start, end, length);
          if (value < 0) return 0;
          a = value;
          break;
        }
        case LDX: {
          const value = this.#load(code, k, 0, memory, start, end, length);
          if (value < 0) return 0;
          x = value;
          break;
        }
        case ST:
          this.#scratch[k % MEMORY_WORDS] = a;
          break;
        case STX:
          this.#scratch[k % MEMORY_WORDS] = x;
          break;
        case ALU: {
          const value = compute(code, a, (code & SOURCE_X) !== 0 ? x : k);
          if (value < 0) return 0;
          a = value;
          break;
        }
        case JMP:
          if ((code & 0xf0) === 0) at += k;
          else at += holds(code, a, (code & SOURCE_X) !== 0 ? x : k) ? this.#ifTrue[at]! : this.#ifFalse[at]!;
          break;
        case RET:
          return (code & 0x18) === RETURN_A ? a : k;
        case MISC:
          if ((code & 0xf8) === TXA) a = x;
          else x = a;
          break;
      }
    }
    return 0;
  }

  /** -1: it lies behind the packet's end. */
  #load(code: number, k: number, x: number, memory: Uint8Array, start: number, end: number, length: number): number {
    switch (code & 0xe0) {
      case MODE_IMM:
        return k;
      case MODE_LEN:
        return length;
      case MODE_MEM:
        return this.#scratch[k % MEMORY_WORDS]!;
      case MODE_MSH:
        return start + k < end ? (memory[start + k]! & 15) * 4 : -1;
      case MODE_ABS:
        return read(code, memory, start + k, end);
      case MODE_IND:
        return read(code, memory, start + ((k + x) >>> 0), end);
      default:
        return -1;
    }
  }
}

function read(code: number, memory: Uint8Array, at: number, end: number): number {
  switch (code & 0x18) {
    case SIZE_BYTE:
      return at < end ? memory[at]! : -1;
    case SIZE_HALF:
      return at + 2 <= end ? (memory[at]! << 8) | memory[at + 1]! : -1;
    default:
      if (at + 4 > end) return -1;
      return ((memory[at]! << 24) | (memory[at + 1]! << 16) | (memory[at + 2]! << 8) | memory[at + 3]!) >>> 0;
  }
}

/** -1: a division by zero, which ends the program. */
function compute(code: number, a: number, b: number): number {
  switch (code & 0xf0) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? -1 : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return b > 31 ? 0 : (a << b) >>> 0;
    case 0x70:
      return b > 31 ? 0 : a >>> b;
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return b === 0 ? -1 : a % b;
    case 0xa0:
      return (a ^ b) >>> 0;
    default:
      return -1;
  }
}

function holds(code: number, a: number, b: number): boolean {
  switch (code & 0xf0) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) !== 0;
    default:
      return false;
  }
}
