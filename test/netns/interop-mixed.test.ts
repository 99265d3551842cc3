import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../lib/control/client.ts';
import { isIgnored } from '../../lib/control/protocol.ts';
import { ipBatch } from '../../lib/lab/command.ts';
import { startDaemon } from '../../lib/lab/daemon.ts';
import { etcdctl, putConfig, startEtcd } from '../../lib/lab/etcd.ts';
import type { Lab } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { defaultConfig, startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { withCluster } from './interop/cluster.ts';
import { assertPing } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// Clusters in which not all nodes are alike, and hosts on which something holds what weftd needs.
const { id, test } = testInLabs('x');

const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));
const PORT = 4789;

/** Values as flanneld's backends write them. */
const FOREIGN = [
  '{"PublicIP":"192.0.2.71","PublicIPv6":null,"BackendType":"host-gw"}',
  '{"PublicIP":"192.0.2.72","PublicIPv6":null}',
  '{"PublicIP":"192.0.2.73","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"dGVzdA==","Port":51820}}',
] as const;

/** Puts the foreign leases into etcd; returns their subnets, none of which is `own`. */
async function putLeases(lab: Lab, own: string): Promise<string[]> {
  const free = [71, 72, 73, 74].map((number) => `10.244.${number}.0/24`).filter((subnet) => subnet !== own);
  const subnets = free.slice(0, FOREIGN.length);
  for (const [index, subnet] of subnets.entries()) {
    const key = `/coreos.com/network/subnets/${subnet.replace('/', '-')}`;
    await etcdctl(lab, ['put', '--', key, FOREIGN[index]!]);
  }
  return subnets;
}

test('leases of other backends are ignored, noted in weft peers, and disturb nobody', async (t) => {
  await withCluster({ id, ends: ['weft', 'kernel'], backend: { Type: 'vxlan', Port: PORT } }, async ({ lab, ends }) => {
    const [first, second] = ends;
    const { host } = first!;
    const { lease } = await askDaemon(host.controlSocket, '/v1/status');
    const foreign = await putLeases(lab, lease?.ipv4 ?? '');
    const ignoredPeers = async () => (await askDaemon(host.controlSocket, '/v1/peers')).peers.filter(isIgnored);
    t.true(await until(async () => (await ignoredPeers()).length === foreign.length, PATIENCE_MS));
    const ignored = await ignoredPeers();
    t.deepEqual(
      ignored.map(({ subnet }) => subnet),
      foreign,
    );
    for (const { note } of ignored) t.regex(note ?? '', /vxlan/);
    const argv = [process.execPath, WEFT, 'peers', '--control-socket', host.controlSocket];
    const { stdout } = await execInNetns(host.netns, argv);
    const { stdout: routes } = await execInNetns(host.netns, ['ip', 'route']);
    for (const subnet of foreign) {
      t.regex(stdout, new RegExp(`^${subnet} .*ignored: `, 'm'));
      t.false(routes.includes(subnet), routes);
    }
    await assertPing(t, host.podNetns, second!.pod.address);
  });
});

test('a configuration without Backend means udp, as in flanneld', async (t) => {
  await withLab({ id, hosts: 2 }, async (lab) => {
    const { pods } = await startOverlay(lab, { config: { Network: '10.244.0.0/16' } });
    const [host] = lab.hosts;
    const status = async () => askDaemon(host!.controlSocket, '/v1/status');
    t.true(await until(async () => (await status()).peers === 1, PATIENCE_MS));
    t.like((await status()).backend, { type: 'udp', port: 8285, mtu: 1472 });
    await assertPing(t, host!.podNetns, pods[1]!.address);
    const { stdout } = await etcdctl(lab, ['get', '--prefix', '--print-value-only', '/coreos.com/network/subnets/']);
    t.notRegex(stdout, /BackendType/);
  });
});

test('a kernel VXLAN device that holds the port is named', async (t) => {
  await withLab({ id, hosts: 1 }, async (lab) => {
    const [host] = lab.hosts;
    await startEtcd(lab);
    await putConfig(lab, JSON.stringify(defaultConfig({ Type: 'vxlan', Port: PORT })));
    await ipBatch(host!.netns, [
      `link add inway0 type vxlan id 77 dstport ${PORT} local ${host!.underlayAddress} dev u0`,
      'link set inway0 up',
    ]);
    await t.throwsAsync(startDaemon(lab, host!), {
      code: 'DAEMON_FAILED',
      message: /it ended with exit code 1:.*"inway0" \(VNI 77\).*ip link del inway0/s,
    });
    await ipBatch(host!.netns, ['link del inway0']);
    const daemon = await startDaemon(lab, host!);
    t.true(daemon.running());
  });
});
