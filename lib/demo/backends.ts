/** The backends that the demo can show: its configuration, and what it has to put on the underlay. */
import type { PathName } from '../bench/paths.ts';
import type { Wire } from '../capture/checks.ts';

export const DEMO_BACKENDS = ['udp', 'vxlan', 'host-gw', 'ipip'] as const;
export type DemoBackend = (typeof DEMO_BACKENDS)[number];

export interface Showcase {
  /** `Backend` of the network configuration. */
  readonly config: { readonly Type: DemoBackend; readonly VNI?: number; readonly Port?: number };
  readonly wire: Wire;
  /** The edge device; null where the kernel carries the packets. */
  readonly device: string | null;
  /** What the backend is called among the paths that are compared. */
  readonly path: PathName;
}

/** The port IANA gave to VXLAN, which every decoder knows; flannel's default is 8472. */
const VXLAN_PORT = 4789;
const VNI = 1;

export const SHOWCASES: Readonly<Record<DemoBackend, Showcase>> = {
  udp: {
    config: { Type: 'udp' },
    wire: { encapsulation: 'ip-in-udp', port: 8285 },
    device: 'flannel0',
    path: 'weft-udp',
  },
  vxlan: {
    config: { Type: 'vxlan', VNI, Port: VXLAN_PORT },
    wire: { encapsulation: 'vxlan', port: VXLAN_PORT, vni: VNI },
    device: `flannel.${VNI}`,
    path: 'weft-vxlan',
  },
  'host-gw': {
    config: { Type: 'host-gw' },
    wire: { encapsulation: 'none' },
    device: null,
    path: 'weft-host-gw',
  },
  ipip: {
    config: { Type: 'ipip' },
    wire: { encapsulation: 'ipip' },
    device: 'flannel.ipip',
    path: 'weft-ipip',
  },
};
