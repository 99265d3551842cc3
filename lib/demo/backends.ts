/** The backends that the demo can show: the configuration of each, and what it has to put on the underlay. */
import type { PathName } from '../bench/paths.ts';
import type { Wire } from '../capture/checks.ts';
import { BACKENDS, type BackendName } from '../lab/backends.ts';

export interface Showcase {
  /** `Backend` of the network configuration. */
  readonly config: (typeof BACKENDS)[BackendName];
  readonly wire: Wire;
  /** The edge device; null where the kernel carries the packets. */
  readonly device: string | null;
  /** What the backend is called among the paths that are compared. */
  readonly path: PathName;
}

const { vxlan } = BACKENDS;

export const SHOWCASES: Readonly<Record<BackendName, Showcase>> = {
  udp: {
    config: BACKENDS.udp,
    wire: { encapsulation: 'ip-in-udp', port: 8285 },
    device: 'flannel0',
    path: 'weft-udp',
  },
  vxlan: {
    config: vxlan,
    wire: { encapsulation: 'vxlan', port: vxlan.Port, vni: vxlan.VNI },
    device: `flannel.${vxlan.VNI}`,
    path: 'weft-vxlan',
  },
  'host-gw': {
    config: BACKENDS['host-gw'],
    wire: { encapsulation: 'none' },
    device: null,
    path: 'weft-host-gw',
  },
  ipip: {
    config: BACKENDS.ipip,
    wire: { encapsulation: 'ipip' },
    device: 'flannel.ipip',
    path: 'weft-ipip',
  },
};
