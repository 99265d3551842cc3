import { Command } from 'commander';
import type { StatusReply } from '../../control/protocol.ts';
import { addQueryOptions, printReply, type QueryOptions } from '../query.ts';
import { type Style, terminalStyle } from '../style.ts';
import { formatFields, formatTable } from '../table.ts';
import { formatBytes, formatDuration, formatExpiry } from '../units.ts';

/** `weft status`. Exit code 1 while the daemon is not ready, so that scripts can wait for it. */
export function statusCommand(): Command {
  return addQueryOptions(new Command('status'))
    .description('Show what the daemon does, or what it waits for')
    .addHelpText('after', '\nExit code: 0 when the daemon is ready, 1 when it is not or cannot be asked.')
    .action(async (options: QueryOptions) => {
      const style = terminalStyle(process.stdout, process.env);
      const reply = await printReply('/v1/status', options, (status) => formatStatus(status, Date.now(), style));
      if (reply.state !== 'ready') process.exitCode = 1;
    });
}

export function formatStatus(status: StatusReply, nowMs: number, style: Style): string {
  const fields: [string, string][] = [[`weftd ${status.version}`, formatState(status, nowMs, style)]];
  for (const alarm of status.alarms) fields.push(['Alarm', style.red(alarm)]);
  const { network, lease, external, backend, etcd } = status;
  if (network !== null) fields.push(['Network', formatNetwork(network)]);
  if (lease !== null)
    fields.push([
      'Subnet',
      `${pair(lease.ipv4, lease.ipv6)} (${lease.origin}, expires ${formatExpiry(lease.expiresAt, nowMs)})`,
    ]);
  if (backend !== null)
    fields.push([
      'Backend',
      `${backend.type} on ${backend.device}, MTU ${backend.mtu}, port ${backend.port ?? 'none'}, ` +
        `source check ${backend.sourceCheck ? 'on' : 'off'}`,
    ]);
  if (external !== null) fields.push(['External', formatExternal(external)]);
  fields.push(['etcd', formatEtcd(etcd, status.waitingFor?.message)]);
  if (backend !== null) fields.push(['Peers', String(status.peers)]);
  fields.push(['Subnet file', status.subnetFile]);
  return formatFields(fields) + formatOffloads(status, style);
}

function formatState(status: StatusReply, nowMs: number, style: Style): string {
  const process = `up ${formatDuration(status.uptimeSeconds)}, pid ${status.pid}, ${formatBytes(status.memory.rssBytes)}`;
  const wait = status.waitingFor;
  if (wait === null) return `${status.state === 'ready' ? style.green('ready') : status.state}, ${process}`;
  const since = formatDuration((nowMs - Date.parse(wait.since)) / 1000);
  const lines = [`${style.yellow('waiting')} for ${since}, ${wait.attempts} attempts, ${process}`, wait.message];
  return [...lines, ...(wait.hint === null ? [] : [wait.hint])].join('\n');
}

function formatNetwork(network: NonNullable<StatusReply['network']>): string {
  const text = `${network.ipv4} in /${network.subnetLen} subnets`;
  return network.ipv6 === null ? text : `${text}, ${network.ipv6} in /${network.ipv6SubnetLen} subnets`;
}

function formatExternal(external: NonNullable<StatusReply['external']>): string {
  const publicIp = external.publicIp === external.ipv4 ? '' : `, public IP ${external.publicIp}`;
  return `${external.name} ${pair(external.ipv4, external.ipv6)}${publicIp}, MTU ${external.mtu} (${external.reason})`;
}

/** `said` is what the lines above have told already. */
function formatEtcd(etcd: StatusReply['etcd'], said: string | undefined): string {
  const connection = etcd.connected ? 'connected' : 'not connected';
  const revision = etcd.revision === null ? '' : `, revision ${etcd.revision}`;
  const skipped = etcd.skipped === 0 ? '' : `, ${etcd.skipped} keys skipped because they do not parse`;
  const error = etcd.connected || etcd.lastError === null || etcd.lastError === said ? '' : `\n${etcd.lastError}`;
  return `${etcd.endpoint}${etcd.prefix}, ${connection}${revision}${skipped}${error}`;
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
