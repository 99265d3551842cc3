/**
 * The constants of AF_NETLINK and of the rtnetlink family that Weft uses, named as in the kernel's headers.
 * Source: include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour,net_namespace,if}.h. All are specification.
 */

// Sockets: netlink(7).
export const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
/** An error answer carries only the header of the request, not all of it. */
export const NETLINK_CAP_ACK = 10;
/** An answer may carry the kernel's own text. */
export const NETLINK_EXT_ACK = 11;

// Multicast groups, as bits of sockaddr_nl.nl_groups.
export const RTMGRP_LINK = 0x1;
export const RTMGRP_NEIGH = 0x4;
export const RTMGRP_IPV4_IFADDR = 0x10;
export const RTMGRP_IPV4_ROUTE = 0x40;
export const RTMGRP_IPV6_IFADDR = 0x100;
export const RTMGRP_IPV6_ROUTE = 0x400;

// Message types.
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_GETNSID = 90;

// Message flags. Some values mean one thing in a request and another in an answer.
export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
/** The dump is inconsistent: the table changed while it was read. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

/** Attribute type bits that are not part of the type: NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export const NLA_TYPE_MASK = 0x3fff;
export const NLMSGERR_ATTR_MSG = 1;

// Links.
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
/** There is a carrier. */
export const IFF_LOWER_UP = 0x10000;
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_TXQLEN = 13;
export const IFLA_LINKINFO = 18;
export const IFLA_STATS64 = 23;
export const IFLA_AF_SPEC = 26;
export const IFLA_INET_CONF = 1;
export const IFLA_EXT_MASK = 29;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_GSO_MAX_SIZE = 41;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFLA_VXLAN_ID = 1;
export const IFLA_VXLAN_PORT = 15;
export const IFLA_VXLAN_GROUP6 = 16;
export const IFLA_VXLAN_LOCAL6 = 17;
export const IFLA_VXLAN_COLLECT_METADATA = 25;
/** Leave IPv6's counters out of link answers: they are most of the bytes and nobody here reads them. */
export const RTEXT_FILTER_SKIP_STATS = 1 << 3;
/** Room for a device name with its closing NUL. */
export const IFNAMSIZ = 16;

/** IPV4_DEVCONF_*, include/uapi/linux/ip.h: the settings of net.ipv4.conf.<device>. */
export const Ipv4Setting = { acceptLocal: 23 } as const;

// Network namespaces, as one of them numbers the others.
export const NETNSA_NSID = 1;
export const NETNSA_FD = 3;

// Addresses.
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;
export const IFA_FLAGS = 8;
/** For IPv4 this bit means "secondary". */
export const IFA_F_TEMPORARY = 0x01;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_PERMANENT = 0x80;

// Neighbours.
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const NUD_PERMANENT = 0x80;

// Routes.
export const RTA_DST = 1;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_MULTIPATH = 9;
/** In RTA_METRICS. */
export const RTAX_MTU = 2;
export const RTA_TABLE = 15;
export const RTA_VIA = 18;
export const RTNH_F_ONLINK = 4;
/** The entry is a cached result (a PMTU exception, say), not a route somebody added. */
export const RTM_F_CLONED = 0x200;
export const RTM_F_LOOKUP_TABLE = 0x1000;
export const RTM_F_FIB_MATCH = 0x2000;

/** rtm_table: where a route lives. Tables above 255 are in RTA_TABLE. */
export const RouteTable = { unspecified: 0, default: 253, main: 254, local: 255 } as const;
/** rtm_scope: how far away the destination is. */
export const RouteScope = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;
/** rtm_protocol: who made the route. `boot` is what flannel and plain `ip route add` leave; ip(8) does not print it. */
export const RouteProtocol = { unspecified: 0, redirect: 1, kernel: 2, boot: 3, static: 4, ra: 9, dhcp: 16 } as const;
/** rtm_type: what happens to a packet that matches. */
export const RouteType = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
} as const;
