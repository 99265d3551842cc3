/**
 * The kernel's own VXLAN on a host in place of weftd, as flanneld sets it up: what Weft has to get on with.
 *
 *   [ pod n ] eth0 .2 ── veth ── pod0 ── cni0 .1 [ host n ] flannel.<VNI> ══ UDP ══ u0
 *                                                           flannel-v6.<VNI> ══ (over IPv6, with a second subnet)
 *
 * Its lease is written by hand and read by hand (no code of Weft's own store or codecs), so that a mistake there shows up as
 * two ends that do not understand each other. It does not watch: `update` reads the leases of the others again.
 */
import { writeFile } from 'node:fs/promises';
import { WeftError } from '../error.ts';
import { bridgeBatch, ipBatch } from './command.ts';
import { DEFAULT_ETCD_PREFIX, etcdctl } from './etcd.ts';
import { setFeatures } from './ethtool.ts';
import type { Lab, LabHost } from './model.ts';
import { type ConnectedPod, connectPod } from './pod.ts';

export interface KernelPeerOptions {
  /** "10.244.250.0/24" */
  readonly subnet: string;
  /** "fd00:244:0:250::/64": makes a second device that carries IPv6 over IPv6. */
  readonly subnet6?: string;
  /** Of the network. Default: flannel's. */
  readonly etcdPrefix?: string;
}

export interface KernelPeer {
  readonly host: LabHost;
  /** "flannel.1" */
  readonly device: string;
  /** "flannel-v6.1" */
  readonly device6: string | undefined;
  readonly pod: ConnectedPod;
  /** Reads the leases in etcd and sets neighbours, FDB and routes for them; those of peers that left are removed. */
  update(): Promise<void>;
}

/** A VXLAN device of the host; its `family` is that of underlay and overlay, as with flannel. */
interface Vtep {
  readonly device: string;
  readonly family: 4 | 6;
  readonly mac: string;
  /** First address of the subnet, the device's own. */
  readonly base: string;
  readonly mtu: number;
}

interface NetworkConfig {
  readonly network: string;
  readonly network6: string | undefined;
  readonly vni: number;
  readonly port: number;
  readonly learning: boolean;
}

/** What a VTEP needs to know of another one. */
interface RemoteVtep {
  readonly subnet: string;
  readonly base: string;
  readonly mac: string;
  readonly publicIp: string;
}

/** flannel's default is the kernel's, not IANA's 4789. */
const DEFAULT_PORT = 8472;
const DEFAULT_VNI = 1;
/** UDP, VXLAN and inner Ethernet header. RFC 7348 §5. */
const OVERHEAD_AFTER_IP = 8 + 8 + 14;
/** Of the outer IP header. */
const IP_HEADER = { 4: 20, 6: 40 } as const;
/** A kernel FDB entry with this address is where BUM frames go as well. */
const FLOOD_MAC = '00:00:00:00:00:00';

/**
 * Sets up the host by the network configuration in etcd (backend vxlan; its VNI, Port and Learning count), puts its lease
 * there and connects its pod. Throws WeftError LAB_COMMAND_FAILED or LAB_CONFIG_UNUSABLE.
 */
export async function startKernelPeer(lab: Lab, host: LabHost, options: KernelPeerOptions): Promise<KernelPeer> {
  const prefix = options.etcdPrefix ?? DEFAULT_ETCD_PREFIX;
  const config = await readConfig(lab, prefix);
  const vteps = vtepsOf(lab, host, config, options);
  // A NIC completes checksums; a veth hands packets to the other end as they are. The kernel's VXLAN leaves those of inner
  // TCP and UDP to the device, so that a program which reads the datagrams there would see unfinished ones.
  await setFeatures(host.netns, host.underlayInterface, ['tx'], 'off');
  await ipBatch(
    host.netns,
    vteps.flatMap((vtep) => deviceLines(host, config, vtep)),
  );
  await putLease(lab, host, config, prefix, options, vteps);
  await writeFile(host.subnetFile, subnetEnv(config, options, Math.min(...vteps.map(({ mtu }) => mtu))));
  const pod = await connectPod(host);
  const known = new Map<string, readonly RemoteVtep[]>(vteps.map(({ device }) => [device, []]));
  const update = async (): Promise<void> => {
    for (const vtep of vteps) {
      const remotes = await readRemotes(lab, prefix, config.vni, vtep);
      const before = known.get(vtep.device) ?? [];
      await forget(host, vtep, without(before, remotes), config.learning);
      await connectTo(host, vtep, remotes);
      if (config.learning) await floodTo(host, vtep, without(remotes, before));
      known.set(vtep.device, remotes);
    }
  };
  await update();
  return { host, device: vteps[0]?.device ?? '', device6: vteps[1]?.device, pod, update };
}

