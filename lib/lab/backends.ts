/** flannel's Backend objects as labs have them. */

/** VXLAN's own port (IANA), which every decoder knows; flannel's default is 8472. */
export const VXLAN_PORT = 4789;

export const BACKENDS = {
  udp: { Type: 'udp' },
  vxlan: { Type: 'vxlan', VNI: 1, Port: VXLAN_PORT },
  'host-gw': { Type: 'host-gw' },
  ipip: { Type: 'ipip' },
} as const;
export type BackendName = keyof typeof BACKENDS;

// Object.keys forgets that the keys are those of the table.
export const BACKEND_NAMES = Object.keys(BACKENDS) as BackendName[];
