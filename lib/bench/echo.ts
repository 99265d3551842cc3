/** Whether a path carries packets yet. */
import { execInNetns } from '../lab/netns.ts';
import { until } from '../lab/until.ts';

/** Asks from a namespace until an echo comes back; false when none does within `withinMs`. */
export function answersEcho(netns: string, address: string, withinMs: number): Promise<boolean> {
  const argv = ['ping', '-n', '-c', '1', '-W', '1', address];
  return until(async () => (await execInNetns(netns, argv, { allowFailure: true })).code === 0, withinMs);
}
