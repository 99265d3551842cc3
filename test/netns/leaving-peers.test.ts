/**
 * Two hosts whose leases vanish from etcd while they ping each other 50 times a second:
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *            flannel0, weftd       [ net ]        flannel0, weftd
 *                                    etcd
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { Peer } from '../../lib/control/protocol.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import type { Lab, LabHost } from '../../lib/lab/model.ts';
import { type LabProcess, spawnInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, type Overlay, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { testInLabs } from './labs.ts';
import { PATIENTLY, pingsOf } from './pings.ts';

const { id, test } = testInLabs('lv');
const SUBNETS = '/coreos.com/network/subnets/';
const DEADLINE_MS = 30_000;
const PINGS = 300;

interface World {
  readonly lab: Lab;
  readonly overlay: Overlay;
  /** Keys and values of both leases. */
  readonly leases: readonly (readonly [key: string, value: string])[];
}

async function peersOf(host: LabHost): Promise<readonly Peer[]> {
  return (await askDaemon(host.controlSocket, '/v1/peers')).peers;
}

async function readLease(lab: Lab, key: string): Promise<string> {
  return (await etcdctl(lab, ['get', '--print-value-only', '--', key])).stdout.trim();
}

/** `lose` takes leases away; whoever does not write its own again is helped, and no ping may be lost. */
async function loses(t: ExecutionContext, lose: (world: World) => Promise<void>): Promise<void> {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const overlay = await startOverlay(lab);
    const keys = await Promise.all(
      lab.hosts.map(async ({ controlSocket }) => {
        const { lease } = await askDaemon(controlSocket, '/v1/status');
        return `${SUBNETS}${lease!.ipv4.replace('/', '-')}`;
      }),
    );
    const leases = await Promise.all(keys.map(async (key) => [key, await readLease(lab, key)] as const));
    const pings = [
      startPing(lab.hosts[0]!, overlay.pods[1]!.address),
      startPing(lab.hosts[1]!, overlay.pods[0]!.address),
    ];
    const arrives = () => pings.every((ping) => ping.stdout().includes('bytes from'));
    t.true(await until(arrives, DEADLINE_MS));
    await lose({ lab, overlay, leases });
    for (const [key, value] of leases)
      if ((await readLease(lab, key)) === '') await etcdctl(lab, ['put', '--', key, value]);
    for (const host of lab.hosts) {
      const settled = async () => (await peersOf(host)).every(({ leaving }) => !leaving);
      t.true(await until(settled, DEADLINE_MS), 'a peer is leaving for good');
      t.is((await peersOf(host)).length, 1);
    }
    for (const ping of pings) t.is((await pingsOf(ping, PINGS)).answered, PINGS, ping.stdout());
  });
}

function startPing(host: LabHost, address: string): LabProcess {
  return spawnInNetns(host.podNetns, ['ping', '-n', '-c', `${PINGS}`, '-i', '0.02', ...PATIENTLY, address]);
}

/** Waits until host 1 has seen that the lease of host 2 went: it is leaving, or back already. */
async function seen(t: ExecutionContext, { lab, leases }: World): Promise<void> {
  const [key] = leases[1]!;
  const gone = async () =>
    (await peersOf(lab.hosts[0]!)).some(({ leaving }) => leaving) || (await readLease(lab, key)) !== '';
  t.true(await until(gone, DEADLINE_MS), 'nobody saw it');
}

test('a peer whose key is deleted forwards on, and no ping is lost (L1)', async (t) => {
  await loses(t, async (world) => {
    await etcdctl(world.lab, ['del', '--', world.leases[1]![0]]);
    await seen(t, world);
  });
});

test('a peer whose grant is revoked forwards on, and no ping is lost (L2)', async (t) => {
  await loses(t, async (world) => {
    const { stdout } = await etcdctl(world.lab, ['lease', 'list']);
    for (const [grant] of stdout.matchAll(/^[0-9a-f]{8,}$/gm)) await etcdctl(world.lab, ['lease', 'revoke', grant]);
    await seen(t, world);
  });
});

test('an etcd that is set up anew cuts nobody off, and no ping is lost (L4)', async (t) => {
  await loses(t, async (world) => {
    const { lab, overlay } = world;
    await overlay.etcd.stop('SIGKILL');
    rmSync(join(lab.directory, 'etcd'), { recursive: true });
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig()));
    await seen(t, world);
  });
});
