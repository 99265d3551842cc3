/** What can be measured between two machines, and for what cannot, why. */
import { FAR_PATHS, type FarPath, type FarReport, type FarTest, type NotMeasured } from './far-report.ts';
import type { Role } from './handshake.ts';
import type { Description, OverlayNetwork } from './requests.ts';
import type { Sides } from './two-sides.ts';

export interface BetweenPlan {
  readonly descriptions: Readonly<Record<Role, Description>>;
  readonly paths: readonly FarPath[];
  readonly tests: readonly FarTest[];
  readonly overlay: FarReport['overlay'];
  readonly notMeasured: readonly NotMeasured[];
}

/** Programs that each test needs on both machines. */
const TOOLS: Readonly<Record<FarTest, readonly string[]>> = {
  tcp1: ['iperf3'],
  tcp4: ['iperf3'],
  udp64: [],
  rtt: ['ping'],
  'rtt-full': ['ping', 'iperf3'],
};
/** ping runs on the near side alone. */
const NEAR_ONLY: readonly string[] = ['ping'];
const PAIR_PATHS = ['weft-udp', 'weft-vxlan'] as const;
const PAIR_TOOLS = ['etcd', 'etcdctl', 'ip', 'ping'];
const SIDE_TEXT: Readonly<Record<Role, string>> = { near: 'here', far: 'on the far side' };

export async function planPaths(sides: Sides, wanted: readonly FarTest[]): Promise<BetweenPlan> {
  const [near, far] = await Promise.all([sides.near, sides.far].map((side) => side.ask({ type: 'describe' })));
  const descriptions = { near: near!, far: far! };
  const overlay = await findOverlay(sides);
  const pairWhy = whyNoPair(descriptions);
  const lacking = wanted.map((test) => ({ test, why: whyNot(test, descriptions) }));
  const paths = FAR_PATHS.filter(
    (path) => path === 'underlay' || (path === 'overlay' ? overlay.network !== null : pairWhy === null),
  );
  const notMeasured: NotMeasured[] = [
    ...(overlay.network === null ? [{ path: 'overlay' as const, test: null, why: overlay.why }] : []),
    ...(pairWhy === null ? [] : PAIR_PATHS.map((path) => ({ path, test: null, why: pairWhy }))),
    ...lacking.flatMap(({ test, why }) => (why === null ? [] : paths.map((path) => ({ path, test, why })))),
  ];
  const tests = lacking.filter(({ why }) => why === null).map(({ test }) => test);
  return { descriptions, paths, tests, overlay: overlay.network, notMeasured };
}

function whyNot(test: FarTest, descriptions: Readonly<Record<Role, Description>>): string | null {
  return whyMissing(TOOLS[test], descriptions);
}

function whyNoPair(descriptions: Readonly<Record<Role, Description>>): string | null {
  for (const role of ['near', 'far'] as const)
    if (!descriptions[role].isRoot) return `weftds of its own need root, which weft bench is not ${SIDE_TEXT[role]}`;
  return whyMissing(PAIR_TOOLS, descriptions);
}

function whyMissing(tools: readonly string[], descriptions: Readonly<Record<Role, Description>>): string | null {
  for (const role of ['near', 'far'] as const)
    for (const tool of tools)
      if (descriptions[role].missing.includes(tool) && (role === 'near' || !NEAR_ONLY.includes(tool)))
        return `${tool} is not installed ${SIDE_TEXT[role]}`;
  return null;
}

type Found =
  | { readonly network: NonNullable<FarReport['overlay']>; readonly why: null }
  | { readonly network: null; readonly why: string };

/** The first network in which the two machines are each other's peers. From then on both sides have a path through it. */
async function findOverlay({ near, far }: Sides): Promise<Found> {
  const [own, others] = await Promise.all([near, far].map((side) => side.ask({ type: 'overlay' })));
  for (const [found, place] of [
    [own!, 'here'],
    [others!, 'on the far side'],
  ] as const)
    if (found.networks.length === 0) return { network: null, why: `no weftd to measure ${place}${reason(found.why)}` };
  for (const ours of own!.networks)
    for (const theirs of others!.networks)
      if (await areJoined({ near, far }, ours, theirs))
        return { network: { name: ours.name, backend: ours.backend, mtu: ours.mtu }, why: null };
  return { network: null, why: "the weftds that run are not each other's peers, or have no address on their devices" };
}

function reason(why: string | null): string {
  return why === null ? ': none of its networks is in the namespace of this host' : `: ${why}`;
}

async function areJoined({ near, far }: Sides, ours: OverlayNetwork, theirs: OverlayNetwork): Promise<boolean> {
  if (ours.address === null || theirs.address === null) return false;
  try {
    await near.ask({ type: 'overlay-use', network: ours.name, peer: theirs.subnet, address: theirs.address });
    await far.ask({ type: 'overlay-use', network: theirs.name, peer: ours.subnet, address: ours.address });
    return true;
  } catch {
    return false;
  }
}
