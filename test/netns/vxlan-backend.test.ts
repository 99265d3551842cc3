/** The vxlan backend between two hosts (two-hosts.ts): Weft on both, or Linux's own VXLAN device on the other. */
import { formatMac } from '../../lib/addr/mac.ts';
import type { WeftError } from '../../lib/error.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { testInFreshNamespace } from './enter.ts';
import { Host, hostOptions, lease, until, vtepMac, withTwoHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const BACKEND = '"Type":"vxlan","Port":4789';

async function startBoth(hosts: readonly Host[], backend = BACKEND, dual = false): Promise<void> {
  for (const host of hosts) {
    await host.start('vxlan', hostOptions(host.number, backend, dual));
    await host.setLeases([1, 2].map((n) => lease(n, 'vxlan', 1, dual)));
  }
}

test('two hosts reach each other, and the kernel looks as flanneld leaves it', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two]);
    await until(t, 'a ping is answered', () => one.pings(4));
    t.true(await two.pings(4));
    t.regex(await one.ip('-d link show flannel.1'), /mtu 1450 .*\n.*link\/ether 02:00:00:00:00:01/);
    t.regex(await one.ip('addr show flannel.1'), /inet 10\.244\.1\.0\/32 scope global flannel\.1/);
    t.regex(await one.ip('route'), /10\.244\.2\.0\/24 via 10\.244\.2\.0 dev flannel\.1 proto 137 onlink/);
    t.regex(await one.ip('neigh show dev flannel.1'), /10\.244\.2\.0 lladdr 02:00:00:00:00:02 PERMANENT/);
    const { stats, fdb, routes, port, overlayMtu } = await one.state();
    t.is(port, 4789);
    t.is(overlayMtu, 1450);
    t.deepEqual(routes, [{ prefix: '10.244.2.0/24', via: '192.0.2.2', device: 'flannel.1' }]);
    t.is(fdb[0]!.mac, formatMac(vtepMac(2)));
    t.is(stats.peers[0]!.publicIp, '192.0.2.2');
    t.true(stats.inbound.forwarded >= 2);
  });
});

test('in dual stack IPv6 goes over IPv6, through a device of its own', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two], BACKEND, true);
    await until(t, 'a ping is answered', () => one.pings(6));
    t.true(await two.pings(6));
    t.true(await one.pings(4));
    t.regex(await one.ip('-d link show flannel.1'), /mtu 1450 /);
    t.regex(await one.ip('-d link show flannel-v6.1'), /mtu 1430 .*\n.*link\/ether 02:00:00:00:02:01/);
    t.regex(await one.ip('-6 addr show flannel-v6.1'), /inet6 fd00:0:0:1::\/128 scope global/);
    t.regex(await one.ip('-6 route'), /fd00:0:0:2::\/64 via fd00:0:0:2:: dev flannel-v6\.1 proto 137 .*onlink/);
    t.regex(await one.ip('-6 neigh show dev flannel-v6.1'), /fd00:0:0:2:: lladdr 02:00:00:00:02:02 .*PERMANENT/);
    const { overlayMtu, stats, offloads, routes } = await one.state();
    t.is(overlayMtu, 1430, 'what fits both');
    t.deepEqual(stats.peers.map(({ publicIp }) => publicIp).toSorted(), ['192.0.2.2', '2001:db8::2']);
    t.deepEqual(routes, [
      { prefix: '10.244.2.0/24', via: '192.0.2.2', device: 'flannel.1' },
      { prefix: 'fd00:0:0:2::/64', via: '2001:db8::2', device: 'flannel-v6.1' },
    ]);
    t.is(offloads.length, 5);
    // 1430 bytes are what an underlay of 1500 carries: 40 + 8 + 8 + 14 more.
    t.true(await one.pings(6, 2, '-M', 'do', '-s', `${1430 - 40 - 8}`));
    t.true(await one.pings(4, 2, '-M', 'do', '-s', `${1450 - 20 - 8}`));
  });
});

