/** Each kind of traffic between two pods, both ways, so that each end has sent and received each kind. */
import type { ExecutionContext } from 'ava';
import type { ConnectedPod } from '../../../lib/lab/pod.ts';
import type { Cluster, End } from './cluster.ts';
import { assertPing, assertTcp, assertUdp } from './traffic.ts';

const TCP_BYTES = 2 << 20;
/** IP header and the eight bytes of UDP or of an echo request. */
const HEADERS = { 4: 20 + 8, 6: 40 + 8 } as const;

/** A server has to run in each pod. */
export async function everyKind(t: ExecutionContext, cluster: Cluster, family: 4 | 6 = 4): Promise<void> {
  for (const [from, to] of directions(cluster)) {
    const { podNetns } = from.host;
    const address = addressOf(to.pod, family);
    const largest = from.pod.mtu - HEADERS[family];
    await assertPing(t, podNetns, address);
    // The largest that fits, and one that the pod's kernel sends in fragments.
    await assertPing(t, podNetns, address, { size: largest, df: true });
    await assertPing(t, podNetns, address, { size: 3 * largest });
    await assertUdp(t, podNetns, address, largest);
    await assertTcp(t, podNetns, address, TCP_BYTES);
  }
}

/** From the first end to the second, and back. */
export function directions({ ends }: Cluster): (readonly [from: End, to: End])[] {
  const [first, second] = [ends[0]!, ends[1]!];
  return [
    [first, second],
    [second, first],
  ];
}

/** Throws when the network has no IPv6 and some is asked for. */
export function addressOf(pod: ConnectedPod, family: 4 | 6): string {
  const address = family === 4 ? pod.address : pod.address6;
  if (address === undefined) throw new Error('the pod has no IPv6 address');
  return address;
}
