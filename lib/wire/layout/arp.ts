// RFC 826 "Packet format", with the lengths of Ethernet (6) and IPv4 (4) addresses put in
export const ARP_HARDWARE_TYPE = 0;
export const ARP_PROTOCOL_TYPE = 2;
export const ARP_HARDWARE_LENGTH = 4;
export const ARP_PROTOCOL_LENGTH = 5;
export const ARP_OPERATION = 6;
export const ARP_SENDER_MAC = 8;
export const ARP_SENDER_ADDRESS = 14;
export const ARP_TARGET_MAC = 18;
export const ARP_TARGET_ADDRESS = 24;
export const ARP_PACKET = 28;

// IANA "ARP Parameters"
export const ARP_HARDWARE_ETHERNET = 1;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;
