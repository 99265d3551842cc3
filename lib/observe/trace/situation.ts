/** Who is where: the daemon's networks and peers, the destination's peer, the probe's source. No packet is sent. */
import { formatIpv4, type Ipv4, parseIpv4 } from '../../addr/ipv4.ts';
import { parseIpv6 } from '../../addr/ipv6.ts';
import { hostPrefix, type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.ts';
import { askDaemon } from '../../control/client.ts';
import { type FdbEntry, isIgnored, type NetworkReport, type Peer, type StatusReply } from '../../control/protocol.ts';
import { messageOf, WeftError } from '../../error.ts';
import { netnsOfDaemon } from '../daemon-netns.ts';
import { type FoundPod, findPod } from './find-pod.ts';

export interface TraceRequest {
  /** A pod's address, a peer's public IP. */
  readonly destination: string;
  readonly from: string | undefined;
  readonly network: string | undefined;
  readonly controlSocket: string;
}

export interface Situation {
  readonly status: StatusReply | undefined;
  /** Why there is no status, one sentence. */
  readonly daemonError: string | undefined;
  readonly report: NetworkReport | undefined;
  readonly destination: Ipv4;
  /** The lease that has the destination; undefined when none has, or when it is ours. */
  readonly peer: Peer | undefined;
  /** A lease that has the destination and is not used. */
  readonly ignored: Peer | undefined;
  /** The network's FDB; empty but for vxlan. */
  readonly fdb: readonly FdbEntry[];
  /** The destination is a pod of this host. */
  readonly isLocal: boolean;
  /** File of the namespace with the overlay, undefined: this process's. */
  readonly overlayNetns: string | undefined;
  readonly underlayNetns: string | undefined;
  readonly from: Ipv4 | undefined;
  readonly pod: FoundPod | undefined;
}

/**
 * Throws WeftError UNKNOWN_PEER, NOT_IN_NETWORK, IPV6_NOT_TRACED, NOT_OUR_POD, POD_NOT_FOUND, NOT_PERMITTED, and what the daemon
 * replied with, but for a daemon that is not there.
 */
export async function situate(request: TraceRequest): Promise<Situation> {
  const { status, daemonError } = await askStatus(request);
  const underlayNetns = status === undefined ? undefined : netnsOfDaemon(status.pid).path;
  const from = request.from === undefined ? undefined : parseAddress(request.from, '--from');
  if (status === undefined) {
    const pod = from === undefined ? undefined : findPod(from, undefined);
    const destination = parseAddress(request.destination, 'the destination');
    return {
      status,
      daemonError,
      report: undefined,
      destination,
      peer: undefined,
      ignored: undefined,
      fdb: [],
      isLocal: false,
      overlayNetns: undefined,
      underlayNetns,
      from,
      pod,
    };
  }
  const found = await findNetwork(request, status);
  const overlayNetns = found.report.netns ?? underlayNetns;
  requireOurPod(from, found.report);
  const pod = from === undefined ? undefined : findPod(from, overlayNetns);
  return { status, daemonError, ...found, overlayNetns, underlayNetns, from, pod };
}

async function askStatus(
  request: TraceRequest,
): Promise<{ status: StatusReply | undefined; daemonError: string | undefined }> {
  try {
    return { status: await askDaemon(request.controlSocket, '/v1/status', request.network), daemonError: undefined };
  } catch (error) {
    if (!(error instanceof WeftError) || !['NOT_RUNNING', 'NOT_ANSWERING'].includes(error.code)) throw error;
    return { status: undefined, daemonError: messageOf(error) };
  }
}

function parseAddress(text: string, what: string): Ipv4 {
  const address = parseIpv4(text);
  if (address !== undefined) return address;
  if (parseIpv6(text) !== undefined)
    throw new WeftError('IPV6_NOT_TRACED', `Cannot trace to ${text}: weft trace follows IPv4 packets only`);
  throw new WeftError('USAGE', `${what} is no IPv4 address: "${text}"`);
}

type Found = Pick<Situation, 'report' | 'destination' | 'peer' | 'ignored' | 'fdb' | 'isLocal'> & {
  readonly report: NetworkReport;
};

async function findNetwork(request: TraceRequest, status: StatusReply): Promise<Found> {
  const { destination: text, network, controlSocket } = request;
  const reports = network === undefined ? status.networks : status.networks.filter((report) => report.name === network);
  for (const report of reports) {
    const name = report.name === '' ? undefined : report.name;
    const { peers } = await askDaemon(controlSocket, '/v1/peers', name);
    const destination = addressIn(text, peers, report.backend?.type === 'host-gw');
    const all = parsePrefix(report.network?.ipv4 ?? '');
    if (destination === undefined || (all !== undefined && !prefixContains(all, hostPrefix(destination)))) continue;
    const holders = peers.filter(({ subnet }) => contains(subnet, destination));
    const peer = holders.find((holder) => !isIgnored(holder));
    const isLocal = contains(report.lease?.ipv4 ?? '', destination);
    const fdb = report.backend?.type === 'vxlan' ? (await askDaemon(controlSocket, '/v1/fdb', name)).fdb : [];
    return { report, destination, peer, ignored: peer === undefined ? holders[0] : undefined, fdb, isLocal };
  }
  if (parseIpv4(text) === undefined && parseIpv6(text) !== undefined) parseAddress(text, '');
  if (parseIpv4(text) === undefined)
    throw new WeftError('UNKNOWN_PEER', `"${text}" is no IPv4 address of a pod and no peer's public IP`, {
      hint: 'weft peers lists them',
    });
  const networks = reports.map((report) => report.network?.ipv4 ?? 'one not known yet').join(', ');
  throw new WeftError('NOT_IN_NETWORK', `${text} is in none of the daemon's networks (${networks}), and no peer's`, {
    hint: 'weft status shows the networks, weft peers the peers',
  });
}

/**
 * A peer's public IP means the address of its own device, the first of its subnet; with host-gw, which has none, that of the
 * pods' bridge, which is the second by flannel's habit.
 */
function addressIn(text: string, peers: readonly Peer[], hasNoDevice: boolean): Ipv4 | undefined {
  const peer = peers.find(({ publicIp }) => publicIp === text);
  if (peer === undefined) return parseIpv4(text);
  const subnet = parsePrefix(peer.subnet);
  return subnet?.family === 4 ? subnet.address + (hasNoDevice ? 1 : 0) : undefined;
}

function contains(subnet: string, address: Ipv4): boolean {
  const prefix: Prefix | undefined = parsePrefix(subnet);
  return prefix !== undefined && prefixContains(prefix, hostPrefix(address));
}

function requireOurPod(from: Ipv4 | undefined, { lease }: NetworkReport): void {
  if (from === undefined || lease === null || contains(lease.ipv4, from)) return;
  throw new WeftError('NOT_OUR_POD', `${formatIpv4(from)} is no pod of this host, whose subnet is ${lease.ipv4}`, {
    hint: 'Run weft trace on the host of that pod',
  });
}
