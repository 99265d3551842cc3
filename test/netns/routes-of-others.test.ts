/** What routes and addresses of others on this host do to a network, between two hosts (two-hosts.ts). */
import type { Ipv4Prefix } from '../../lib/addr/prefix.ts';
import { prefix } from '../fastpath/harness.ts';
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
    t.regex(log.join('\n'), /^Alarm is over: Device "flannel\.1" is gone/m);
    t.notRegex(log.join('\n'), /cannot be built/);
  });
});

async function makeBridge(host: Host, name: string, address: string): Promise<void> {
  await host.ip(`link add ${name} type bridge`);
  await host.ip(`addr add ${address} dev ${name}`);
  await host.ip(`link set ${name} up`);
}

async function startUdp(host: Host): Promise<void> {
  await host.start('udp', hostOptions(host.number, '"Type":"udp"'));
  await host.setLeases([1, 2].map((n) => lease(n, '')));
}

const LEFT = 'route add 10.244.1.0/24 via 192.0.2.2 dev u0';

for (const type of ['vxlan', 'udp'] as const)
  test(`${type}: a route that flanneld left over what is our own subnet now is removed (F8)`, async (t) => {
    await withTwoHosts(async (one) => {
      await one.ip(LEFT);
      await makeBridge(one, 'cni0', '10.244.1.1/24');
      t.regex(await one.ip('route get 10.244.1.7'), /via 192\.0\.2\.2/);
      const earlier = { ipv4: prefix('10.244.5.0/24') as Ipv4Prefix, ipv6: undefined };
      await one.start(type, { ...hostOptions(1, `"Type":"${type}"`), earlier });
      await one.setLeases([]);
      await until(t, 'it is gone', async () => / dev cni0 /.test(await one.ip('route get 10.244.1.7')));
      const { alarms, log } = await one.state();
      t.deepEqual(alarms, []);
      t.regex(
        log.join('\n'),
        /Removed or corrected what an earlier run left .*10\.244\.1\.0\/24 via 192\.0\.2\.2 dev u0/,
      );
    });
  });

test('a route of others over our own subnet is an alarm that names it, and not ready, until it is gone (F8)', async (t) => {
  await withTwoHosts(async (one) => {
    await one.ip(LEFT);
    await makeBridge(one, 'cni0', '10.244.1.1/24');
    await startVxlan(one);
    await until(t, 'an alarm', async () => (await one.state()).blocking !== undefined);
    t.regex(
      (await one.state()).blocking!,
      /^Route 10\.244\.1\.0\/24 via 192\.0\.2\.2 dev u0 proto 3 leads our own subnet away, .*not reached; remove it/,
    );
    await one.ip(LEFT.replace('add', 'del'));
    await until(t, 'no alarm', async () => (await one.state()).alarms.length === 0);
    // Behind that of the bridge the kernel never uses it.
    await one.ip(`${LEFT} metric 50`);
    await one.ip('route add 10.244.2.0/25 via 192.0.2.9 dev u0');
    await until(t, 'an alarm', async () => (await one.state()).alarms.length > 0);
    t.regex(
      (await one.state()).alarms.join('\n'),
      /^Route 10\.244\.2\.0\/25 via 192\.0\.2\.9 dev u0 proto 3 leads packets for subnet 10\.244\.2\.0\/24 of another node elsewhere; [^\n]*$/,
    );
  });
});

test('a bridge that still has the subnet that another node has now is an alarm while it has (F9)', async (t) => {
  await withTwoHosts(async (one, two) => {
    await makeBridge(one, 'cni0', '10.244.2.1/24');
    for (const host of [one, two]) await startVxlan(host);
    await until(t, 'an alarm', async () => (await one.state()).alarms.length > 0);
    t.deepEqual((await one.state()).alarms, [
      'Bridge "cni0" has 10.244.2.1/24, which overlaps subnet 10.244.2.0/24 of another node: pods on "cni0" with such ' +
        'addresses are reached by nobody; delete them, then the address: ip addr del 10.244.2.1/24 dev cni0',
    ]);
    t.is((await one.state()).blocking, undefined, "the other node's pods are reached");
    await until(t, 'a ping is answered', () => one.pings(4));
    await one.ip('addr del 10.244.2.1/24 dev cni0');
    await until(t, 'no alarm', async () => (await one.state()).alarms.length === 0);
    t.true(await one.pings(4));
  });
});

test('udp: a bridge with an address inside the subnet of a peer is an alarm, and not ready, whenever it comes (F10)', async (t) => {
  await withTwoHosts(async (one, two) => {
    await makeBridge(one, 'docker0', '10.244.2.1/24');
    for (const host of [one, two]) await startUdp(host);
    const text =
      /^Bridge "docker0" has 10\.244\.2\.1\/2[04], which overlaps subnet 10\.244\.2\.0\/24 of another node: that node's pods are not reached from here, .*ip addr del 10\.244\.2\.1\/2[04] dev docker0$/;
    await until(t, 'an alarm', async () => (await one.state()).blocking !== undefined);
    t.regex((await one.state()).blocking!, text);
    t.false(await one.pings(4));
    await one.ip('link del docker0');
    await until(t, 'no alarm', async () => (await one.state()).alarms.length === 0);
    await until(t, 'a ping is answered', () => one.pings(4));
    // Wider than the subnet, and still nearer than our one route for the network.
    await makeBridge(one, 'docker0', '10.244.2.1/20');
    await until(t, 'an alarm', async () => (await one.state()).blocking !== undefined);
    t.regex((await one.state()).blocking!, text);
  });
});
