// RFC 791 §3.1
export const IPV4_VERSION_IHL = 0;
export const IPV4_TOS = 1;
export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_ID = 4;
export const IPV4_FLAGS_FRAGMENT = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTOCOL = 9;
export const IPV4_CHECKSUM = 10;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;
export const IPV4_OPTIONS = 20;

export const IPV4_HEADER_MIN = 20;
export const IPV4_HEADER_MAX = 60;

// Bits of IPV4_FLAGS_FRAGMENT; the low 13 count units of 8 bytes.
export const IPV4_RESERVED_FLAG = 0x8000;
export const IPV4_DONT_FRAGMENT = 0x4000;
export const IPV4_MORE_FRAGMENTS = 0x2000;
export const IPV4_FRAGMENT_OFFSET_MASK = 0x1fff;
