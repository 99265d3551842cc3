// RFC 9293 §3.1
export const TCP_SOURCE_PORT = 0;
export const TCP_DESTINATION_PORT = 2;
export const TCP_SEQUENCE = 4;
export const TCP_ACKNOWLEDGMENT = 8;
export const TCP_DATA_OFFSET = 12;
export const TCP_FLAGS = 13;
export const TCP_WINDOW = 14;
export const TCP_CHECKSUM = 16;
export const TCP_URGENT_POINTER = 18;
export const TCP_OPTIONS = 20;

export const TCP_HEADER_MIN = 20;
export const TCP_HEADER_MAX = 60;

// Bits of TCP_FLAGS; RFC 9293 §3.1, RFC 3168 §6.1.
export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;
