/** What is typed in a guest: text for bash. Forks are dear there, so what waits looks once a second. */
import { fileURLToPath } from 'node:url';
import { addressOf } from './wire.ts';

const BIN = fileURLToPath(new URL('../../../bin', import.meta.url));
const TRAFFIC = fileURLToPath(new URL('traffic.js', import.meta.url));

const WEFT = `${process.execPath} ${BIN}/weft`;
const WEFTD = `${process.execPath} ${BIN}/weftd`;
export const ETCD = `http://${addressOf(1)}:2379`;
export const PREFIX = '/coreos.com/network';
export const NETWORK = '10.5.0.0/16';
/** Seconds after which what has not happened will not. */
const LIMIT = 300;

/** Until the command succeeds; fails with `otherwise` after a long time. */
export function waitFor(command: string, otherwise: string): string {
  return `for second in $(seq ${LIMIT}); do ${command} && exit 0; sleep 1; done; ${otherwise}; exit 1`;
}

export function startEtcd(): string {
  const urls = `--listen-client-urls http://0.0.0.0:2379 --advertise-client-urls ${ETCD}`;
  return `
    etcd --data-dir /run/etcd ${urls} --listen-peer-urls http://127.0.0.1:2380 >/run/etcd.log 2>&1 </dev/null &
    ${waitFor('etcdctl endpoint health >/dev/null 2>&1', 'tail -n 5 /run/etcd.log')}`;
}

/** Everything is typed with flannel's keys. */
export function configure(config: object): string {
  return `
    etcdctl del --prefix ${PREFIX}/subnets >/dev/null
    etcdctl put ${PREFIX}/config '${JSON.stringify(config)}'`;
}

export function leases(): string {
  return `etcdctl get --prefix ${PREFIX}`;
}

/** Until subnet.env is there. */
export function startWeftd(): string {
  return `
    rm -f /run/flannel/subnet.env
    ${WEFTD} --etcd-endpoints=${ETCD} --iface=$(cat /run/underlay) --state-dir=/run/weft/state >/run/weftd.log 2>&1 </dev/null &
    echo $! >/run/weftd.pid
    ${waitFor(
      '[ -s /run/flannel/subnet.env ] || ! kill -0 $(cat /run/weftd.pid) 2>/dev/null',
      'tail -n 5 /run/weftd.log',
    )}`;
}

/** Also where none runs; and no device of the kernel stays in its place. */
export function stopOverlay(): string {
  return `
    for device in flannel.1 flannel.ipip; do ip link del $device 2>/dev/null; done
    rmmod ipip 2>/dev/null
    [ -e /run/weftd.pid ] || exit 0
    pid=$(cat /run/weftd.pid); rm /run/weftd.pid; kill $pid
    ${waitFor('! kill -0 $pid 2>/dev/null', 'echo "weftd does not end"')}`;
}

/** One pod in the subnet of subnet.env, as a CNI plugin makes it; prints its address. Again after each change of the subnet. */
export function podUp(): string {
  return `
    [ -s /run/flannel/subnet.env ] || { tail -n 5 /run/weftd.log; exit 1; }
    . /run/flannel/subnet.env
    gateway=\${FLANNEL_SUBNET%/*}; length=\${FLANNEL_SUBNET#*/}; pod=\${gateway%.*}.$((\${gateway##*.} + 1))
    [ -e /sys/class/net/cni0 ] || ip link add cni0 type bridge
    ip link set cni0 mtu $FLANNEL_MTU up; ip -4 addr flush dev cni0; ip addr add $FLANNEL_SUBNET dev cni0
    [ -e /run/netns/pod ] || { ip netns add pod; ip link add pod0 type veth peer name eth0 netns pod; }
    ip link set pod0 mtu $FLANNEL_MTU master cni0 up
    ip -n pod link set lo up; ip -n pod link set eth0 mtu $FLANNEL_MTU up
    ip -n pod -4 addr flush dev eth0; ip -n pod addr add $pod/$length dev eth0
    ip -n pod route replace default via $gateway
    echo $pod $FLANNEL_MTU`;
}

