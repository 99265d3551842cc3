/** What a network takes from its daemon. */
import type { TapRoom } from '../dataplane/segment.ts';
import type { SharedEngines } from '../engine/shared-engines.ts';
import type { LeaseStore } from '../store/store.ts';
import type { NetworkOptions } from './cmdline/network-flag.ts';
import type { DaemonOptions } from './cmdline/options.ts';
import type { SavedLeases } from './files/saved-leases.ts';
import type { UsedNetworks } from './files/used-networks.ts';
import type { AddressSpaces } from './host/address-spaces.ts';
import type { WaitHost } from './wait.ts';

/** `onChange` is also called when the network becomes ready and when its leases change. */
export interface NetworkHost extends WaitHost {
  readonly network: NetworkOptions;
  /** From 1 on, in the order of the command line. */
  readonly networkNumber?: number;
  readonly tap?: TapRoom | undefined;
  /** Whether there are others, for whose sake nothing that is wrong with this one may end the daemon. */
  readonly oneOfSeveral: boolean;
  readonly options: DaemonOptions;
  /** Of this network alone; it is closed with it. */
  readonly store: LeaseStore;
  readonly engines: SharedEngines;
  readonly addressSpaces: AddressSpaces;
  readonly usedNetworks: UsedNetworks;
  readonly savedLeases: SavedLeases;
}

/** Waits for what comes right in etcd; an error that `isHopeless` is not of etcd, and rejects. */
export type Persist = <T>(attempt: () => Promise<T>, isHopeless?: () => boolean) => Promise<T>;
