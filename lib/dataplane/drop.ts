/**
 * Every reason for which the engine drops a packet, in the order of its counters in shared memory
 * (lib/fastpath/abi.ts, DROP_*). docs/operations.md has a line for each; tests hold the three together.
 */
export const DROP_REASONS = [
  'not-ip',
  'truncated',
  'bad-header',
  'bad-header-checksum',
  'ttl-expired',
  'no-route',
  'bad-offload-header',
  'too-big',
  'underlay-refused',
  'multicast',
  'unknown-peer',
  'spoofed-source',
  'foreign-destination',
  'device-refused',
  'bad-vxlan-header',
  'unknown-vni',
  'bad-source-mac',
  'no-fdb-entry',
  'storm-limited',
  'bad-neighbor-message',
  'ecn-not-capable',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];