async function readConfig(lab: Lab, prefix: string): Promise<NetworkConfig> {
  const { stdout } = await etcdctl(lab, ['get', '--print-value-only', '--', `${prefix}/config`]);
  const { Network, EnableIPv6, IPv6Network, Backend } = JSON.parse(stdout || '{}');
  if (typeof Network !== 'string' || Backend?.Type !== 'vxlan')
    throw new WeftError(
      'LAB_CONFIG_UNUSABLE',
      `Cannot set up VXLAN by ${prefix}/config: ${stdout.trim() || 'not there'}`,
    );
  return {
    network: Network,
    network6: EnableIPv6 === true ? IPv6Network : undefined,
    vni: Backend.VNI ?? DEFAULT_VNI,
    port: Backend.Port ?? DEFAULT_PORT,
    learning: Backend.Learning === true,
  };
}

function vtepsOf(lab: Lab, host: LabHost, { vni }: NetworkConfig, { subnet, subnet6 }: KernelPeerOptions): Vtep[] {
  const make = (family: 4 | 6, device: string, network: string): Vtep => ({
    device,
    family,
    mac: `02:6b:00:00:0${family}:${host.number.toString(16).padStart(2, '0')}`,
    base: network.replace(/\/.*/, ''),
    mtu: lab.underlayMtu - IP_HEADER[family] - OVERHEAD_AFTER_IP,
  });
  const first = make(4, deviceName('flannel', vni), subnet);
  return subnet6 === undefined ? [first] : [first, make(6, deviceName('flannel-v6', vni), subnet6)];
}

/** "flannel.7"; Linux takes 15 bytes, which flannel's names for the largest VNIs do not fit in. */
function deviceName(prefix: string, vni: number): string {
  const name = `${prefix}.${vni}`;
  return name.length <= 15 ? name : `vxlan${prefix.slice('flannel'.length)}${vni}`.slice(0, 15);
}

function deviceLines(host: LabHost, { vni, port, learning }: NetworkConfig, vtep: Vtep): string[] {
  const { device, family, mac, base, mtu } = vtep;
  const where = `local ${publicIpOf(host, family)} dev ${host.underlayInterface}`;
  return [
    `link add ${device} mtu ${mtu} address ${mac} type vxlan id ${vni} dstport ${port} ${where} ${learning ? 'learning' : 'nolearning'}`,
    family === 4 ? `addr add ${base}/32 dev ${device}` : `addr add ${base}/128 dev ${device} nodad`,
    `link set ${device} up`,
  ];
}

function publicIpOf(host: LabHost, family: 4 | 6): string {
  return family === 4 ? host.underlayAddress : host.underlayAddress6;
}

/** Byte for byte as flanneld writes it (pkg/lease/lease.go), but without an end. */
async function putLease(
  lab: Lab,
  host: LabHost,
  { vni }: NetworkConfig,
  prefix: string,
  { subnet, subnet6 }: KernelPeerOptions,
  vteps: readonly Vtep[],
): Promise<void> {
  const [first, second] = vteps.map(({ mac }) => ({ VNI: vni, VtepMAC: mac }));
  const value = {
    PublicIP: host.underlayAddress,
    PublicIPv6: second === undefined ? null : host.underlayAddress6,
    BackendType: 'vxlan',
    BackendData: first,
    BackendV6Data: second,
  };
  const key = [subnet, subnet6].flatMap((text) => text?.replace('/', '-') ?? []).join('&');
  await etcdctl(lab, ['put', '--', `${prefix}/subnets/${key}`, JSON.stringify(value)]);
}

