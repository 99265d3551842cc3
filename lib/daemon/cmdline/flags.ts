/**
 * Every flag of weftd in one table: flanneld's with flanneld's defaults (flannel main.go), then our own. Each can also come
 * from the environment, see options.ts.
 */
import { type FlagSet, formatFlags } from './go-flags.ts';

const etcdFlags = {
  'etcd-endpoints': {
    kind: 'string',
    default: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
    usage: 'a comma-delimited list of etcd endpoints',
  },
  'etcd-prefix': { kind: 'string', default: '/coreos.com/network', usage: 'etcd prefix of the network' },
  'etcd-keyfile': { kind: 'string', default: '', usage: 'key file of the client certificate' },
  'etcd-certfile': { kind: 'string', default: '', usage: 'client certificate file' },
  'etcd-cafile': { kind: 'string', default: '', usage: "certificate authority that signed etcd's certificate" },
  'etcd-username': { kind: 'string', default: '', usage: 'user name for etcd' },
  'etcd-password': { kind: 'string', default: '', usage: 'password for etcd; better given as WEFTD_ETCD_PASSWORD' },
  network: {
    kind: 'list',
    usage:
      'one of several networks, instead of -etcd-prefix and -subnet-file:\n        ' +
      'name=NAME,etcd-prefix=PREFIX,subnet-file=FILE[,netns=NAME or PATH]',
  },
  'subnet-lease-renew-margin': {
    kind: 'int',
    default: 60,
    usage: "minutes before this node's lease ends at which it is renewed, 1 to 1439",
  },
} as const satisfies FlagSet;

const interfaceFlags = {
  iface: { kind: 'list', usage: 'external interface, by name or IP address; the first that exists is taken' },
  'iface-regex': { kind: 'list', usage: 'regular expression for the external interface: its addresses, then its name' },
  'iface-can-reach': {
    kind: 'string',
    default: '',
    usage: 'take the interface that the kernel would use to reach this IP',
  },
  'public-ip': { kind: 'string', default: '', usage: 'IPv4 address under which other nodes reach this one' },
  'public-ipv6': { kind: 'string', default: '', usage: 'IPv6 address under which other nodes reach this one' },
} as const satisfies FlagSet;

const fileFlags = {
  'subnet-file': {
    kind: 'string',
    default: '/run/flannel/subnet.env',
    usage: 'where to write the environment variables (subnet, MTU, ...) for CNI and Docker',
  },
  'control-socket': {
    kind: 'string',
    default: '/run/weft/weft.sock',
    usage: 'unix socket that the weft command talks to',
  },
  'control-group': {
    kind: 'string',
    default: '',
    usage: 'group that may use the control socket too, by name or number',
  },
  'tap-socket': {
    kind: 'string',
    default: '/run/weft/tap.sock',
    usage:
      'unix socket that shows packets to weft capture; beside a -control-socket of\n        ' +
      'its own name (X.sock: X.tap.sock), empty for none',
  },
  'tap-group': {
    kind: 'string',
    default: '',
    usage: 'group that may see packets too, by name or number; without it root and the user of weftd alone',
  },
  'state-dir': {
    kind: 'string',
    default: '/var/lib/weft',
    usage: "directory for what has to outlive a restart: this node's VtepMACs, its leases, and which networks ran",
  },
  'healthz-ip': { kind: 'string', default: '0.0.0.0', usage: 'IP address on which to serve /healthz and /readyz' },
  'healthz-port': { kind: 'int', default: 0, usage: 'TCP port for /healthz and /readyz, 0 for none' },
} as const satisfies FlagSet;

const dataPathFlags = {
  'source-check': {
    kind: 'bool',
    default: true,
    usage: "drop packets from unknown nodes, and inner sources outside the sending node's subnet",
  },
  'peer-probe-interval': {
    kind: 'string',
    default: 'auto',
    usage: 'how often each node is asked whether it is there: 1s to 1h; off; auto: 10s, 60s with more than 100 nodes',
  },
  tos: {
    kind: 'string',
    default: 'fixed',
    usage: 'DSCP of outer packets. fixed: -dscp; inherit: as in the inner packet. ECN follows RFC 6040 either way',
  },
  dscp: { kind: 'int', default: 0, usage: 'outer DSCP with -tos=fixed, 0 to 63' },
  offload: { kind: 'string', default: 'auto', usage: 'auto: what the kernel can do; off: one packet per system call' },
  'tun-tso': { kind: 'bool', default: true, usage: 'take TCP super-packets from the device' },
  'tun-uso': { kind: 'bool', default: true, usage: 'take UDP super-packets from the device' },
  'tun-gro': { kind: 'bool', default: true, usage: 'give coalesced packets to the device' },
  'udp-gso': { kind: 'bool', default: true, usage: 'send many datagrams with one UDP_SEGMENT send' },
  'udp-gro': { kind: 'bool', default: true, usage: 'receive many datagrams as one with UDP_GRO' },
} as const satisfies FlagSet;