/** Makes host `n` a VTEP of Linux's own, set up as flannel does. */
async function becomeKernelVtep(host: Host, port = 4789): Promise<void> {
  const own = host.number;
  const peer = 3 - own;
  const mac = formatMac(vtepMac(peer));
  await host.ip(
    `link add vxlan0 address ${formatMac(vtepMac(own))} type vxlan id 1 dstport ${port} local 192.0.2.${own} dev u0 nolearning`,
  );
  await host.ip(`addr add 10.244.${own}.0/32 dev vxlan0`);
  await host.ip('link set vxlan0 up mtu 1450');
  await host.ip(`neigh add 10.244.${peer}.0 lladdr ${mac} dev vxlan0 nud permanent`);
  await host.run('bridge', ...`fdb add ${mac} dev vxlan0 dst 192.0.2.${peer} self permanent`.split(' '));
  await host.ip(`route add 10.244.${peer}.0/24 via 10.244.${peer}.0 dev vxlan0 onlink`);
}

for (const wire of ['a veth, which leaves checksums unfinished', 'a wire']) {
  test(`Linux's own VXLAN device is a peer over ${wire}: ping and TCP, both ways`, async (t) => {
    await withTwoHosts(async (one, two) => {
      if (wire === 'a wire') for (const host of [one, two]) await host.run('ethtool', '-K', 'u0', 'tx', 'off');
      await becomeKernelVtep(two);
      await one.start('vxlan', hostOptions(1, BACKEND));
      await one.setLeases([lease(1, 'vxlan', 1), lease(2, 'vxlan', 1)]);
      await until(t, 'a ping is answered', () => one.pings(4));
      t.true(await two.pings(4));
      t.true(await one.pings(4, 2, '-M', 'do', '-s', `${1450 - 28}`), 'a full packet');
      t.true(await two.pings(4, 1, '-M', 'do', '-s', `${1450 - 28}`));
      t.true(await two.fetches(one, 30_000_000), 'TCP to the kernel');
      t.true(await one.fetches(two, 30_000_000), 'TCP from the kernel');
      const { drops } = (await one.state()).stats;
      t.deepEqual(
        Object.entries(drops).filter(
          ([reason, count]) => count > 0 && reason !== 'multicast' && reason !== 'no-fdb-entry',
        ),
        [],
      );
    });
  });
}

test('a device that somebody deletes comes back with its MAC, neighbours and routes, and traffic goes on', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two], BACKEND, true);
    for (const family of [4, 6] as const) await until(t, 'a ping is answered', () => one.pings(family));
    const before = (await one.state()).stats.outbound.forwarded;
    for (const device of ['flannel.1', 'flannel-v6.1']) await one.ip(`link delete ${device}`);
    await until(t, 'both are back', async () => {
      const { log } = await one.state();
      return log.filter((line) => line.startsWith('Alarm is over: Device')).length === 2;
    });

    t.regex(await one.ip('link show flannel.1'), /link\/ether 02:00:00:00:00:01/);
    t.regex(await one.ip('neigh show dev flannel.1'), /10\.244\.2\.0 lladdr 02:00:00:00:00:02 PERMANENT/);
    t.regex(await one.ip('route'), /10\.244\.2\.0\/24 via 10\.244\.2\.0 dev flannel\.1 proto 137 onlink/);
    t.true(await one.pings(4));
    t.true(await two.pings(4));
    t.true(await one.pings(6));
    t.true((await one.state()).stats.outbound.forwarded > before, 'counters never go back');
  });
});

test("another MAC address, as udev's MACAddressPolicy gives, is put right, and traffic goes on (H19)", async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two], BACKEND);
    await until(t, 'a ping is answered', () => one.pings(4));
    await one.ip('link set flannel.1 address 02:00:00:00:00:99');
    await until(t, 'it has its own again', async () =>
      /link\/ether 02:00:00:00:00:01/.test(await one.ip('link show flannel.1')),
    );
    t.regex((await one.state()).log.join('\n'), /Somebody changed the device; it was put right.*02:00:00:00:00:01/);
    await until(t, 'a ping from the peer is answered', () => two.pings(4));
    await until(t, 'a ping to the peer is answered', () => one.pings(4));
  });
});