function subnetEnv(config: NetworkConfig, { subnet, subnet6 }: KernelPeerOptions, mtu: number): string {
  const first = (text: string): string => text.replace(/(\.0)?\//, (_, zero) => (zero === undefined ? '1/' : '.1/'));
  const ipv6 =
    subnet6 === undefined
      ? ''
      : `FLANNEL_IPV6_NETWORK=${config.network6 ?? ''}\nFLANNEL_IPV6_SUBNET=${first(subnet6)}\n`;
  return `FLANNEL_NETWORK=${config.network}\nFLANNEL_SUBNET=${first(subnet)}\n${ipv6}FLANNEL_MTU=${mtu}\nFLANNEL_IPMASQ=false\n`;
}

/** The VTEPs of all other leases that have one of this family and VNI. */
async function readRemotes(lab: Lab, prefix: string, vni: number, own: Vtep): Promise<RemoteVtep[]> {
  const { stdout } = await etcdctl(lab, ['get', '--prefix', '--', `${prefix}/subnets/`]);
  const lines = stdout.split('\n');
  const remotes: RemoteVtep[] = [];
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const names = /\/subnets\/([\d.]+)-(\d+)(?:&([\da-f:]+)-(\d+))?$/.exec(lines[index] ?? '');
    const [base, length] = own.family === 4 ? [names?.[1], names?.[2]] : [names?.[3], names?.[4]];
    const { PublicIP, PublicIPv6, BackendType, BackendData, BackendV6Data } = JSON.parse(lines[index + 1] ?? '');
    const [publicIp, data] = own.family === 4 ? [PublicIP, BackendData] : [PublicIPv6, BackendV6Data];
    if (base === undefined || base === own.base || BackendType !== 'vxlan' || data?.VNI !== vni) continue;
    remotes.push({ subnet: `${base}/${length}`, base, mac: data.VtepMAC, publicIp });
  }
  return remotes;
}

/** Those of `remotes` that are not in `others` as they are. */
function without(remotes: readonly RemoteVtep[], others: readonly RemoteVtep[]): RemoteVtep[] {
  return remotes.filter((remote) => !others.some((other) => JSON.stringify(other) === JSON.stringify(remote)));
}

/** In flannel's order: neighbour, FDB, route (pkg/backend/vxlan/vxlan_network.go). */
async function connectTo(host: LabHost, { device }: Vtep, remotes: readonly RemoteVtep[]): Promise<void> {
  await ipBatch(
    host.netns,
    remotes.map(({ base, mac }) => `neigh replace ${base} lladdr ${mac} dev ${device} nud permanent`),
  );
  await bridgeBatch(
    host.netns,
    remotes.map(({ mac, publicIp }) => `fdb replace ${mac} dev ${device} dst ${publicIp} self permanent`),
  );
  await ipBatch(
    host.netns,
    remotes.map(({ subnet, base }) => `route replace ${subnet} via ${base} dev ${device} onlink`),
  );
}

async function floodTo(host: LabHost, { device }: Vtep, remotes: readonly RemoteVtep[]): Promise<void> {
  await bridgeBatch(
    host.netns,
    remotes.map(({ publicIp }) => `fdb append ${FLOOD_MAC} dev ${device} dst ${publicIp} self permanent`),
  );
}

async function forget(host: LabHost, vtep: Vtep, remotes: readonly RemoteVtep[], learning: boolean): Promise<void> {
  const { device } = vtep;
  await ipBatch(
    host.netns,
    remotes.flatMap(({ subnet, base }) => [
      `route del ${subnet} via ${base} dev ${device} onlink`,
      `neigh del ${base} dev ${device}`,
    ]),
  );
  await bridgeBatch(
    host.netns,
    remotes.flatMap((remote) => [
      `fdb del ${remote.mac} dev ${device} self`,
      ...(learning ? [`fdb del ${FLOOD_MAC} dev ${device} dst ${remote.publicIp} self`] : []),
    ]),
  );
}
