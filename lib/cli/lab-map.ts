/** What a lab is made of, and what to try in it. */
import type { Lab, PodSite } from '../lab/model.ts';
import type { ConnectedPod } from '../lab/pod.ts';
import { ownName } from './own-name.ts';

/** Fixed, so that `down` and `exec` find what `up` made. */
export const DEFAULT_ID = 'weft';

export interface PlacedPod {
  readonly site: PodSite;
  readonly pod: ConnectedPod;
}

export function place(sites: readonly PodSite[], pods: readonly ConnectedPod[]): PlacedPod[] {
  return pods.map((pod, index) => ({ site: sites[index]!, pod }));
}

/** What was built and what to try; there are no `pods` when no daemon gave them addresses. `name`: how this program is called. */
export function formatMap(lab: Lab, pods: readonly PlacedPod[], name = ownName()): string {
  const nameOf = (netns: string): string => netns.slice(lab.id.length + 1);
  const lines = [`Lab "${lab.id}" is up; its files are in ${lab.directory}`, ''];
  for (const { site, pod } of pods) {
    const addresses = [pod.address.padEnd(15), ...(pod.address6 === undefined ? [] : [pod.address6])].join(' ');
    lines.push(`  ${nameOf(site.podNetns)} ${addresses} ── ${nameOf(site.netns)}`);
  }
  for (const host of lab.hosts) lines.push(`  h${host.number} ${host.underlayAddress}`);
  lines.push(`  etcd ${lab.etcdEndpoint}`, '', 'Try:');
  const id = lab.id === DEFAULT_ID ? '' : ` --id ${lab.id}`;
  // Before what `exec` is to run, which has options of its own.
  for (const command of toTry(lab, pods, nameOf)) lines.push(`  ${name} lab ${command.replace(/^\w+/, `$&${id}`)}`);
  return `${lines.join('\n')}\n`;
}

/** For `eval "$(weft lab show --shell)"`: pod1=10.244.4.2, h1=192.0.2.1; of tenants t1pod1 and so on. */
export function formatVariables(lab: Lab, pods: readonly PlacedPod[]): string {
  const lines = [
    ...pods.map(({ site, pod }) => `${site.podNetns.slice(lab.id.length + 1)}=${pod.address}`),
    ...lab.hosts.map(({ number, underlayAddress }) => `h${number}=${underlayAddress}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Each in the order of its words: what `lab` is told, before options. */
function toTry(lab: Lab, pods: readonly PlacedPod[], nameOf: (netns: string) => string): string[] {
  const first = pods[0];
  // Of tenants, the first one's: the others have the same addresses.
  const last = pods.slice(0, lab.hosts.length).at(-1);
  if (first === undefined || last === undefined)
    return [`exec h1 -- ping -c 3 ${lab.hosts.at(-1)?.underlayAddress ?? ''}`, 'exec h1 -- tcpdump -ni u0', 'down'];
  const network = lab.tenants[0] === undefined ? '' : ` --network ${lab.tenants[0].name}`;
  return [
    `exec ${nameOf(first.site.podNetns)} -- ping -c 3 ${last.pod.address}`,
    `exec h1 -- weft peers${network}`,
    `exec h1 -- weft trace ${last.pod.address} --from ${first.pod.address}${network}`,
    `exec h1 -- weft capture${network}`,
    'down',
  ];
}
