import { readFileSync } from 'node:fs';
import anyTest from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import { etcdctl } from '../../lib/lab/etcd.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { startOverlay } from '../../lib/lab/overlay.ts';
import { until } from '../../lib/lab/until.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { PATIENCE_MS } from '../patience.ts';
import { whySkipped } from './enter.ts';

// Two hosts as in daemon.test.ts, with an IPv6 network beside the IPv4 one.
const skipped = whySkipped();
if (skipped !== undefined) process.stderr.write(`Skipping the test of two dual-stack daemons: ${skipped}\n`);
const test = skipped === undefined ? anyTest.serial : anyTest.skip;

const CONFIG = {
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:244::/48',
  Backend: { Type: 'udp' },
};

test('a dual-stack network carries IPv4 and IPv6, and is written as flannel writes it', async (t) => {
  await withLab({ id: `e${process.pid}`, hosts: 2 }, async (lab) => {
    const { pods } = await startOverlay(lab, { config: CONFIG });
    const [h1, h2] = lab.hosts;
    const met = async () => (await askDaemon(h1!.controlSocket, '/v1/status')).peers === 1;
    t.true(await until(met, PATIENCE_MS));
    for (const address of [pods[1]!.address, pods[1]!.address6!]) {
      const argv = ['ping', '-c', '5', '-i', '0.02', '-W', '2', address];
      t.regex((await execInNetns(h1!.podNetns, argv, { allowFailure: true })).stdout, /5 received/, address);
    }
    for (const host of [h1!, h2!]) {
      const { lease } = await askDaemon(host.controlSocket, '/v1/status');
      const { ipv4 = '', ipv6 } = lease ?? {};
      t.regex(ipv6 ?? '', /^fd00:244:.*::\/64$/);
      const text = readFileSync(host.subnetFile, 'utf8');
      t.true(
        text.includes(`\nFLANNEL_IPV6_NETWORK=fd00:244::/48\nFLANNEL_IPV6_SUBNET=${ipv6?.replace('::', '::1')}\n`),
      );
      const key = `/coreos.com/network/subnets/${ipv4.replace('/', '-')}&${ipv6?.replace('/', '-')}`;
      const { stdout } = await etcdctl(lab, ['get', '--print-value-only', '--', key]);
      t.is(stdout, `{"PublicIP":"${host.underlayAddress}","PublicIPv6":"${host.underlayAddress6}"}\n`);
    }
    const { routes } = await askDaemon(h1!.controlSocket, '/v1/routes');
    t.deepEqual(
      routes.map(({ via }) => via),
      [h2!.underlayAddress, h2!.underlayAddress],
    );
  });
});
