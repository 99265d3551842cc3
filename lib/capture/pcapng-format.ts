/** Numbers of pcapng files: blocks and options. draft-ietf-opsawg-pcapng §3.1, §3.5, §4. */

export const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION_BLOCK = 1;
/** Obsolete; §B. */
export const PACKET_BLOCK = 2;
export const SIMPLE_PACKET_BLOCK = 3;
export const INTERFACE_STATISTICS_BLOCK = 5;
export const ENHANCED_PACKET_BLOCK = 6;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

// Options of any block
export const OPTION_END = 0;
export const OPTION_COMMENT = 1;
// shb_*
export const SHB_USER_APPLICATION = 4;
// if_*
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
/** A power of 10, or with the highest bit of 2; microseconds without it. */
export const IF_TIMESTAMP_RESOLUTION = 9;
export const IF_FILTER = 11;
/** i64: seconds. */
export const IF_TIMESTAMP_OFFSET = 14;
// epb_*
export const EPB_FLAGS = 2;
// isb_*
export const ISB_RECEIVED = 4;
export const ISB_DROPPED = 5;
