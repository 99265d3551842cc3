import { forEachLimited } from './command.ts';
import { setFeatures } from './ethtool.ts';
import { underlayNetns } from './layout.ts';
import type { Lab } from './model.ts';
import { execInNetns } from './netns.ts';

/** What a veth carries whole and a plain NIC cuts: the segmentation offloads. */
const SEGMENTATION = ['tso', 'tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'] as const;

/**
 * Makes the underlay veths behave like a NIC without segmentation offloads: packets are cut before they cross the veth, and
 * put together again (GRO) behind it. `on: false` is the veth's own default, which carries packets of 64 KB whole and so
 * flatters every path that never cuts.
 */
export async function setNicLike(lab: Lab, on: boolean): Promise<void> {
  await forEachLimited(underlayDevices(lab), async ([netns, device]) => {
    await setFeatures(netns, device, SEGMENTATION, on ? 'off' : 'on');
    await setFeatures(netns, device, ['gro'], on ? 'on' : 'off');
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
  const undo: (() => Promise<void>)[] = [];
  await forEachLimited(underlayDevices(lab), async ([netns, device]) => {
    const { stdout } = await execInNetns(netns, ['ethtool', '-k', device]);
    const enabled = Object.entries(OFFLOADS).flatMap(([name, feature]) =>
      new RegExp(`^\\s*${name}: on`, 'm').test(stdout) ? [feature] : [],
    );
    undo.push(() => setFeatures(netns, device, enabled, 'on'));
    await setFeatures(netns, device, enabled, 'off');
  });
  return () => forEachLimited(undo, (switchOn) => switchOn());
}

/** Both ends of every veth of the underlay, as namespace and name. */
function underlayDevices(lab: Lab): [netns: string, device: string][] {
  return lab.hosts.flatMap((host): [string, string][] => {
    const inside: [string, string] = [host.netns, host.underlayInterface];
    return lab.direct ? [inside] : [inside, [underlayNetns(lab.id), `h${host.number}`]];
  });
}
