/** Every path that is compared: what it is, what its pods need, and which of the measurements a run makes of it by itself. */
import type { StagesReply } from '../control/protocol.ts';
import type { Path } from '../measure/path.ts';
import { isUdp, type ScaleName, type Setting, TESTS, type TestName } from './matrix.ts';

interface NetworkSpec {
  readonly number: number;
  readonly backend: object;
  /** All pods; default `10.<number>.0.0/16`. */
  readonly addresses?: string;
}

/** Networks of weftd, each with addresses, etcd prefix and pods of its own: `10.<number>.0.0/16`. */
export const NETWORKS = {
  udp: { number: 101, backend: { Type: 'udp' } },
  vxlan: { number: 102, backend: { Type: 'vxlan', VNI: 1, Port: 4789 } },
  // A port of its own: the kernel's device holds it on the first host while weftd needs the other one there.
  'from-kernel': { number: 103, backend: { Type: 'vxlan', VNI: 2, Port: 4791 } },
  ipip: { number: 104, backend: { Type: 'ipip' } },
  'host-gw': { number: 105, backend: { Type: 'host-gw' } },
  segment: { number: 106, backend: { Type: 'vxlan', VNI: 3, Port: 4792, Learning: true } },
  'flannel-udp': { number: 108, backend: { Type: 'udp' } },
  'flannel-vxlan': { number: 109, backend: { Type: 'vxlan', VNI: 4, Port: 4793 } },
  // Room for 16,384 nodes, and below all others.
  scale: { number: 107, backend: { Type: 'udp' }, addresses: '10.0.0.0/10' },
} as const satisfies Record<string, NetworkSpec>;
export type NetworkName = keyof typeof NETWORKS;

export type Offload = 'auto' | 'off';

/** How a path is set up. */
export type PathSetup =
  | { readonly kind: 'direct' | 'kernel-vxlan' | 'plain-routing' }
  /** weftd on both hosts, or on the server's only, with the kernel's VXLAN on the client's. */
  | { readonly kind: 'weft' | 'kernel-to-weft'; readonly network: NetworkName; readonly offload: Offload }
  /** The real flanneld on both hosts, if there is one. */
  | { readonly kind: 'flannel'; readonly network: NetworkName }
  /** Pods of one subnet on a learning segment, and where a third pod broadcasts meanwhile. */
  | { readonly kind: 'segment'; readonly storm: Storm };

/** `overlay`: on the segment's own bridge; `aside`: on one without the overlay's device, with as many pods that listen. */
export type Storm = 'none' | 'aside' | 'overlay';

interface PathSpec {
  /** One line for tables and help. */
  readonly text: string;
  readonly setup: PathSetup;
  /** What a run measures without a selection. */
  readonly plan: Partial<Readonly<Record<Setting, readonly TestName[]>>>;
  /** What --quick measures without a selection, where the scheduler is free. */
  readonly quick?: readonly TestName[];
  /** It says nothing about more than its plan. */
  readonly planOnly?: true;
}

const weft = (network: NetworkName, offload: Offload = 'auto'): PathSetup => ({ kind: 'weft', network, offload });

/** Paths that everybody compares with are measured whole where a scheduler is free, by one TCP stream elsewhere. */
const MAIN: PathSpec['plan'] = {
  free: TESTS,
  'one-core': ['tcp1'],
  'nic-like': ['tcp1'],
};
/** What it carries is bounded by who sends, whatever the size of packets. */
const BASE: PathSpec['plan'] = {
  ...MAIN,
  free: TESTS.filter((test) => !isUdp(test) || test === 'udp64' || test === 'udp1450'),
};
const SEVERAL: PathSpec['plan'] = {
  free: ['tcp1', 'bidir', 'udp64', 'rtt', 'rtt-full'],
  'one-core': ['tcp1'],
  'nic-like': ['tcp1'],
};
const ROUTED: PathSpec['plan'] = {
  free: ['tcp1', 'bidir', 'rtt', 'rtt-full'],
  'one-core': ['tcp1'],
  'nic-like': ['tcp1'],
};
const QUICK = ['tcp1', 'rtt'] as const satisfies readonly TestName[];
const SLOW: PathSpec['plan'] = { free: ['tcp1'] };
const ONE_BY_ONE: PathSpec['plan'] = { free: ['tcp1', 'rtt', 'rtt-full'] };

