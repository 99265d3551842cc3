import { Command } from 'commander';
import type { BackendStatus, NetworkReport, StatusReply, StoreStatus } from '../../control/protocol.ts';
import { formatBytes, formatCount, formatDuration, formatExpiry } from '../../units.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Style, terminalStyle } from '../style.ts';
import { formatFields, formatTable } from '../table.ts';

/** `weft status`. Exit code 1 while what is shown is not ready, so that scripts can wait for it. */
export function statusCommand(): Command {
  return addQueryOptions(new Command('status'), {
    network: 'all about one of several networks; default: a line for each',
  })
    .description('Show what the daemon does, or what it waits for')
    .addHelpText(
      'after',
      `
Of several networks it shows a line each, and with --network all about one.

Exit code: 0 when the network, or each of them, is ready; 1 when not, or when the daemon cannot be asked.`,
    )
    .action(async (options: QueryOptions) => {
      const style = terminalStyle(process.stdout, process.env);
      const reply = await printReply('/v1/status', options, (status) =>
        isOverview(status, options.network)
          ? formatOverview(status, Date.now(), style)
          : formatStatus(status, Date.now(), style),
      );
      const shown = isOverview(reply, options.network) ? reply.networks : [reply];
      if (shown.some(({ state }) => state !== 'ready')) process.exitCode = 1;
    });
}

function isOverview({ networks }: StatusReply, wanted: string | undefined): boolean {
  return networks.length > 1 && wanted === undefined;
}

/** All about the network that the reply is about. */
export function formatStatus(status: StatusReply, nowMs: number, style: Style): string {
  const fields: [string, string][] = [[`weftd ${status.version}`, formatState(status, nowMs, style)]];
  for (const alarm of status.alarms) fields.push(['Alarm', style.red(alarm)]);
  const { network, lease, external, backend } = status;
  const store = storeOf(status);
  if (network !== null) fields.push(['Network', formatNetwork(network)]);
  if (lease !== null)
    fields.push([
      'Subnet',
      `${pair(lease.ipv4, lease.ipv6)} (${lease.origin}, expires ${formatExpiry(lease.expiresAt, nowMs)})`,
    ]);
  if (backend !== null) fields.push(['Backend', formatBackend(backend, status.offloads.length > 0)]);
  if (external !== null) fields.push(['External', formatExternal(external)]);
  fields.push([store.kind, formatStore(store, status.waitingFor?.message)]);
  if (backend !== null) fields.push(['Peers', String(status.peers)]);
  fields.push(['Subnet file', status.subnetFile], ...readersOf(status, nowMs));
  return formatFields(fields) + formatOffloads(status, style);
}

/** Who looks at packets, a line each. A weftd that is older than this command has no tap. */
function readersOf({ tap }: Partial<Pick<StatusReply, 'tap'>>, nowMs: number): [string, string][] {
  const lines = (tap?.readers ?? []).map(({ pid, uid, since, network, sample, droppedOnly, sent, lost }) => {
    const age = formatDuration((nowMs - Date.parse(since)) / 1000);
    const which = droppedOnly ? 'dropped packets' : `one packet of ${formatCount(sample)}`;
    const where = network === null || network === '' ? '' : ` of ${network}`;
    return `pid ${pid}, user ${uid}, for ${age}: ${which}${where}, ${formatCount(sent)} seen, ${formatCount(lost)} lost`;
  });
  return lines.length === 0 ? [] : [['Tap', lines.join('\n')]];
}

/** A line for each network, and below it what is wrong. */
function formatOverview(status: StatusReply, nowMs: number, style: Style): string {
  const { networks } = status;
  const ready = networks.filter(({ state }) => state === 'ready').length;
  const count = `${ready} of ${networks.length} networks ready`;
  const first = `${ready === networks.length ? style.green(count) : style.yellow(count)}, ${formatProcess(status)}`;
  const columns = ['Network', 'State', 'Subnet', 'Backend', 'Peers', 'Subnet file'].map((title) => ({ title }));
  const rows = networks.map(({ name, state, lease, backend, peers, subnetFile }) => [
    name,
    state,
    lease === null ? '-' : pair(lease.ipv4, lease.ipv6),
    backend === null ? '-' : `${backend.type} on ${backend.device}`,
    backend === null ? '-' : String(peers),
    subnetFile,
  ]);
  const problems = networks.flatMap((network) => problemsOf(network, nowMs, style));
  const below = problems.length === 0 ? '' : `\n${formatFields(problems)}`;
  const head = formatFields([
    [`weftd ${status.version}`, first],
    [storeOf(status).kind, formatStoreOf(networks)],
    ...readersOf(status, nowMs),
  ]);
  return `${head}\n${formatTable(columns, rows)}${below}`;
}

