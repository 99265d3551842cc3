import { forEachLimited, run } from './command.ts';
import type { Lab } from './lab.ts';
import { underlayNetns } from './layout.ts';

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

/** What joins or cuts packets, or leaves checksums to be completed later. */
const OFFLOADS = [...SEGMENTATION, 'gso', 'gro', 'tx'] as const;

/**
 * For captures: every packet crosses the underlay veths by itself and with complete checksums, as on a wire between two
 * machines. `on: false` is the veth's own default.
 */
export async function setWireLike(lab: Lab, on: boolean): Promise<void> {
  // A veth without anything to do for it has GRO off of itself.
  const features = OFFLOADS.flatMap((feature) => [feature, on || feature === 'gro' ? 'off' : 'on']);
  await forEachLimited(underlayDevices(lab), async ([netns, device]) => {
    await run('ip', ['netns', 'exec', netns, 'ethtool', '-K', device, ...features]);
  });
}

/** Both ends of every veth of the underlay, as namespace and name. */
function underlayDevices(lab: Lab): [netns: string, device: string][] {
  return lab.hosts.flatMap((host): [string, string][] => {
    const inside: [string, string] = [host.netns, host.underlayInterface];
    return lab.direct ? [inside] : [inside, [underlayNetns(lab.id), `h${host.number}`]];
  });
}