test('leases that would do harm are refused with a reason, and the others work', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two]);
    await until(t, 'a ping is answered', () => one.pings(4));
    const good = lease(2, 'vxlan', 1);
    const bad = (n: number, backendData: unknown, publicIp = 0xc0000200 + n): Lease => {
      const { subnets, attrs, expiresAtMs } = lease(n, 'vxlan', 1);
      return { subnets, attrs: { ...attrs, publicIp, backendData }, expiresAtMs };
    };
    await one.setLeases([
      good,
      bad(3, { VNI: 1, VtepMAC: '02:00:00:00:00:02' }),
      bad(4, { VNI: 1, VtepMAC: '02:00:00:00:00:01' }),
      bad(5, { VNI: 1, VtepMAC: 'ff:ff:ff:ff:ff:ff' }),
      bad(6, { VNI: 7, VtepMAC: '02:00:00:00:00:06' }),
      bad(7, null),
      bad(8, { VNI: 1, VtepMAC: '02:00:00:00:00:08' }, 0xe0000001),
      lease(9, 'host-gw'),
      bad(10, { VNI: 1, VtepMAC: '02:00:00:00:00:0a' }),
    ]);
    const { refused, routes } = await one.state();
    t.deepEqual(
      routes.map((route) => route.prefix),
      ['10.244.2.0/24', '10.244.10.0/24'],
    );
    t.deepEqual(
      refused.map(({ subnet }) => subnet).toSorted(),
      [3, 4, 5, 6, 7, 8, 9].map((n) => `10.244.${n}.0/24`),
    );
    await until(t, 'the good route is there', async () => (await one.ip('route')).includes('10.244.10.0/24'));
    for (const n of [3, 4, 5, 6, 7, 8, 9]) t.false((await one.ip('route')).includes(`10.244.${n}.0/24`));
    t.true(await one.pings(4));
    t.true(await two.pings(4));
  });
});

test('a peer that gets another MAC is followed, and one that goes leaves nothing', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two]);
    await until(t, 'a ping is answered', () => one.pings(4));
    const moved = { ...hostOptions(2, BACKEND), macs: { 'flannel.1': 0x0a0000000002 } };
    await two.stop();
    await two.start('vxlan', moved);
    await two.setLeases([lease(1, 'vxlan', 1)]);
    const changed = lease(2, 'vxlan', 1);
    await one.setLeases([
      { ...changed, attrs: { ...changed.attrs, backendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:02' } } },
    ]);
    await until(t, 'a ping is answered again', () => one.pings(4));
    t.regex(await one.ip('neigh show dev flannel.1'), /10\.244\.2\.0 lladdr 0a:00:00:00:00:02 PERMANENT/);
    t.deepEqual(
      (await one.state()).fdb.map(({ mac }) => mac),
      ['0a:00:00:00:00:02'],
    );
    await one.setLeases([]);
    await until(t, 'the route is gone', async () => !(await one.ip('route')).includes('10.244.2.0'));
    await until(t, 'the neighbour too', async () => (await one.ip('neigh show dev flannel.1 nud permanent')) === '');
    t.deepEqual((await one.state()).fdb, []);
  });
});

test('two networks share one port, with the same addresses in each; the same VNI twice is refused', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two]);
    const tenants = [new Host(1), new Host(2)] as const;
    try {
      for (const [i, host] of [one, two].entries()) {
        const tenant = tenants[i]!;
        await tenant.ready;
        await tenant.ip(`addr add 10.244.${host.number}.2/32 dev lo`);
        const blue = hostOptions(host.number, '"Type":"vxlan","Port":4789,"VNI":2');
        await host.start('vxlan', { ...blue, network: 'blue', netns: `/proc/${tenant.pid}/ns/net` });
        await host.setLeases([lease(1, 'vxlan', 2), lease(2, 'vxlan', 2)], 'blue');
        const again = host.start('vxlan', { ...hostOptions(host.number, BACKEND), network: 'red' });
        const error = (await t.throwsAsync(again)) as WeftError;
        t.is(error.code, 'NETWORK_CONFLICT');
        t.regex(error.message, /^Network "red" cannot have VNI 1 on 192\.0\.2\.\d:4789/);
      }
      await until(t, 'the first network works', () => one.pings(4));
      await until(t, 'and so does the other', () => tenants[0].pings(4));
      t.is((await one.run('ss', '-Hlun', 'sport = :4789')).trim().split('\n').length, 1, 'one socket receives');
      // Now only the other network has the address: were the two one, it would answer.
      await tenants[1].ip('addr del 10.244.2.2/32 dev lo');
      t.false(await tenants[0].pings(4));
      t.true(await one.pings(4));
      await one.stop('blue');
      t.is(await tenants[0].ip('link show type tun'), '');
      t.true(await one.pings(4), 'the first goes on without the second');
    } finally {
      for (const tenant of tenants) tenant.close();
    }
  });
});