export function serveTraffic(): string {
  return `ip netns exec pod ${process.execPath} ${TRAFFIC} serve >/run/traffic.log 2>&1 </dev/null &`;
}

export function checkTraffic(address: string, bytes: number, sizes: readonly number[]): string {
  return `ip netns exec pod ${process.execPath} ${TRAFFIC} check ${address} ${bytes} ${sizes.join(' ')}`;
}

/** Until the pod at the address answers: both ends have learned of each other. */
export function reach(address: string): string {
  return waitFor(
    `ip netns exec pod ping -n -q -c 1 -W 5 ${address} >/dev/null`,
    `echo "no answer from ${address}"; ip route; tail -n 5 /run/weftd.log`,
  );
}

/** `bytes`: of the IP packet; DF is set, so that it goes whole or not at all. */
export function ping(address: string, count: number, bytes?: number): string {
  // IPv4 and ICMP header.
  const size = bytes === undefined ? '' : `-M do -s ${bytes - 28}`;
  return `ip netns exec pod ping -n -c ${count} -i 0.2 -W 30 ${size} ${address}`;
}

export function status(): string {
  return `${WEFT} status --json`;
}

/** `weft overhead` while pings run; prints its JSON. */
export function overheadWhilePinging(address: string, count: number): string {
  return `
    ${WEFT} overhead --json --seconds 0 >/run/overhead.json 2>/run/overhead.log & looking=$!
    for second in $(seq ${LIMIT}); do grep -q "Looking at" /run/overhead.log && break; kill -0 $looking || break; sleep 1; done
    ip netns exec pod ping -n -q -c ${count} -i 0.1 -W 30 ${address} >/dev/null
    kill -INT $looking; wait $looking
    cat /run/overhead.json; cat /run/overhead.log >&2`;
}

interface KernelPeer {
  /** "10.5.250" for 10.5.250.0/24. */
  readonly own: string;
  readonly peer: string;
  readonly peerAddress: string;
}

const MTU = { vxlan: 1450, ipip: 1480 } as const;

function subnetFile(own: string, mtu: number): string {
  return `printf 'FLANNEL_NETWORK=${NETWORK}\\nFLANNEL_SUBNET=${own}.1/24\\nFLANNEL_MTU=${mtu}\\n' >/run/flannel/subnet.env`;
}

/** The kernel's VXLAN device in place of weftd, as flanneld sets it up. */
export function kernelVxlan(
  { own, peer, peerAddress }: KernelPeer,
  mac: string,
  peerMac: string,
  port: number,
): string {
  return `set -e
    ip link add flannel.1 mtu ${MTU.vxlan} address ${mac} type vxlan id 1 dev $(cat /run/underlay) dstport ${port} nolearning
    ip link set flannel.1 up
    ip addr add ${own}.0/32 dev flannel.1
    ip route replace ${peer}.0/24 via ${peer}.0 dev flannel.1 onlink
    ip neigh replace ${peer}.0 dev flannel.1 lladdr ${peerMac}
    bridge fdb append ${peerMac} dev flannel.1 dst ${peerAddress}
    ${subnetFile(own, MTU.vxlan)}`;
}

/** The same with the kernel's ipip device. */
export function kernelIpip({ own, peer, peerAddress }: KernelPeer, address: string): string {
  return `set -e
    ip link add flannel.ipip type ipip local ${address} dev $(cat /run/underlay)
    ip link set flannel.ipip mtu ${MTU.ipip} up
    ip addr add ${own}.0/32 dev flannel.ipip
    ip route replace ${peer}.0/24 via ${peerAddress} dev flannel.ipip onlink
    ${subnetFile(own, MTU.ipip)}`;
}
