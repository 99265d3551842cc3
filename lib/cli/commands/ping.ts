import { Command } from 'commander';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { ipv4Prefix, type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.ts';
import { askDaemon } from '../../control/client.ts';
import { isIgnored, type Peer } from '../../control/protocol.ts';
import { WeftError } from '../../error.ts';
import { type EchoOutcome, probeEchoes } from '../../measure/echo-probe.ts';
import { percentile } from '../../measure/statistics.ts';
import { netnsOfDaemon } from '../../observe/daemon-netns.ts';
import { printableAll, toJson } from '../../printable.ts';
import { seconds, wholeNumber } from '../numbers.ts';
import { addQueryOptions, type QueryOptions } from '../query.ts';
import { formatTable } from '../table.ts';

interface PingOptions extends QueryOptions {
  readonly count: number;
  /** Seconds. */
  readonly interval: number;
  /** Seconds. */
  readonly timeout: number;
}

/** `weft ping`. Exit code 1 when an echo stayed without reply. */
export function pingCommand(): Command {
  return addQueryOptions(new Command('ping'))
    .description('Measure the round trip to a peer, over the underlay and through the overlay, side by side')
    .argument('[peer]', "a peer's public IP, its subnet, or an address of one of its pods; default: every peer in turn")
    .option('-c, --count <n>', 'echo requests on each path', wholeNumber(1, 30_000), 20)
    .option('-i, --interval <seconds>', 'between two requests on one path', seconds(0.001, 3600), 0.05)
    .option('--timeout <seconds>', 'a later reply counts as lost', seconds(0.001, 3600), 1)
    .addHelpText(
      'after',
      `
The underlay is asked at the peer's public IP; the overlay at the pod address given, else at the address of the
peer's own device (the first of its subnet). Needs root, or CAP_NET_RAW.

Examples:
  weft ping 192.0.2.2          a peer by its public IP
  weft ping 10.244.99.0/24     by its subnet
  weft ping 10.244.99.2        the way to one pod

Exit code: 0 when every echo came back, 1 when one was lost.`,
    )
    .action(async (peer: string | undefined, options: PingOptions) => {
      const { peers } = await askDaemon(options.controlSocket, '/v1/peers', options.network);
      const netns = await chooseNetns(options);
      const pings: PeerPing[] = [];
      for (const target of chooseTargets(peers, peer)) {
        const ping = await pingPeer(target, options, netns);
        pings.push(ping);
        if (options.json !== true) process.stdout.write(formatPing(printableAll(ping)));
      }
      if (options.json === true) process.stdout.write(`${toJson({ peers: pings }, 2)}\n`);
      if (pings.some(({ underlay, overlay }) => underlay.lost + overlay.lost > 0)) process.exitCode = 1;
    });
}

/**
 * The network namespace of the daemon that was asked, in a lab another than ours; undefined when it is ours. Where it cannot be
 * seen, in a container with process ids of its own, that is said on standard error.
 */
async function chooseNetns({ controlSocket }: PingOptions): Promise<string | undefined> {
  const { pid } = await askDaemon(controlSocket, '/v1/status');
  const { path, isKnown } = netnsOfDaemon(pid);
  if (!isKnown)
    process.stderr.write(
      "weft: The network namespace of weftd cannot be seen from here: echo requests leave from this process's\n",
    );
  return path;
}

/** Our choice: beyond this many, all peers in turn take longer than anybody means to wait. */
const MAX_PEERS = 64;

interface Target {
  readonly subnet: string;
  readonly publicIp: string;
  readonly underlay: Ipv4;
  /** Where the overlay is asked. */
  readonly overlay: Ipv4;
  readonly overlayText: string;
}

/** `wanted`: public IP, subnet or an address in it; undefined means all. Codes: NO_PEERS, UNKNOWN_PEER, USAGE. */
export function chooseTargets(listed: readonly Peer[], wanted: string | undefined): Target[] {
  const peers = listed.filter((peer) => !isIgnored(peer));
  if (peers.length === 0) {
    throw new WeftError('NO_PEERS', 'No other node has a lease that is used', {
      hint: 'Start weftd on another node; see weft status',
    });
  }
  if (wanted === undefined) {
    if (peers.length > MAX_PEERS) {
      throw new WeftError('USAGE', `There are ${peers.length} peers: name one`, { hint: 'weft peers lists them' });
    }
    return peers.map((peer) => targetOf(peer));
  }
  const prefix = parsePrefix(wanted) ?? hostPrefix(wanted);
  if (prefix === undefined) throw new WeftError('USAGE', `"${wanted}" is no IPv4 address and no subnet`);
  const byPublicIp = peers.find((peer) => peer.publicIp === wanted);
  if (byPublicIp !== undefined) return [targetOf(byPublicIp)];
  const bySubnet = peers.find((peer) => prefixContains(subnetOf(peer), prefix));
  if (bySubnet === undefined) {
    throw new WeftError('UNKNOWN_PEER', `No peer has the public IP, subnet or pod address ${wanted}`, {
      hint: 'weft peers lists them',
    });
  }
  const isPod = prefix.family === 4 && prefix.length === 32;
  return [targetOf(bySubnet, isPod ? prefix.address : undefined)];
}

function hostPrefix(text: string): Prefix | undefined {
  const address = parseIpv4(text);
  return address === undefined ? undefined : ipv4Prefix(address, 32);
}

function subnetOf(peer: Peer): Prefix {
  const prefix = parsePrefix(peer.subnet);
  if (prefix === undefined) throw new WeftError('BAD_REPLY', `the daemon names the subnet "${peer.subnet}"`);
  return prefix;
}

/** `pod` undefined: the peer's device, which has the first address of its subnet and answers echoes. */
function targetOf(peer: Peer, pod?: Ipv4): Target {
  const underlay = parseIpv4(peer.publicIp);
  const subnet = subnetOf(peer);
  if (underlay === undefined || subnet.family !== 4) {
    throw new WeftError('UNKNOWN_PEER', `Peer ${peer.publicIp} has no IPv4 path: weft ping speaks ICMP for IPv4`);
  }
  const overlay = pod ?? subnet.address;
  return { subnet: peer.subnet, publicIp: peer.publicIp, underlay, overlay, overlayText: formatIpv4(overlay) };
}

/** One path of `weft ping --json`; keys are stable. Times are milliseconds, null when nothing came back. */
interface PathPing {
  readonly address: string;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly minMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly errors: readonly { readonly message: string; readonly count: number }[];
}

export interface PeerPing {
  readonly subnet: string;
  readonly publicIp: string;
  readonly underlay: PathPing;
  readonly overlay: PathPing;
  /** Overlay p50 less underlay p50. */
  readonly overlayCostMs: number | null;
}

async function pingPeer(target: Target, options: PingOptions, netns: string | undefined): Promise<PeerPing> {
  const [underlay, overlay] = await probeEchoes({
    targets: [target.underlay, target.overlay],
    count: options.count,
    intervalMs: options.interval * 1000,
    timeoutMs: options.timeout * 1000,
    identifier: process.pid & 0xffff,
    netns,
  });
  // probeEchoes answers for each target, in order.
  return comparePaths(target, summarizePath(target.publicIp, underlay!), summarizePath(target.overlayText, overlay!));
}

export function summarizePath(address: string, { sent, rttMs, errors }: EchoOutcome): PathPing {
  const at = (share: number): number | null =>
    rttMs.length === 0 ? null : Math.round(percentile(rttMs, share) * 1000) / 1000;
  return {
    address,
    sent,
    received: rttMs.length,
    lost: sent - rttMs.length,
    minMs: at(0),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    errors: [...errors].map(([message, count]) => ({ message, count })),
  };
}

function comparePaths(peer: { subnet: string; publicIp: string }, underlay: PathPing, overlay: PathPing): PeerPing {
  const known = underlay.p50Ms !== null && overlay.p50Ms !== null;
  return {
    subnet: peer.subnet,
    publicIp: peer.publicIp,
    underlay,
    overlay,
    overlayCostMs: known ? Math.round((overlay.p50Ms - underlay.p50Ms) * 1000) / 1000 : null,
  };
}

export function formatPing(ping: PeerPing): string {
  const rows = (['underlay', 'overlay'] as const).map((name) => {
    const path = ping[name];
    const loss = `${path.lost} of ${path.sent}`;
    return [name, path.address, ...[path.minMs, path.p50Ms, path.p99Ms, path.maxMs].map(formatMs), loss];
  });
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    { title: 'Path' },
    { title: 'Address' },
    right('min ms'),
    right('p50 ms'),
    right('p99 ms'),
    right('max ms'),
    right('lost'),
  ];
  const cost =
    ping.overlayCostMs === null
      ? ''
      : `The overlay adds ${ping.overlayCostMs.toFixed(3)} ms at the median. The delay of Node.js itself is in both.\n`;
  const errors = (['underlay', 'overlay'] as const).flatMap((name) =>
    ping[name].errors.map(({ message, count }) => `${name}: ${message}, ${count} times\n`),
  );
  return `Peer ${ping.publicIp}, subnet ${ping.subnet}\n${formatTable(columns, rows)}${errors.join('')}${cost}\n`;
}

function formatMs(value: number | null): string {
  return value === null ? '-' : value.toFixed(3);
}
