/**
 * Tenants: networks with the same addresses on the same hosts, carried by one weftd on each host.
 *
 *   t1pod1 10.244.1.2 ── [ t1h1 ] flannel.1 ─┐                 ┌─ flannel.1 [ t1h2 ] ── 10.244.2.2 t1pod2
 *                                            ├ weftd ══ weftd ─┤
 *   t2pod1 10.244.1.2 ── [ t2h1 ] flannel.2 ─┘                 └─ flannel.2 [ t2h2 ] ── 10.244.2.2 t2pod2
 */
import { VXLAN_PORT } from './backends.ts';
import { startDaemon } from './daemon.ts';
import { etcdctl, putConfig, startEtcd } from './etcd.ts';
import type { Lab, LabTenant } from './model.ts';
import type { LabProcess } from './netns.ts';
import { defaultConfig, type OverlayOptions } from './overlay.ts';
import { type ConnectedPod, connectPod } from './pod.ts';

export interface TenantOverlay {
  readonly etcd: LabProcess;
  /** In the order of the lab's hosts. */
  readonly daemons: readonly LabProcess[];
  /** For each tenant, in the order of the lab's hosts. */
  readonly pods: readonly (readonly ConnectedPod[])[];
}

export interface TenantOptions extends Omit<OverlayOptions, 'config'> {
  /** flannel's network configuration of a tenant. Default: {@link tenantConfig}. */
  readonly config?: (tenant: LabTenant) => object;
}

/** vxlan on VXLAN's own port; only the VNI, which is the tenant's number, distinguishes tenants. */
export function tenantConfig({ number }: LabTenant): object {
  return defaultConfig({ Type: 'vxlan', VNI: number, Port: VXLAN_PORT });
}

/** Starts etcd, writes the configurations, starts a weftd with all tenants on every host and connects all pods. */
export async function startTenants(lab: Lab, options: TenantOptions = {}): Promise<TenantOverlay> {
  const { detached = false, wrapper = [], daemonArgs = [], config = tenantConfig } = options;
  const { tenants } = lab;
  options.log?.('starting etcd');
  const etcd = await startEtcd(lab, { detached });
  for (const tenant of tenants) {
    await putConfig(lab, JSON.stringify(config(tenant)), tenant.etcdPrefix);
    await reserveSubnets(lab, tenant);
  }
  options.log?.(`starting ${lab.hosts.length} weftd`);
  const daemons = await Promise.all(
    lab.hosts.map((host) => startDaemon(lab, host, daemonArgs, { detached, wrapper, tenants })),
  );
  options.log?.('connecting the pods');
  const pods = await Promise.all(tenants.map(({ sites }) => Promise.all(sites.map((site) => connectPod(site)))));
  return { etcd, daemons, pods };
}

/** Host n has 10.244.n.0/24 in every tenant: a key without an end is kept for the node that its PublicIP names. */
async function reserveSubnets(lab: Lab, { etcdPrefix }: LabTenant): Promise<void> {
  for (const { number, underlayAddress } of lab.hosts) {
    const value = JSON.stringify({ PublicIP: underlayAddress, PublicIPv6: null });
    await etcdctl(lab, ['put', '--', `${etcdPrefix}/subnets/10.244.${number}.0-24`, value]);
  }
}