const TABLE = {
  direct: {
    text: 'host to host over the underlay, no overlay, no pods',
    setup: { kind: 'direct' },
    plan: BASE,
    quick: QUICK,
  },
  'kernel-vxlan': {
    text: "pod to pod through the kernel's VXLAN device",
    setup: { kind: 'kernel-vxlan' },
    plan: MAIN,
    quick: [...QUICK, 'udp64'],
  },
  'weft-udp': {
    text: 'pod to pod through weftd, backend udp, --offload=auto',
    setup: weft('udp'),
    plan: MAIN,
    quick: [...QUICK, 'udp64'],
  },
  'weft-udp-off': {
    text: 'pod to pod through weftd, backend udp, --offload=off: one packet per system call',
    setup: weft('udp', 'off'),
    plan: ONE_BY_ONE,
    quick: ['tcp1'],
  },
  'weft-vxlan': {
    text: 'pod to pod through weftd, backend vxlan, --offload=auto',
    setup: weft('vxlan'),
    plan: MAIN,
    quick: QUICK,
  },
  'weft-vxlan-off': {
    text: 'pod to pod through weftd, backend vxlan, --offload=off',
    setup: weft('vxlan', 'off'),
    plan: ONE_BY_ONE,
  },
  'kernel-to-weft': {
    text: "from a pod behind the kernel's VXLAN device (tx checksum offload off) to one behind weftd, backend vxlan, --offload=auto",
    setup: { kind: 'kernel-to-weft', network: 'from-kernel', offload: 'auto' },
    plan: { free: ['tcp1'], 'nic-like': ['tcp1'] },
  },
  'kernel-to-weft-off': {
    text: 'the same with --offload=off at weftd',
    setup: { kind: 'kernel-to-weft', network: 'from-kernel', offload: 'off' },
    plan: { free: ['tcp1'], 'nic-like': ['tcp1'] },
  },
  'weft-ipip': {
    text: 'pod to pod through weftd, backend ipip, --offload=auto',
    setup: weft('ipip'),
    quick: ['tcp1'],
    plan: SEVERAL,
  },
  'plain-routing': {
    text: "pod to pod without overlay, by static routes to the other host's pods",
    setup: { kind: 'plain-routing' },
    plan: ROUTED,
  },
  'weft-host-gw': {
    text: 'pod to pod without overlay, by the routes weftd makes, backend host-gw',
    setup: weft('host-gw'),
    plan: ROUTED,
    quick: ['tcp1'],
  },
  'flannel-udp': {
    text: 'pod to pod through flanneld, backend udp',
    setup: { kind: 'flannel', network: 'flannel-udp' },
    plan: SEVERAL,
    quick: QUICK,
  },
  'flannel-vxlan': {
    text: "pod to pod through flanneld, backend vxlan: the kernel's VXLAN device",
    setup: { kind: 'flannel', network: 'flannel-vxlan' },
    plan: SEVERAL,
  },
  segment: {
    text: 'pods of one subnet on two hosts, joined by weftd, backend vxlan with Learning',
    setup: { kind: 'segment', storm: 'none' },
    plan: SLOW,
    planOnly: true,
  },
  'storm-aside': {
    text: 'the same while a third pod broadcasts on a bridge without the overlay: what the broadcasts cost by themselves',
    setup: { kind: 'segment', storm: 'aside' },
    plan: SLOW,
    planOnly: true,
  },
  'segment-storm': {
    text: 'the same while the third pod broadcasts on the segment',
    setup: { kind: 'segment', storm: 'overlay' },
    plan: SLOW,
    planOnly: true,
  },
} as const satisfies Record<string, PathSpec>;

export type PathName = keyof typeof TABLE;

/** One of the paths that are compared, carrying packets now. */
export interface NamedPath extends Path {
  readonly name: PathName;
  /** Reads the stage clocks of the sending and the receiving weftd, null where there is none; absent where there is neither. */
  readonly readStages?: () => Promise<StageReading>;
}

/** Since the start of each daemon. */
export interface StageReading {
  readonly sender: StagesReply | null;
  readonly receiver: StagesReply | null;
}

// Object.keys forgets that the keys are those of the table.
export const PATHS = Object.keys(TABLE) as PathName[];

export function pathText(path: PathName): string {
  return TABLE[path].text;
}

export function setupOf(path: PathName): PathSetup {
  return TABLE[path].setup;
}

/** What was asked for; undefined: nothing in particular. */
export interface Selection {
  readonly settings: readonly Setting[] | undefined;
  readonly paths: readonly PathName[] | undefined;
  readonly tests: readonly (TestName | ScaleName)[] | undefined;
  /** Without any of the three: only what --quick measures. */
  readonly quick?: boolean;
  /** There is a flanneld: its paths can be measured. */
  readonly flanneld?: boolean;
}

/**
 * Whether a run measures this. Without any selection it follows the plan of each path; with one, it measures all
 * combinations of what was selected, and of everything where nothing was.
 */
export function isWanted(selection: Selection, setting: Setting, test: TestName, path: PathName): boolean {
  const { settings, paths, tests } = selection;
  const spec: PathSpec = TABLE[path];
  if (spec.setup.kind === 'flannel' && selection.flanneld !== true) return false;
  const planned = spec.plan[setting]?.includes(test) === true;
  if (settings === undefined && paths === undefined && tests === undefined)
    return selection.quick === true ? setting === 'free' && spec.quick?.includes(test) === true : planned;
  const selected =
    (settings?.includes(setting) ?? true) && (paths?.includes(path) ?? true) && (tests?.includes(test) ?? true);
  return selected && (planned || spec.planOnly !== true);
}