/** A weftd that is older than this command says `etcd` alone. */
function storeOf({ store, etcd }: Partial<Pick<NetworkReport, 'store'>> & Pick<NetworkReport, 'etcd'>): StoreStatus {
  return store ?? { kind: 'etcd', ...etcd };
}

/** Each network has a connection of its own, all to the same servers. */
function formatStoreOf(networks: readonly NetworkReport[]): string {
  const stores = networks.map((network) => ({ name: network.name, ...storeOf(network) }));
  const away = stores.filter(({ connected }) => !connected).map(({ name }) => name);
  return `${stores[0]?.endpoint}, ${away.length === 0 ? 'connected' : `not connected for ${away.join(', ')}`}`;
}

function problemsOf(
  { name, state, waitingFor, alarms }: NetworkReport,
  nowMs: number,
  style: Style,
): [string, string][] {
  const wait: [string, string][] =
    waitingFor === null ? [] : [[name, formatWait(state, waitingFor, nowMs, style, '').join('\n')]];
  // Why it has failed has been said.
  const others = alarms.filter((alarm) => waitingFor === null || !alarm.endsWith(waitingFor.message));
  return [...wait, ...others.map((alarm): [string, string] => [name, `${style.red('alarm')}: ${alarm}`])];
}

function formatState(status: StatusReply, nowMs: number, style: Style): string {
  const process = formatProcess(status);
  const { state, waitingFor } = status;
  if (waitingFor === null) return `${state === 'ready' ? style.green('ready') : state}, ${process}`;
  return formatWait(state, waitingFor, nowMs, style, `, ${process}`).join('\n');
}

function formatProcess({ uptimeSeconds, pid, memory }: StatusReply): string {
  return `up ${formatDuration(uptimeSeconds)}, pid ${pid}, ${formatBytes(memory.rssBytes)}`;
}

/** What is waited for, in two or three lines; `more` ends the first. */
function formatWait(
  state: StatusReply['state'],
  wait: NonNullable<StatusReply['waitingFor']>,
  nowMs: number,
  style: Style,
  more: string,
): string[] {
  const word = state === 'failed' ? style.red(state) : style.yellow(state);
  const since = formatDuration((nowMs - Date.parse(wait.since)) / 1000);
  const lines = [`${word} for ${since}, ${wait.attempts} attempts${more}`, wait.message];
  return [...lines, ...(wait.hint === null ? [] : [wait.hint])];
}

function formatNetwork(network: NonNullable<StatusReply['network']>): string {
  const text = `${network.ipv4} in /${network.subnetLen} subnets`;
  return network.ipv6 === null ? text : `${text}, ${network.ipv6} in /${network.ipv6SubnetLen} subnets`;
}

/** Without a data plane (host-gw, alloc) nothing checks sources. */
function formatBackend(backend: BackendStatus, hasDataplane: boolean): string {
  const port = backend.port === null ? '' : `, port ${backend.port}`;
  const check = hasDataplane ? `, source check ${backend.sourceCheck ? 'on' : 'off'}` : '';
  // A weftd that is older than this command says neither.
  const vtep =
    (backend.vni ?? null) === null
      ? ''
      : `\nVNI ${backend.vni}, VtepMAC ${pair(backend.vtepMac ?? '-', backend.vtepMacV6)}`;
  return `${backend.type} on ${backend.device}, MTU ${backend.mtu}${port}${check}${vtep}`;
}

function formatExternal(external: NonNullable<StatusReply['external']>): string {
  const publicIp = external.publicIp === external.ipv4 ? '' : `, public IP ${external.publicIp}`;
  return `${external.name} ${pair(external.ipv4, external.ipv6)}${publicIp}, MTU ${external.mtu} (${external.reason})`;
}

/** `said` is what the lines above say already. */
function formatStore(store: StatusReply['store'], said: string | undefined): string {
  const connection = store.connected ? 'connected' : 'not connected';
  const revision = store.revision === null ? '' : `, revision ${store.revision}`;
  const skipped = store.skipped === 0 ? '' : `, ${store.skipped} keys skipped because they do not parse`;
  const error = store.connected || store.lastError === null || store.lastError === said ? '' : `\n${store.lastError}`;
  return `${store.endpoint}${store.prefix}, ${connection}${revision}${skipped}${error}`;
}

function formatOffloads(status: StatusReply, style: Style): string {
  if (status.offloads.length === 0) return '';
  const rows = status.offloads.map((offload) => [offload.name, offload.active ? 'on' : 'off', offload.reason]);
  return `\n${style.bold('Which path packets take')}\n${formatTable(
    [{ title: 'Offload' }, { title: 'State' }, { title: 'Why' }],
    rows,
  )}`;
}

function pair(ipv4: string, ipv6: string | null): string {
  return ipv6 === null ? ipv4 : `${ipv4} ${ipv6}`;
}
