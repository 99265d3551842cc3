// RFC 8200 §3
export const IPV6_VERSION_CLASS_FLOW = 0;
export const IPV6_PAYLOAD_LENGTH = 4;
export const IPV6_NEXT_HEADER = 6;
export const IPV6_HOP_LIMIT = 7;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;
export const IPV6_HEADER = 40;

// Extension headers, RFC 8200 §4.3, §4.4, §4.6: length in units of 8 bytes, not counting the first 8.
export const IPV6_EXT_NEXT_HEADER = 0;
export const IPV6_EXT_LENGTH = 1;
export const IPV6_EXT_MIN = 8;

// Fragment header, RFC 8200 §4.5: always 8 bytes.
export const IPV6_FRAGMENT_OFFSET_FLAGS = 2;
export const IPV6_FRAGMENT_ID = 4;
export const IPV6_FRAGMENT_OFFSET_MASK = 0xfff8;
export const IPV6_FRAGMENT_MORE = 1;

// Our choice: real traffic has at most three or four; a longer chain is an attack on its readers.
export const IPV6_EXT_MAX = 8;
