/** What the settings of a host's kernel do to the device of a network, between two hosts (two-hosts.ts). */
import { testInFreshNamespace } from './enter.ts';
import { type Host, hostOptions, lease, until, withTwoHosts } from './two-hosts.ts';

const test = testInFreshNamespace();

const TYPES = { udp: 'flannel0', ipip: 'flannel.ipip', vxlan: 'flannel.1' } as const;
type Type = keyof typeof TYPES;

async function start(host: Host, type: Type, dual = false): Promise<void> {
  await host.start(type, hostOptions(host.number, `"Type":"${type}"`, dual));
  const vni = type === 'vxlan' ? 1 : undefined;
  await host.setLeases([1, 2].map((n) => lease(n, type === 'udp' ? '' : type, vni, dual)));
}

const warnings = async (host: Host): Promise<string[]> =>
  (await host.state()).log.filter((line) => line.startsWith('Some settings'));

for (const type of ['udp', 'ipip'] as const)
  test(`${type} carries packets where /proc/sys is read-only, with nothing missing (H1)`, async (t) => {
    await withTwoHosts(async (one, two) => {
      await one.makeSysctlsReadOnly();
      await t.throwsAsync(one.setSysctl('net/ipv4/conf/lo/accept_local', '1'), { message: /Read-only/ });
      for (const host of [one, two]) await start(host, type);
      await until(t, 'a ping is answered', () => one.pings(4));
      t.true(await two.pings(4));
      t.is(await one.sysctl(`net/ipv4/conf/${TYPES[type]}/accept_local`), '1');
      t.deepEqual(await warnings(one), []);
    });
  });

test('vxlan carries packets where /proc/sys is read-only, and one warning says what is missing (H1)', async (t) => {
  await withTwoHosts(async (one, two) => {
    await one.makeSysctlsReadOnly();
    for (const host of [one, two]) await start(host, 'vxlan');
    await until(t, 'a ping is answered', () => one.pings(4));
    const [warning, ...more] = await warnings(one);
    t.deepEqual(more, []);
    t.regex(
      warning!,
      /net\.ipv6\.conf\.flannel\.1\.accept_ra: EROFS.*accept_dad: EROFS.*"hint":"mount \/proc\/sys writable/,
    );
  });
});

test('a setting that is right is not written (H1)', async (t) => {
  await withTwoHosts(async (one) => {
    for (const key of ['accept_ra', 'accept_dad']) await one.setSysctl(`net/ipv6/conf/default/${key}`, '0');
    await one.setSysctl('net/ipv4/conf/default/accept_local', '1');
    await one.makeSysctlsReadOnly();
    for (const type of ['udp', 'vxlan'] as const) {
      await start(one, type);
      t.deepEqual(await warnings(one), [], type);
      await one.stop();
    }
  });
});

for (const type of ['udp', 'vxlan'] as const) {
  const device = type === 'udp' ? 'flannel0' : 'flannel-v6.1';

  test(`${type}: IPv6 passes on a host that switches it off for new devices, and is switched on again (H15)`, async (t) => {
    await withTwoHosts(async (one, two) => {
      await one.setSysctl('net/ipv6/conf/default/disable_ipv6', '1');
      for (const host of [one, two]) await start(host, type, true);
      await until(t, 'a ping is answered', () => one.pings(6));
      t.true(await two.pings(6));
      t.is(await one.sysctl('net/ipv6/conf/default/disable_ipv6'), '1', 'of the host');
      t.is(await one.sysctl(`net/ipv6/conf/${device}/disable_ipv6`), '0');
      t.deepEqual((await one.state()).alarms, []);

      // The kernel takes addresses and routes away with it.
      await one.setSysctl(`net/ipv6/conf/${device}/disable_ipv6`, '1');
      await until(t, 'a ping is answered', () => one.pings(6));
    });
  });

  test(`${type}: where it cannot be switched on, the setting is an alarm, and IPv4 passes (H15)`, async (t) => {
    await withTwoHosts(async (one, two) => {
      await one.setSysctl('net/ipv6/conf/default/disable_ipv6', '1');
      await one.makeSysctlsReadOnly();
      for (const host of [one, two]) await start(host, type, true);
      await until(t, 'a ping is answered', () => one.pings(4));
      t.true(await two.pings(4));
      t.regex(
        (await one.state()).alarms.join('\n'),
        new RegExp(`^IPv6 packets do not pass, .*Cannot set net\\.ipv6\\.conf\\.${device}\\.disable_ipv6: EROFS`),
      );
    });
  });
}
