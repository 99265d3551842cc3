/** What routes and addresses of others on this host do to a network, between two hosts (two-hosts.ts). */
import { testInFreshNamespace } from './enter.ts';
import { type Host, hostOptions, lease, until, withTwoHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const VXLAN = '"Type":"vxlan","Port":4789';

async function startVxlan(host: Host, dual = false): Promise<void> {
  await host.start('vxlan', hostOptions(host.number, VXLAN, dual));
  await host.setLeases([1, 2].map((n) => lease(n, 'vxlan', 1, dual)));
}

test('IPv6 passes where a route of the host leads all of fd00::/8 elsewhere (H14)', async (t) => {
  await withTwoHosts(async (one, two) => {
    await one.ip('link add site0 type veth peer name site1');
    await one.ip('link set site0 up');
    await one.ip('link set site1 up');
    await one.ip('-6 route add fd00::/8 dev site0');
    for (const host of [one, two]) await startVxlan(host, true);
    await until(t, 'a ping is answered', () => one.pings(6));
    t.true(await two.pings(6));
    const routes = await one.ip('-6 route show proto 137');
    t.regex(routes, /^fd00:0:0:2::\/64 via fd00:0:0:2:: dev flannel-v6\.1 metric 1024 onlink pref medium\s*$/);
    t.regex(await one.ip('-6 route'), /^fd00::\/8 dev site0/m, "the host's own stays");
    t.notRegex((await one.state()).log.join('\n'), /Cannot set all/);

    // As after somebody removed it: the same way again.
    await one.ip('-6 route del fd00:0:0:2::/64');
    await until(t, 'a ping is answered', () => one.pings(6));
  });
});

test('IPv6 passes where a bridge of the host has the subnet of the peer (H14)', async (t) => {
  await withTwoHosts(async (one, two) => {
    await one.ip('link add site0 type veth peer name site1');
    await one.ip('link set site0 up');
    await one.ip('link set site1 up');
    await one.ip('-6 addr add fd00:0:0:2::1/64 dev site0 nodad');
    for (const host of [one, two]) await startVxlan(host, true);
    await until(t, 'a ping is answered', () => one.pings(6));
    t.true(await two.pings(6));
  });
});

test('a device that goes while its network starts is there again, and nothing fails for it (H14)', async (t) => {
  await withTwoHosts(async (one) => {
    await one.start('vxlan', { ...hostOptions(1, VXLAN, true), loseWhileStarting: 'flannel.1' });
    const { log } = await one.state();
    t.regex(log.join('\n'), /^The device is back/m);
    t.notRegex(log.join('\n'), /Cannot build the device/);
  });
});
