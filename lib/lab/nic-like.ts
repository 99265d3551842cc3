import { forEachLimited, run } from './command.ts';
import { underlayNetns } from './layout.ts';
import type { Lab } from './model.ts';

/** What a veth carries whole and a plain NIC cuts: the segmentation offloads. */
const SEGMENTATION = ['tso', 'tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'] as const;

/**
 * Makes the underlay veths behave like a NIC without segmentation offloads: packets are cut before they cross the veth, and
 * put together again (GRO) behind it. `on: false` is the veth's own default, which carries packets of 64 KB whole and so
 * flatters every path that never cuts.
 */
export async function setNicLike(lab: Lab, on: boolean): Promise<void> {
  const features = [...SEGMENTATION.flatMap((feature) => [feature, on ? 'off' : 'on']), 'gro', on ? 'on' : 'off'];
  await forEachLimited(underlayDevices(lab), async ([netns, device]) => {
    await run('ip', ['netns', 'exec', netns, 'ethtool', '-K', device, ...features]);
  });
}

/** What joins or cuts packets, or leaves checksums to be completed later: the name that ethtool -k shows, and the one -K takes. */
const OFFLOADS: Readonly<Record<string, string>> = {
  'tcp-segmentation-offload': 'tso',
  'tx-udp-segmentation': 'tx-udp-segmentation',
  'tx-udp_tnl-segmentation': 'tx-udp_tnl-segmentation',
  'tx-udp_tnl-csum-segmentation': 'tx-udp_tnl-csum-segmentation',
  'generic-segmentation-offload': 'gso',
  'generic-receive-offload': 'gro',
  'tx-checksumming': 'tx',
};

/**
 * For captures: every packet crosses the underlay veths by itself and with complete checksums, as on a wire between two
 * machines. Resolves to what takes that back.
 */
export async function setWireLike(lab: Lab): Promise<() => Promise<void>> {
  const before = new Map<string, { readonly device: readonly [string, string]; readonly enabled: readonly string[] }>();
  await forEachLimited(underlayDevices(lab), async (device) => {
    const features = await run('ip', ['netns', 'exec', device[0], 'ethtool', '-k', device[1]]);
    const enabled = Object.keys(OFFLOADS).filter((name) => new RegExp(`^\\s*${name}: on`, 'm').test(features));
    before.set(device.join(' '), { device, enabled });
    await setFeatures(device, enabled, 'off');
  });
  return () => forEachLimited([...before.values()], ({ device, enabled }) => setFeatures(device, enabled, 'on'));
}

async function setFeatures(
  [netns, device]: readonly [string, string],
  names: readonly string[],
  state: 'on' | 'off',
): Promise<void> {
  const features = names.flatMap((name) => [OFFLOADS[name] ?? name, state]);
  if (features.length > 0) await run('ip', ['netns', 'exec', netns, 'ethtool', '-K', device, ...features]);
}

/** Both ends of every veth of the underlay, as namespace and name. */
function underlayDevices(lab: Lab): [netns: string, device: string][] {
  return lab.hosts.flatMap((host): [string, string][] => {
    const inside: [string, string] = [host.netns, host.underlayInterface];
    return lab.direct ? [inside] : [inside, [underlayNetns(lab.id), `h${host.number}`]];
  });
}
