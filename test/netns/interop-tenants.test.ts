import type { ExecutionContext } from 'ava';
import { askDaemon } from '../../lib/control/client.ts';
import type { Lab, LabTenant } from '../../lib/lab/model.ts';
import { execInNetns } from '../../lib/lab/netns.ts';
import { setWireLike } from '../../lib/lab/nic-like.ts';
import { startTenants } from '../../lib/lab/tenants.ts';
import { withLab } from '../../lib/lab/with-lab.ts';
import { assertDecodes, captureWhile, readFields, udpPortAs } from './interop/capture.ts';
import { knowsPeers } from './interop/cluster.ts';
import { assertPing, assertUdp, ping, startServer, transferTcp } from './interop/traffic.ts';
import { testInLabs } from './labs.ts';

// Two tenants with the same addresses on the same two hosts, one weftd on each: lib/lab/tenants.ts has the picture.
const { id, test } = testInLabs('n');

const PORT = 4789;
const AS_VXLAN = udpPortAs(PORT, 'vxlan');
const MIB = 1 << 20;

for (const daemonArgs of [[], ['--offload=off']]) {
  test(`tenants with the same addresses never meet${daemonArgs.map((flag) => `, ${flag}`).join('')}`, async (t) => {
    await withLab({ id, hosts: 2, tenants: 2 }, async (lab) => {
      const { pods, daemons } = await startTenants(lab, { daemonArgs });
      t.deepEqual(pods[0], pods[1], 'the pods of both tenants have the same addresses');
      t.is(pods[0]?.[1]?.address, '10.244.2.2');
      for (const { sites } of lab.tenants) for (const { podNetns } of sites) await startServer(podNetns);
      for (const host of lab.hosts) for (const { name } of lab.tenants) await knowsPeers(host, 1, name);
      const restore = await setWireLike(lab);
      const capture = { netns: lab.hosts[0]!.netns, device: 'u0', filter: `udp port ${PORT}` };
      const file = await captureWhile(lab, capture, () => eachReachesItsOwn(t, lab));
      await assertDecodes(t, file, AS_VXLAN, ['vxlan:eth:ethertype:ip:tcp:echo', 'vxlan:eth:ethertype:ip:icmp:data']);
      await restore();
      const networks = new Set((await readFields(file, AS_VXLAN, ['vxlan.vni'])).map(([vni]) => vni));
      t.deepEqual(
        [...networks].map(Number).toSorted((a, b) => a - b),
        [1, 2],
      );
      await silenceOfOneIsNotFilledByTheOther(t, lab);
      await hostsAreApart(t, lab);
      t.true(daemons.every((daemon) => daemon.running()));
    });
  });
}

/** Names are those of the pods' namespaces. */
async function eachReachesItsOwn(t: ExecutionContext, lab: Lab): Promise<void> {
  for (const { sites } of lab.tenants)
    for (const [from, to, address] of [
      [sites[0]!, sites[1]!, '10.244.2.2'],
      [sites[1]!, sites[0]!, '10.244.1.2'],
    ] as const) {
      await assertPing(t, from.podNetns, address);
      await assertUdp(t, from.podNetns, address, 1422);
      const { sha256, answer } = await transferTcp(from.podNetns, address, 4 * MIB);
      t.deepEqual(answer, { name: to.podNetns, bytes: 4 * MIB, sha256 });
    }
}

/** The other tenant has a pod with the address that is asked for, and still nobody answers. */
async function silenceOfOneIsNotFilledByTheOther(t: ExecutionContext, lab: Lab): Promise<void> {
  const [first, second] = lab.tenants as [LabTenant, LabTenant];
  await execInNetns(second.sites[1]!.podNetns, ['ip', 'link', 'set', 'eth0', 'down']);
  const output = await ping(second.sites[0]!.podNetns, '10.244.2.2', { count: 3, extra: ['-W', '0.5'] });
  t.regex(output, / 0 received/);
  await assertPing(t, first.sites[0]!.podNetns, '10.244.2.2');
}

/** Devices and routes are the tenants' own, the socket is one. */
async function hostsAreApart(t: ExecutionContext, lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    const { stdout: routes } = await execInNetns(host.netns, ['ip', 'route']);
    t.notRegex(routes, /10\.244\./);
    t.notRegex((await execInNetns(host.netns, ['ip', '-br', 'link'])).stdout, /flannel/);
    const { stdout: sockets } = await execInNetns(host.netns, ['ss', '-Hlun', `sport = :${PORT}`]);
    t.is(sockets.trim().split('\n').length, 1, sockets);
    const { networks } = await askDaemon(host.controlSocket, '/v1/status');
    t.deepEqual(
      networks.map(({ name, state, netns }) => ({ name, state, netns })),
      lab.tenants.map(({ name, sites }) => ({
        name,
        state: 'ready' as const,
        netns: `/run/netns/${sites[host.number - 1]!.netns}`,
      })),
    );
  }
  for (const { number, sites } of lab.tenants)
    for (const { netns } of sites) {
      const { stdout } = await execInNetns(netns, ['ip', 'route']);
      t.regex(stdout, new RegExp(`^10\\.244\\.[12]\\.0/24 via 10\\.244\\.[12]\\.0 dev flannel\\.${number} `, 'm'));
    }
}
