/** A network may be another one than at its last run: what it left in the kernel then is no business of its backend now. */
import { removeEarlierRoutes } from '../backend/leftovers.ts';
import type { FaultSink } from '../faults.ts';
import { type NetworkConfig, networkPrefixes } from '../lease/network-config.ts';
import type { Log } from '../log.ts';
import type { NetworkOptions } from './cmdline/network-flag.ts';
import type { PreviousRun } from './files/subnet-env.ts';
import type { UsedNetworks } from './files/used-networks.ts';

export interface EarlierNetworksHost {
  readonly network: NetworkOptions;
  readonly usedNetworks: UsedNetworks;
  readonly faults: FaultSink;
  readonly log: Log;
}

/** Removes the routes of earlier runs outside of the network, and writes down where it is now. Never rejects. */
export async function leaveEarlierNetworks(
  { network, usedNetworks, faults, log }: EarlierNetworksHost,
  config: NetworkConfig,
  previous: PreviousRun,
): Promise<void> {
  const { netns, subnetFile } = network;
  const { own, others } = await usedNetworks.earlier(subnetFile);
  const now = { netns, prefixes: networkPrefixes(config) };
  const before = [...(own === undefined ? [] : [own]), { netns, prefixes: previous.networks }];
  await removeEarlierRoutes({ before, now, others }, { faults, log });
  await usedNetworks.keep(subnetFile, now);
}
