/** The leases of the demo's hosts: as etcd has them, as the daemons say, and as the devices are. */
import { type Mac, parseMac } from '../addr/mac.ts';
import { WeftError } from '../error.ts';
import { DEFAULT_ETCD_PREFIX, etcdctl } from '../lab/etcd.ts';
import type { Lab } from '../lab/model.ts';
import { execInNetns } from '../lab/netns.ts';
import { whenPeersAreKnown } from '../lab/ready-daemon.ts';
import type { Showcase } from './backends.ts';
import type { Claims } from './claims.ts';

const PREFIX = `${DEFAULT_ETCD_PREFIX}/subnets/`;

/** What flannel writes as the value of a lease, as far as the demo looks at it. */
interface LeaseValue {
  readonly PublicIP?: string;
  readonly BackendType?: string;
  readonly BackendData?: { readonly VNI?: number; readonly VtepMAC?: string } | null;
}

/**
 * Claims that each daemon's subnet is in etcd with the value its backend writes, and that each knows the other. Returns the
 * VtepMAC of each host's lease, undefined where the backend has none.
 */
export async function claimLeases(lab: Lab, showcase: Showcase, claims: Claims): Promise<(Mac | undefined)[]> {
  const leases = await readLeases(lab);
  const statuses = await whenPeersAreKnown(lab.hosts);
  const rows = await Promise.all(
    lab.hosts.map(async (host, index) => {
      const key = `${statuses[index]?.lease?.ipv4.replace('/', '-')}`;
      const value = leases.get(key);
      const deviceMac = showcase.wire.encapsulation === 'vxlan' ? await macOf(host.netns, showcase.device!) : undefined;
      return { key, value, right: value !== undefined && isRight(value, host.underlayAddress, showcase, deviceMac) };
    }),
  );
  const right = leases.size === lab.hosts.length && rows.every((row) => row.right);
  claims.check('leases in etcd', right, rows.map(({ key, value }) => `${key} ${describe(value)}`).join(', '));
  const peers = statuses.map((status) => status.peers);
  claims.check('each daemon knows the other', peers.join() === '1,1', `${peers.join(' and ')} peer`);
  return rows.map(({ value }) => parseMac(value?.BackendData?.VtepMAC ?? ''));
}

/** Keys below `subnets/` with their values. */
async function readLeases(lab: Lab): Promise<Map<string, LeaseValue>> {
  const { stdout } = await etcdctl(lab, ['get', '--prefix', PREFIX]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  const leases = new Map<string, LeaseValue>();
  for (let at = 0; at + 1 < lines.length; at += 2)
    // If it is something else, nothing fits, and the claim fails.
    leases.set(lines[at]!.slice(PREFIX.length), JSON.parse(lines[at + 1]!) as LeaseValue);
  return leases;
}

/** udp writes no BackendType, as flanneld does not; vxlan its VNI and the MAC address its device really has. */
function isRight(value: LeaseValue, publicIp: string, { config, wire }: Showcase, deviceMac: Mac | undefined): boolean {
  if (value.PublicIP !== publicIp || value.BackendType !== (config.Type === 'udp' ? undefined : config.Type))
    return false;
  if (wire.encapsulation !== 'vxlan') return (value.BackendData ?? undefined) === undefined;
  const { VNI, VtepMAC } = value.BackendData ?? {};
  return VNI === wire.vni && deviceMac !== undefined && parseMac(VtepMAC ?? '') === deviceMac;
}

function describe(value: LeaseValue | undefined): string {
  if (value === undefined) return 'missing';
  const { BackendType, BackendData } = value;
  const vtep = BackendData?.VtepMAC;
  return `${BackendType ?? 'without a type'}${vtep === undefined ? '' : ` VtepMAC ${vtep}`}`;
}

/** The MAC address of a device as the kernel has it. */
export async function macOf(netns: string, device: string): Promise<Mac> {
  const { stdout } = await execInNetns(netns, ['cat', `/sys/class/net/${device}/address`]);
  const mac = parseMac(stdout.trim());
  if (mac === undefined)
    throw new WeftError('BAD_ADDRESS', `Device ${device} of ${netns} has no MAC address: ${stdout}`);
  return mac;
}
