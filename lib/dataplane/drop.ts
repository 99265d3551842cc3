/** Every reason for which the data plane drops a packet, each a row of the table of counters (counters.ts). */
import {
  COUNT_DROPS,
  DROP_BAD_HEADER,
  DROP_BAD_HEADER_CHECKSUM,
  DROP_BAD_NEIGHBOR_MESSAGE,
  DROP_BAD_OFFLOAD_HEADER,
  DROP_BAD_SOURCE_MAC,
  DROP_BAD_VXLAN_HEADER,
  DROP_DEVICE_REFUSED,
  DROP_ECN_NOT_CAPABLE,
  DROP_FOREIGN_DESTINATION,
  DROP_MULTICAST,
  DROP_NO_FDB_ENTRY,
  DROP_NO_ROUTE,
  DROP_NOT_IP,
  DROP_SPOOFED_SOURCE,
  DROP_STORM_LIMITED,
  DROP_TOO_BIG,
  DROP_TRUNCATED,
  DROP_TTL_EXPIRED,
  DROP_UNDERLAY_REFUSED,
  DROP_UNKNOWN_PEER,
  DROP_UNKNOWN_VNI,
} from '../fastpath/abi.ts';

/** Of a reason with direction "both" the counter is one. */
export const DROP_REASONS = {
  'not-ip': {
    index: COUNT_DROPS + DROP_NOT_IP,
    direction: 'both',
    help: 'Neither IPv4 nor IPv6; on VXLAN without learning also a frame with a VLAN tag',
  },
  truncated: {
    index: COUNT_DROPS + DROP_TRUNCATED,
    direction: 'both',
    help: 'Shorter than a header, or than the packet itself says',
  },
  'bad-header': {
    index: COUNT_DROPS + DROP_BAD_HEADER,
    direction: 'both',
    help: 'Lengths of the header that contradict each other, or an IPv6 jumbogram',
  },
  'bad-header-checksum': {
    index: COUNT_DROPS + DROP_BAD_HEADER_CHECKSUM,
    direction: 'both',
    help: 'Wrong checksum of the inner IPv4 header',
  },
  'ttl-expired': {
    index: COUNT_DROPS + DROP_TTL_EXPIRED,
    direction: 'both',
    help: 'TTL or hop limit of 1 or less; the sender got an ICMP error',
  },
  'no-route': {
    index: COUNT_DROPS + DROP_NO_ROUTE,
    direction: 'outbound',
    help: 'No peer holds the subnet of the destination; the sender got an ICMP error',
  },
  'bad-offload-header': {
    index: COUNT_DROPS + DROP_BAD_OFFLOAD_HEADER,
    direction: 'outbound',
    help: 'A super-packet of the device that its virtio_net_hdr does not fit',
  },
  'too-big': {
    index: COUNT_DROPS + DROP_TOO_BIG,
    direction: 'outbound',
    help: 'Longer than the path to the peer, and not to be fragmented; the sender got an ICMP error',
  },
  'underlay-refused': {
    index: COUNT_DROPS + DROP_UNDERLAY_REFUSED,
    direction: 'outbound',
    help: 'The kernel would not send the datagram',
  },
  multicast: {
    index: COUNT_DROPS + DROP_MULTICAST,
    direction: 'outbound',
    help: 'Multicast or broadcast, on a segment that does not learn',
  },
  'unknown-peer': {
    index: COUNT_DROPS + DROP_UNKNOWN_PEER,
    direction: 'inbound',
    help: "The outer source is no lease's PublicIP",
  },
  'spoofed-source': {
    index: COUNT_DROPS + DROP_SPOOFED_SOURCE,
    direction: 'inbound',
    help: "The inner source is not in the subnet of the peer that sent it, or its MAC address not that peer's",
  },
  'foreign-destination': {
    index: COUNT_DROPS + DROP_FOREIGN_DESTINATION,
    direction: 'inbound',
    help: "The inner destination is not in our subnet, or its MAC address not our device's",
  },
  'device-refused': {
    index: COUNT_DROPS + DROP_DEVICE_REFUSED,
    direction: 'inbound',
    help: 'The kernel would not take the packet from us',
  },
  'bad-vxlan-header': {
    index: COUNT_DROPS + DROP_BAD_VXLAN_HEADER,
    direction: 'inbound',
    help: 'A datagram without the I flag, so without a VNI (RFC 7348 §5)',
  },
  'unknown-vni': {
    index: COUNT_DROPS + DROP_UNKNOWN_VNI,
    direction: 'inbound',
    help: 'A VNI that no network of this daemon has over this family of underlay',
  },
  'bad-source-mac': {
    index: COUNT_DROPS + DROP_BAD_SOURCE_MAC,
    direction: 'both',
    help: 'From a group address, or from the underlay with our own address',
  },
  'no-fdb-entry': {
    index: COUNT_DROPS + DROP_NO_FDB_ENTRY,
    direction: 'outbound',
    help: 'No peer has the destination MAC address, or nobody is there to flood to',
  },
  'storm-limited': {
    index: COUNT_DROPS + DROP_STORM_LIMITED,
    direction: 'outbound',
    help: 'BUM frames beyond the limit of the sender or of the segment',
  },
  'bad-neighbor-message': {
    index: COUNT_DROPS + DROP_BAD_NEIGHBOR_MESSAGE,
    direction: 'outbound',
    help: 'ARP or neighbour discovery that no host sends',
  },
  'ecn-not-capable': {
    index: COUNT_DROPS + DROP_ECN_NOT_CAPABLE,
    direction: 'inbound',
    help: 'Congestion marked on the underlay for a sender that does not know ECN (RFC 6040)',
  },
} as const;

export type DropReason = keyof typeof DROP_REASONS;
