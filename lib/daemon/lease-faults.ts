/** What is wrong with the leases of other nodes, as alarms: none keeps packets from passing. Pure. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix, type Prefix } from '../addr/prefix.ts';
import type { Fault } from '../faults.ts';
import type { Loss } from '../lease/departure.ts';
import type { Lease } from '../lease/lease.ts';
import { prefixesOf, visitNested } from '../lease/overlap.ts';
import { isSharedNatAddress } from './host/external-interface.ts';
import { NAT_HINT } from './own-lease.ts';

/** Our choice: whoever writes thousands of leases must not fill the status. */
const MAX_OF_A_KIND = 5;

/** Nobody is cut off, but somebody has to look at etcd. */
export function lossFaults(loss: Loss | undefined): Fault[] {
  if (loss === undefined) return [];
  const { how, lost, known } = loss;
  const causes = {
    list: 'it no longer lists them',
    changes: 'their keys were deleted or ran out',
    'another-history': 'it is another cluster than before, or an earlier state of it',
  };
  const what = lost === known ? (lost === 1 ? 'the only peer' : `all ${lost} peers`) : `${lost} of ${known} peers`;
  const until = 'each until its node writes its lease again, the subnet is leased to another or 24 h have passed';
  const text = `Etcd has lost ${what} at once (${causes[how]}); they stay in force, ${until}: look at etcd`;
  return [{ text, blocks: false }];
}

/** Subnets inside those of other nodes: whoever can write leases can take a part of a subnet, but not silently. */
export function nestedFaults(leases: readonly Lease[]): Fault[] {
  const texts: string[] = [];
  const placed = leases.flatMap((lease) =>
    prefixesOf(lease.subnets).map((prefix) => ({ prefix, item: { prefix, lease } })),
  );
  visitNested(placed, (inner, around) => {
    const { prefix } = around.at(-1)!;
    // The second lease for one prefix is not used, which is an alarm already.
    if (prefix.length === inner.prefix.length) return;
    const outer = around.find((other) => other.prefix.length === prefix.length)!.item;
    if (outer.lease.attrs.publicIp === inner.lease.attrs.publicIp) return;
    texts.push(
      `Lease ${nameOf(inner)} lies inside lease ${nameOf(outer)}, and takes its packets: delete the wrong one`,
    );
  });
  return fewFaults(texts, (more) => `${more} more leases lie inside those of other nodes: weft peers lists all`);
}

/** Leases with our PublicIP under another key than ours: another machine has it, or this one had another subnet before. */
export function duplicateFaults(others: readonly Lease[], publicIp: Ipv4): Fault[] {
  const hint = isSharedNatAddress(publicIp) ? `; ${NAT_HINT}` : '';
  const texts = others
    .filter(({ attrs }) => attrs.publicIp === publicIp)
    .map(({ subnets }) => `Lease ${formatPrefix(subnets.ipv4)} has our PublicIP ${formatIpv4(publicIp)} too${hint}`);
  return fewFaults(texts, (more) => `${more} more leases have our PublicIP too: weft peers lists all`);
}

/** `rest`: what is said of those that are left out. */
function fewFaults(texts: readonly string[], rest: (more: number) => string): Fault[] {
  const more = texts.length - MAX_OF_A_KIND;
  return [...texts.slice(0, MAX_OF_A_KIND), ...(more > 0 ? [rest(more)] : [])].map((text) => ({ text, blocks: false }));
}

function nameOf({ prefix, lease }: { readonly prefix: Prefix; readonly lease: Lease }): string {
  return `${formatPrefix(prefix)} of ${formatIpv4(lease.attrs.publicIp)}`;
}
