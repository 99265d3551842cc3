// Neighbor discovery, RFC 4861 §4.3 and §4.4: an ICMPv6 header, whose second 32 bits are flags, and the target
export const NDP_FLAGS = 4;
export const NDP_TARGET = 8;
export const NDP_OPTIONS = 24;
export const NDP_MESSAGE_MIN = 24;

// ICMPv6 types
export const NDP_SOLICITATION = 135;
export const NDP_ADVERTISEMENT = 136;

// Bits of the byte at NDP_FLAGS in an advertisement
export const NDP_ROUTER = 0x80;
export const NDP_SOLICITED = 0x40;
export const NDP_OVERRIDE = 0x20;

// Options, §4.6: length in units of 8 bytes, type and length included
export const NDP_OPTION_TYPE = 0;
export const NDP_OPTION_LENGTH = 1;
export const NDP_OPTION_UNIT = 8;
export const NDP_OPTION_SOURCE_MAC = 1;
export const NDP_OPTION_TARGET_MAC = 2;
export const NDP_OPTION_MAC = 2;

// §7.1.1, §7.1.2: a router on the way would have lowered it
export const NDP_HOP_LIMIT = 255;
