/** What a backend puts around packets, by what weftd says of it. */
import type { Wire } from '../capture/checks.ts';
import type { BackendStatus } from '../control/protocol.ts';

/** Undefined of a backend that carries nothing. */
export function wireOf({ type, port, vni }: Pick<BackendStatus, 'type' | 'port' | 'vni'>): Wire | undefined {
  switch (type) {
    case 'udp':
      return { encapsulation: 'ip-in-udp', port: port ?? 8285 };
    case 'vxlan':
      return { encapsulation: 'vxlan', port: port ?? 8472, vni: vni ?? 1 };
    case 'ipip':
      return { encapsulation: 'ipip' };
    case 'host-gw':
      return { encapsulation: 'none' };
    default:
      return undefined;
  }
}
