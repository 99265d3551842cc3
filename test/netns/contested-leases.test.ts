/**
 * Two hosts, and leases that strangers write into etcd for subnets of host 2:
 *
 *   pod1 ── cni0 [ h1 ] u0 ──────────┬────────── u0 [ h2 ] cni0 ── pod2
 *                                    etcd: 10.244.72.0/24 of h2; the same, a part and more, of strangers
 */
import { askDaemon } from '../../lib/control/client.ts';
import { BACKEND_NAMES, BACKENDS, type BackendName } from '../../lib/lab/backends.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { defaultConfig } from '../../lib/lab/overlay.ts';
import { connectPod } from '../../lib/lab/pod.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { assertPing } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

const { id, test } = testInLabs('cl');
const SUBNETS = '/coreos.com/network/subnets/';
const DEADLINE_MS = 30_000;

/** What the stranger 192.0.2.`n` writes. Its MAC address is lower than any that weftd makes. */
function leaseOf(backend: BackendName, n: number): string {
  const publicIp = `"PublicIP":"192.0.2.${n}"`;
  if (backend === 'udp') return `{${publicIp}}`;
  const data = backend === 'vxlan' ? `,"BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:${n}"}` : '';
  return `{${publicIp},"BackendType":"${backend}"${data}}`;
}

async function put(lab: Lab, key: string, value: string): Promise<void> {
  await etcdctl(lab, ['put', '--', `${SUBNETS}${key}`, value]);
}

for (const backend of BACKEND_NAMES)
  test(`a subnet that strangers lease too, in part or with others, stays its older holder's, and alarms name both: ${backend} (L15, S4)`, async (t) => {
    await withLab({ id, hosts: 2 }, async (lab) => {
      const [h1, h2] = lab.hosts;
      await startEtcd(lab);
      await putConfig(lab, JSON.stringify(defaultConfig(BACKENDS[backend])));
      // A key without an end is kept for the node that its PublicIP names.
      await put(lab, '10.244.72.0-24', '{"PublicIP":"192.0.2.2"}');
      for (const host of [h1!, h2!]) await startDaemon(lab, host);
      await connectPod(h1!);
      const pod = await connectPod(h2!);
      t.is(pod.address, '10.244.72.2');
      await put(lab, '10.244.72.0-24&fd00::-64', leaseOf(backend, 77));
      await put(lab, '10.244.72.0-31', leaseOf(backend, 78));
      await put(lab, '10.244.72.0-22', leaseOf(backend, 79));
      const expected = [
        'Lease 10.244.72.0/24 of 192.0.2.77 is not used: its subnet is leased to 192.0.2.2 too, by an older key: delete the wrong one',
        'Lease 10.244.72.0/31 of 192.0.2.78 lies inside lease 10.244.72.0/24 of 192.0.2.2, and takes its packets: delete the wrong one',
        'Lease 10.244.72.0/24 of 192.0.2.2 lies inside lease 10.244.72.0/22 of 192.0.2.79, and takes its packets: delete the wrong one',
      ];
      const alarms = async () => (await askDaemon(h1!.controlSocket, '/v1/status')).alarms;
      const named = async () => {
        const all = await alarms();
        return expected.every((text) => all.includes(text));
      };
      t.true(await until(named, DEADLINE_MS), (await alarms()).join('\n'));
      await assertPing(t, h1!.podNetns, pod.address);
      const routes = async () => {
        const reply = await askDaemon(h1!.controlSocket, '/v1/routes');
        return reply.routes.map(({ prefix, via }) => `${prefix} ${via}`).sort();
      };
      const wanted = ['10.244.72.0/22 192.0.2.79', '10.244.72.0/24 192.0.2.2', '10.244.72.0/31 192.0.2.78'];
      // The alarm is raised when the leases are read, the route may follow.
      await until(async () => String(await routes()) === String(wanted), DEADLINE_MS);
      t.deepEqual(await routes(), wanted);
    });
  });
