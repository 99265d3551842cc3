/**
 * Hosts whose own addresses lie inside Network, outside of what nodes lease: flannel's own example, in every backend.
 *
 *   pod1 ── cni0 [ h1 ] u0 192.0.2.1 ──── [ net ] 192.0.2.254, etcd ──── u0 192.0.2.2 [ h2 ] cni0 ── pod2
 */
import { BACKEND_NAMES, BACKENDS } from '../../lib/lab/backends.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('i');

const EXAMPLE = { Network: '192.0.0.0/8', SubnetLen: 20, SubnetMin: '192.16.0.0', SubnetMax: '192.99.0.0' };

async function answers(netns: string, address: string): Promise<boolean> {
  const { code } = await execInNetns(netns, ['ping', '-n', '-c', '1', '-W', '1', address], { allowFailure: true });
  return code === 0;
}

/** Which of pods and hosts do not reach each other within 20 s. */
async function missing(lab: Lab, pods: readonly { readonly address: string }[]): Promise<string[]> {
  const [h1, h2] = [lab.hosts[0]!, lab.hosts[1]!];
  const [pod1, pod2] = [pods[0]!.address, pods[1]!.address];
  const wanted: [netns: string, address: string][] = [
    [h1.podNetns, pod2],
    [h2.podNetns, pod1],
    [h1.netns, pod2],
    [h1.netns, h2.underlayAddress],
    [h2.netns, h1.underlayAddress],
    [h1.netns, '192.0.2.254'],
  ];
  const lost: string[] = [];
  for (const [netns, address] of wanted)
    if (!(await until(() => answers(netns, address), PATIENCE_MS))) lost.push(`${netns} to ${address}`);
  return lost;
}

for (const backend of BACKEND_NAMES)
  test(`${backend} carries flannel's example with hosts inside Network (H16)`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      const { pods } = await startOverlay(lab, { config: { ...EXAMPLE, Backend: BACKENDS[backend] } });
      t.regex(pods[0]!.address, /^192\.(1[6-9]|[2-9][0-9])\./);
      t.deepEqual(await missing(lab, pods), []);
    });
  });

/** As clouds do it: each host has a /32, and the gateway, which leads to the others too, is the only one on its link. */
async function putBehindGateway(lab: Lab): Promise<void> {
  await execInNetns(`${id}-net`, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  for (const host of lab.hosts)
    for (const command of [
      'addr flush dev u0',
      `addr add ${host.underlayAddress}/32 dev u0`,
      'route add 192.0.2.254 dev u0 scope link',
      'route add default via 192.0.2.254',
    ])
      await execInNetns(host.netns, ['ip', ...command.split(' ')]);
}

for (const backend of ['udp', 'ipip', 'vxlan'] as const)
  test(`${backend} reaches hosts inside Network behind a default gateway that is inside as well (H16)`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      await putBehindGateway(lab);
      const { pods } = await startOverlay(lab, { config: { ...EXAMPLE, Backend: BACKENDS[backend] } });
      t.deepEqual(await missing(lab, pods), []);
    });
  });
