/** What is wrong with the own lease, in sentences; and what its loss means for those who use the subnet. Pure. */
import { formatIpv4, type Ipv4 } from '../addr/ipv4.ts';
import { formatPrefix } from '../addr/prefix.ts';
import type { Fault } from '../faults.ts';
import type { LeaseAttrs, SubnetPair } from '../lease/lease.ts';
import { formatSubnetKey } from '../lease/subnet-key.ts';
import type { OwnLeaseCondition } from '../store/store.ts';
import { isSharedNatAddress } from './host/external-interface.ts';

/** For the classic Vagrant mistake (flannel issue 98). */
export const NAT_HINT = '10.0.2.15 is the NAT address of every Vagrant VM: give -iface=eth1, the private network';

/** Our choice: a lease whose key was deleted is usually there again before anybody could read an alarm. */
const GONE_GRACE_MS = 2000;

export function ownLeaseFaults(condition: OwnLeaseCondition, { ipv4 }: SubnetPair, publicIp: Ipv4): Fault[] {
  const subnet = formatPrefix(ipv4);
  switch (condition.kind) {
    case 'held':
      return [];
    case 'gone': {
      const { obstacle } = condition;
      const progress = obstacle === undefined ? 'it is being written again' : `it cannot be written again: ${obstacle}`;
      return [{ text: `Our lease ${subnet} is gone from etcd; ${progress}`, blocks: true, graceMs: GONE_GRACE_MS }];
    }
    case 'taken':
      return [
        {
          text: `Our lease ${subnet} was taken by ${formatIpv4(condition.by.publicIp)}; delete its key to get it back, or this node takes another subnet soon`,
          blocks: true,
        },
      ];
    case 'shared': {
      const cure = isSharedNatAddress(publicIp)
        ? NAT_HINT
        : 'give each machine its own --public-ip; if the other is gone, restart weftd';
      const text = `Another machine with our PublicIP ${formatIpv4(publicIp)} has written our lease ${subnet}: ${cure}`;
      return [{ text, blocks: true }];
    }
    case 'lost':
      return [{ text: `${lossOf({ ipv4 }, condition.to)}; this node takes another`, blocks: true }];
  }
}

/** Why the subnet is given up. `to`: who has it now. */
export function lossOf({ ipv4 }: Pick<SubnetPair, 'ipv4'>, to: LeaseAttrs | undefined): string {
  const subnet = formatPrefix(ipv4);
  if (to === undefined) return `Our subnet ${subnet} is not one of the network configuration any more`;
  return `Our subnet ${subnet} now belongs to ${formatIpv4(to.publicIp)}`;
}

/** What the pods of this node must do when its subnet has changed; undefined when it has not. */
export function changeOfSubnet(previous: SubnetPair | undefined, own: SubnetPair): string | undefined {
  if (previous === undefined) return undefined;
  if (formatSubnetKey(previous) === formatSubnetKey(own)) return undefined;
  const [before, after] = [previous, own].map(({ ipv4 }) => formatPrefix(ipv4));
  return (
    `The subnet of this node was ${before} and is ${after}: pods keep their old addresses, which no other node reaches, ` +
    'until they are made anew; delete their bridge first (ip link delete cni0), and restart Docker if it reads subnet.env'
  );
}
