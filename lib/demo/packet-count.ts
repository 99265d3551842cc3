/** Who counts the packets between the pods, so that a capture can be held against it: the daemons, or the kernel where it carries them. */
import { askDaemon } from '../control/client.ts';
import type { StatsReply } from '../control/protocol.ts';
import type { Lab } from '../lab/model.ts';
import { ipCounter, readSnmp } from '../measure/ip-counters.ts';
import type { Claims } from './claims.ts';

export interface PacketCounter {
  /** "the daemons counted as sent" */
  readonly by: string;
  /** Packets that both hosts sent each other since they started. */
  sent(): Promise<number>;
  /** Claims that none was dropped since they started. */
  claimNoDrops(claims: Claims): Promise<void>;
}

/** The data planes of the daemons. */
export function countByDaemons(lab: Lab): PacketCounter {
  const stats = (): Promise<StatsReply[]> =>
    Promise.all(lab.hosts.map((host) => askDaemon(host.controlSocket, '/v1/stats')));
  return {
    by: 'the daemons counted as sent',
    sent: async () => (await stats()).reduce((sum, { outbound }) => sum + outbound.forwarded, 0),
    claimNoDrops: async (claims) => claimNoEngineDrops(await stats(), claims),
  };
}

/** The kernel's own multicast on the device (IPv6 discovery) is for no peer; it is left out, and the detail says so. */
function claimNoEngineDrops(stats: readonly StatsReply[], claims: Claims): void {
  const count = (pick: (reply: StatsReply) => number) => stats.reduce((sum, reply) => sum + pick(reply), 0);
  const multicast = count(({ drops }) => drops.multicast ?? 0);
  const dropped = count(({ drops }) => Object.values(drops).reduce((sum, drop) => sum + drop, 0)) - multicast;
  const overflow = count(({ socketOverflow }) => socketOverflow);
  const forwarded = count(({ inbound, outbound }) => inbound.forwarded + outbound.forwarded);
  const detail =
    `${forwarded} forwarded, ${dropped} dropped, ${overflow} lost before a full socket ` +
    `(and ${multicast} multicast packets of the hosts' own IPv6, which are for no peer)`;
  claims.check("the daemons dropped none of the pods' packets", dropped + overflow === 0, detail);
}

/** Counters of /proc/net/snmp that a lost packet raises. */
const KERNEL_DROPS = ['InHdrErrors', 'InAddrErrors', 'InDiscards', 'OutDiscards', 'OutNoRoutes'] as const;

/**
 * The kernel of the first host, which forwards what either pod sends and nothing else. It counts a super-packet as one:
 * exact only while the pods cut their packets themselves (lib/demo/capture-phase.ts).
 */
export function countByKernel(lab: Lab): PacketCounter {
  // Of the lab's two hosts, the first.
  const first = lab.hosts[0]!;
  return {
    by: `that the kernel of ${first.netns} counted as forwarded (IpForwDatagrams; no daemon is on the path)`,
    sent: async () => ipCounter(await readSnmp(first.netns), 'ForwDatagrams'),
    async claimNoDrops(claims) {
      const texts = await Promise.all(lab.hosts.map(({ netns }) => readSnmp(netns)));
      const counts = KERNEL_DROPS.map((name) => texts.reduce((sum, text) => sum + ipCounter(text, name), 0));
      const detail = KERNEL_DROPS.map((name, index) => `${name} ${counts[index]}`).join(', ');
      claims.check(
        "the hosts' kernels dropped none of the pods' packets",
        counts.every((count) => count === 0),
        detail,
      );
    },
  };
}
