import type { DropReason } from '../../lib/dataplane/drop.ts';

/** The reasons the twins give. */
export type TwinDrop =
  | DropReason
  | 'bad-vxlan-header'
  | 'unknown-vni'
  | 'bad-source-mac'
  | 'no-fdb-entry'
  | 'storm-limited'
  | 'bad-neighbor-message'
  | 'ecn-not-capable';
