/** What on a host would keep a packet from going through it, one direction at a time. Pure: from tables that were read. */
import { formatIpv4, type Ipv4 } from '../../addr/ipv4.ts';
import { RP_LOOSE } from '../../linux/sysctl.ts';
import { bridgeOf, type HostTables, hasRouteBy } from './host-tables.ts';
import type { Stage, Suspect } from './model.ts';

export interface Passage {
  readonly stage: Stage;
  /** By which it comes in; undefined: it is sent here. */
  readonly iif: string | undefined;
  /** By which it should leave; undefined: it is for this host. */
  readonly oif: string | undefined;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly protocol: string;
  readonly destinationPort: number | undefined;
  /** Where to look: "" here, else " on 192.0.2.2". */
  readonly where: string;
  /** The overlay's, "10.244.0.0/16"; undefined for what is none of its packets. */
  readonly network?: string | undefined;
}

/** Forwarding switched off, reverse path, firewall, and where the route leads. In the kernel's order. */
export function passageSuspects(tables: HostTables, passage: Passage): Suspect[] {
  return [...reversePath(tables, passage), ...forwarding(tables, passage), ...firewall(tables, passage)];
}

function forwarding(tables: HostTables, { stage, iif, oif, where }: Passage): Suspect[] {
  if (iif === undefined || oif === undefined) return [];
  const suspect = (text: string, hint: string): Suspect[] => [
    { stage, code: 'ip-forward', text: `${text}${where}: nothing is routed`, hint, certain: true },
  ];
  if (tables.forwards === false) return suspect('net.ipv4.ip_forward is 0', 'sysctl -w net.ipv4.ip_forward=1');
  if (!tables.forwarding(iif))
    return suspect(`net.ipv4.conf.${iif}.forwarding is 0`, `sysctl -w net.ipv4.conf.${iif}.forwarding=1`);
  return [];
}

function reversePath(tables: HostTables, { stage, iif, source, where }: Passage): Suspect[] {
  if (iif === undefined) return [];
  const mode = tables.rpFilter(iif);
  if (mode === 0) return [];
  const back = tables.routeTo(source);
  const wrong = mode === RP_LOOSE ? back.device === undefined : back.device !== iif;
  if (!wrong) return [];
  const bridge = bridgeOf(tables, source)?.device;
  const lost = missingPodRoute(tables, source, stage, where);
  // That the bridge's own route is gone is the cause, and this what follows.
  if (lost !== undefined && bridge !== undefined && !hasRouteBy(tables, source, bridge)) return [lost];
  const leads = back.device === undefined ? 'leads nowhere' : `leads to ${back.device}`;
  return [
    {
      stage,
      code: 'rp-filter',
      text: `rp_filter is ${mode} on ${iif}${where}, and the way back to ${formatIpv4(source)} ${leads}`,
      hint: `ip route get ${formatIpv4(source)}; or sysctl -w net.ipv4.conf.${iif}.rp_filter=0 (and of "all")`,
      certain: true,
    },
  ];
}

/** The bridge has the pod's subnet, and no route leads to it. */
export function missingPodRoute(tables: HostTables, pod: Ipv4, stage: Stage, where: string): Suspect | undefined {
  const bridge = bridgeOf(tables, pod);
  if (bridge === undefined) return undefined;
  const { device } = tables.routeTo(pod);
  if (device === bridge.device) return undefined;
  const address = formatIpv4(pod);
  const gone = !hasRouteBy(tables, pod, bridge.device);
  return {
    stage,
    code: 'pod-route',
    text: `${gone ? `${bridge.device} has no route to its own pods` : `another route is before that of ${bridge.device}`}${where}: ${address} ${device === undefined ? 'leads nowhere' : `leads to ${device}`}`,
    hint: gone ? `ip route add ${bridge.subnet} dev ${bridge.device}` : `ip route get ${address}`,
    certain: true,
  };
}

function firewall(tables: HostTables, passage: Passage): Suspect[] {
  const { stage, iif, oif, where } = passage;
  const hook = iif === undefined ? 'output' : oif === undefined ? 'input' : 'forward';
  const legacy: Suspect[] = tables.hasLegacyFilter
    ? [
        {
          stage,
          code: `firewall-${hook}`,
          text: `rules of iptables-legacy${where}, which are not judged here, may drop it`,
          hint: `iptables-legacy -S ${hook.toUpperCase()}`,
          certain: false,
        },
      ]
    : [];
  if (tables.firewall === undefined) return legacy;
  const { verdict, text } = tables.firewall.judge({ ...passage, hook });
  if (verdict === 'accept') return legacy;
  const may = verdict === 'may-drop' ? 'may drop' : 'drops';
  return [
    {
      stage,
      code: `firewall-${hook}`,
      text: `the firewall ${may} it${where}: ${text}`,
      hint: firewallHint(passage, text),
      certain: verdict === 'drop',
    },
    ...legacy,
  ];
}

/** Where Docker or another program set the policy of iptables' chain, nothing but a rule before it helps. */
function firewallHint({ where, network }: Passage, text: string): string {
  const host = where.startsWith(' on ') ? `${where.slice(1).replace(/,.*/, '')}: ` : '';
  if (network === undefined || !/chain FORWARD of table ip filter: policy/.test(text))
    return `${host}nft -a list ruleset`;
  return `${host}iptables -I FORWARD -s ${network} -j ACCEPT, and the same with -d`;
}