const generalFlags = {
  'log-format': { kind: 'string', default: 'auto', usage: 'json, text, or auto: text on a terminal' },
  'log-level': { kind: 'string', default: 'info', usage: 'trace, debug, info, warn, error' },
  v: { kind: 'int', default: 0, usage: "flanneld's verbosity: 1 to 3 mean -log-level=debug, 4 and more trace" },
  version: { kind: 'bool', default: false, usage: 'print the version and exit' },
} as const satisfies FlagSet;

/** Flags whose feature Weft does not have yet. Only the default passes; options.ts refuses everything else. */
const unsupportedFlags = {
  'ip-masq': { kind: 'bool', default: false, usage: 'masquerade traffic that leaves the overlay' },
  'ip-blackhole-route': { kind: 'bool', default: false, usage: "add a blackhole route for this node's subnet" },
  'kube-subnet-mgr': { kind: 'bool', default: false, usage: 'use the Kubernetes API instead of etcd' },
} as const satisfies FlagSet;

/** What Docker's FORWARD policy DROP needs. To be typed as it stands, but for the prefix, as is INSTEAD. */
export const FORWARD_RULES =
  'where the FORWARD policy is DROP, as Docker sets it, type with your Network: ' +
  'iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables -I FORWARD -d 10.244.0.0/16 -j ACCEPT';

/** What to do about each flag that is refused, after "remove it, ". flanneld's -ip-masq comes down to this one rule. */
export const INSTEAD: Readonly<Record<keyof typeof unsupportedFlags, string>> = {
  'ip-masq':
    'and type with your Network: iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE; ' +
    FORWARD_RULES,
  'ip-blackhole-route': 'or stay with flanneld on this node',
  'kube-subnet-mgr': 'or stay with flanneld on this node',
};

/** What flanneld takes and does nothing with, as long as it has its leases in etcd and masquerades nothing. */
const idleFlags = {
  'ip-masq-fully-random-disable': { kind: 'bool', default: false, usage: 'do not use --random-fully' },
  'iptables-resync': { kind: 'int', default: 5, usage: 'seconds between checks of the firewall rules' },
  'kube-api-url': { kind: 'string', default: '', usage: 'Kubernetes API server' },
  'kube-annotation-prefix': {
    kind: 'string',
    default: 'flannel.alpha.coreos.com',
    usage: 'prefix of node annotations',
  },
  'kubeconfig-file': { kind: 'string', default: '', usage: 'kubeconfig file' },
  'net-config-path': {
    kind: 'string',
    default: '/etc/kube-flannel/net-conf.json',
    usage: 'network configuration file, read with -kube-subnet-mgr only',
  },
  'set-node-network-unavailable': { kind: 'bool', default: true, usage: 'set NodeNetworkUnavailable when ready' },
  vmodule: { kind: 'string', default: '', usage: 'verbosity per source file of flanneld' },
  log_backtrace_at: { kind: 'string', default: '', usage: 'print a stack at a source line of flanneld' },
} as const satisfies FlagSet;

/** flanneld's flag is on by default there; here no rules are installed either way, and the daemon says so once. */
const firewallFlags = {
  'iptables-forward-rules': {
    kind: 'bool',
    default: true,
    usage: 'accepted for flanneld; Weft installs no FORWARD rules yet',
  },
} as const satisfies FlagSet;

export const FLAGS = {
  ...etcdFlags,
  ...interfaceFlags,
  ...fileFlags,
  ...dataPathFlags,
  ...generalFlags,
  ...firewallFlags,
  ...unsupportedFlags,
  ...idleFlags,
} as const;

export const UNSUPPORTED_FLAGS = Object.keys(unsupportedFlags) as readonly (keyof typeof unsupportedFlags)[];
export const IDLE_FLAGS = Object.keys(idleFlags) as readonly (keyof typeof idleFlags)[];

/** The text of `weftd -help`. */
export function usageText(): string {
  return `Usage: weftd [flags]

The overlay network daemon: takes a subnet for this node from etcd and carries its pods' packets to the other nodes.
Flags have one dash or two. Each can come from the environment: -etcd-endpoints from WEFTD_ETCD_ENDPOINTS or
FLANNELD_ETCD_ENDPOINTS. A flag wins over WEFTD_, WEFTD_ over FLANNELD_, and empty variables do not count.

Examples:
  weftd -etcd-endpoints http://192.0.2.254:2379 -iface eth1
  weftd --etcd-endpoints=http://192.0.2.254:2379 --healthz-port=8081
  weftd --network=name=a,etcd-prefix=/a,subnet-file=/run/a.env,netns=a \\
        --network=name=b,etcd-prefix=/b,subnet-file=/run/b.env,netns=b

etcd:
${formatFlags(etcdFlags)}
External interface:
${formatFlags(interfaceFlags)}
Files and local services:
${formatFlags(fileFlags)}
Data path:
${formatFlags(dataPathFlags)}
Log and general:
${formatFlags(generalFlags)}
Firewall:
${formatFlags(firewallFlags)}
Flags of flanneld whose feature Weft does not have yet; anything but the default is refused:
${formatFlags(unsupportedFlags)}
Flags of flanneld that have no effect here, nor in flanneld with etcd:
${formatFlags(idleFlags)}`;
}
