// IEEE 802.3, Ethernet II
export const ETHERNET_DESTINATION = 0;
export const ETHERNET_SOURCE = 6;
export const ETHERNET_TYPE = 12;
export const ETHERNET_HEADER = 14;
/** Without the frame check sequence; a shorter frame is padded where it goes on a wire. IEEE 802.3 §3.2.8 */
export const ETHERNET_MIN = 60;

// IANA "IEEE 802 Numbers"
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
// IEEE 802.1Q: a tag of four bytes between the source and the type; 802.1ad: one more before it.
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_PROVIDER_VLAN = 0x88a8;
export const VLAN_TAG = 4;
// Where the type of what follows is, from the end of the tag's own type: behind 2 bytes of priority and VLAN.
export const VLAN_NEXT_TYPE = 2;