test('a kernel device that holds the port is named', async (t) => {
  await withTwoHosts(async (one) => {
    await becomeKernelVtep(one, 8472);
    const error = (await t.throwsAsync(one.start('vxlan', hostOptions(1, '"Type":"vxlan"')))) as WeftError;
    t.is(error.code, 'PORT_BUSY');
    t.regex(error.message, /vxlan0/);
    t.false((await one.ip('link')).includes('flannel.1'));
    await one.ip('link delete vxlan0');
    await one.start('vxlan', hostOptions(1, '"Type":"vxlan"'));
    t.is((await one.state()).port, 8472);
  });
});

test('with Learning the same leases work, and stop leaves no device, route or socket', async (t) => {
  await withTwoHosts(async (one, two) => {
    await startBoth([one, two], `${BACKEND},"Learning":true`);
    await until(t, 'a ping is answered', () => one.pings(4));
    t.true(await two.pings(4));
    await one.stop();
    t.false((await one.ip('link')).includes('flannel'));
    t.false((await one.ip('route')).includes('10.244.2.0'));
    t.is(await one.run('ss', '-Haun'), '');
  });
});

test('wrong options are refused before anything is made', async (t) => {
  await withTwoHosts(async (one) => {
    for (const option of ['"VNI":0', '"VNI":16777216', '"MTU":67', '"GBP":true', '"Port":65536']) {
      const error = (await t.throwsAsync(one.start('vxlan', hostOptions(1, `${BACKEND},${option}`)))) as WeftError;
      t.is(error.code, 'CONFIG_INVALID', option);
    }
    t.false((await one.ip('link')).includes('flannel'));
  });
});

test('DirectRouting: a peer on the link gets a plain route, and encapsulation when the link no longer reaches it', async (t) => {
  await withTwoHosts(async (one, two) => {
    for (const host of [one, two])
      await host.run('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await startBoth([one, two], `${BACKEND},"DirectRouting":true`, true);
    await until(t, 'a ping is answered', () => one.pings(4));
    await until(t, 'over IPv6 too', () => one.pings(6));
    t.regex(await one.ip('route'), /10\.244\.2\.0\/24 via 192\.0\.2\.2 dev u0 proto 137/);
    t.regex(await one.ip('-6 route'), /fd00:0:0:2::\/64 via 2001:db8::2 dev u0 proto 137/);
    const { routes, stats } = await one.state();
    t.deepEqual(
      routes.map(({ device }) => device),
      ['u0', 'u0'],
    );
    t.is(
      stats.peers.reduce((sum, peer) => sum + peer.outboundPackets, 0),
      0,
      'nothing was encapsulated',
    );
    // The same addresses with prefix lengths that make each other no neighbours: a router is in between, it seems.
    for (const [host, peer] of [
      [one, 2],
      [two, 1],
    ] as const) {
      await host.ip(`addr add 192.0.2.${host.number}/32 dev u0`);
      await host.ip(`addr del 192.0.2.${host.number}/24 dev u0`);
      await host.ip(`route add 192.0.2.${peer} via inet6 2001:db8::${peer} dev u0`);
    }
    await until(t, 'the route leads to the device', async () =>
      (await one.ip('route')).includes('10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto 137 onlink'),
    );
    await until(t, 'a ping is answered', () => one.pings(4));
    const encapsulated = (await one.state()).stats.peers.find(({ publicIp }) => publicIp === '192.0.2.2');
    t.true(encapsulated!.outboundPackets > 0);
  });
});

test('DirectRouting cannot work from a namespace of its own', async (t) => {
  await withTwoHosts(async (one) => {
    const options = hostOptions(1, `${BACKEND},"DirectRouting":true`);
    const error = (await t.throwsAsync(one.start('vxlan', { ...options, netns: '/proc/self/ns/net' }))) as WeftError;
    t.is(error.code, 'CONFIG_INVALID');
    t.regex(error.message, /^Backend\.DirectRouting is true: not possible in network namespace/);
  });
});
