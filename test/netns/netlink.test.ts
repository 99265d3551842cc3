import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { formatIp, type IpAddress } from '../../lib/addr/ip.ts';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { formatMac, parseMac } from '../../lib/addr/mac.ts';
import { formatPrefix, type Prefix, parsePrefix, samePrefix } from '../../lib/addr/prefix.ts';
import { WeftError } from '../../lib/error.ts';
import { close, sendto, setns, unshare } from '../../lib/sys/ffi.ts';
import { RTM_GETADDR } from '../../lib/sys/netlink/abi.ts';
import {
  type Link,
  NetlinkError,
  type Route,
  RouteNetlink,
  RouteScope,
  RouteTable,
} from '../../lib/sys/netlink/rtnetlink.ts';
import { NetlinkSocket } from '../../lib/sys/netlink/socket.ts';
import { socketAddress } from '../../lib/sys/socket-address.ts';
import { setInterfaceSysctl } from '../../lib/sys/sysctl.ts';
import { openUdpSocket } from '../../lib/sys/udp-socket.ts';
import { CLONE_NEWNET, testInFreshNamespace } from './enter.ts';

// One namespace: lo, and a veth pair v0 - v1, both ends here.
const test = testInFreshNamespace();

const ip4 = (text: string): number => parseIpv4(text)!;
const ip6 = (text: string): bigint => parseIpv6(text)!;
const prefix = (text: string): Prefix => parsePrefix(text)!;

/** The second implementation: iproute2, in the same namespace. */
function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

function ipJson(...args: string[]): Record<string, unknown>[] {
  // iproute2 prints nothing at all for an empty list.
  const text = ip('-j', ...args);
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

/** Runs `body` with a fresh v0 - v1, both up, and a netlink socket. */
function withVeth(body: (netlink: RouteNetlink, v0: Link, v1: Link) => void): void {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const netlink = RouteNetlink.open();
  try {
    for (const name of ['v0', 'v1']) netlink.setLinkUp(netlink.linkByName(name)!.index);
    body(netlink, netlink.linkByName('v0')!, netlink.linkByName('v1')!);
  } finally {
    netlink.close();
    ip('link', 'del', 'v0');
  }
}

/** True when `route` is for exactly `destination`, where a default route is written as a prefix of length 0. */
function routeIsFor(route: Route, destination: Prefix): boolean {
  if (route.destination === undefined) return route.family === destination.family && destination.length === 0;
  return samePrefix(route.destination, destination);
}

test('lists the links that ip(8) lists', (t) => {
  withVeth((netlink) => {
    const theirs = ipJson('-d', 'link', 'show').map((link) => ({
      index: link.ifindex,
      name: link.ifname,
      mtu: link.mtu,
      up: (link.flags as string[]).includes('UP'),
      kind: (link.linkinfo as { info_kind?: string } | undefined)?.info_kind,
      mac: link.address,
      txQueueLength: link.txqlen,
      gsoMaxSize: link.gso_max_size,
    }));
    const ours = netlink.links().map((link) => ({
      index: link.index,
      name: link.name,
      mtu: link.mtu,
      up: link.up,
      kind: link.kind,
      mac: link.mac === undefined ? undefined : formatMac(link.mac),
      txQueueLength: link.txQueueLength,
      gsoMaxSize: link.gsoMaxSize,
    }));
    t.deepEqual(ours, theirs as typeof ours);
    t.is(ours.length, 3);
  });
});

test('changes MTU, transmit queue length and state of a link', (t) => {
  withVeth((netlink, { index }) => {
    netlink.setLinkMtu(index, 1472);
    netlink.setTxQueueLength(index, 500);
    netlink.setLinkDown(index);
    t.like(netlink.linkByIndex(index), { mtu: 1472, txQueueLength: 500, up: false });
    t.like(ipJson('link', 'show', 'v0')[0], { mtu: 1472, txqlen: 500 });
    netlink.setLinkUp(index);
    t.true(netlink.linkByName('v0')?.up);
  });
});

test('changes the MAC address of a link, also while it is up', (t) => {
  withVeth((netlink, { index }) => {
    const mac = parseMac('ce:d5:64:45:4c:9e')!;
    netlink.setLinkAddress(index, mac);
    t.is(netlink.linkByIndex(index)?.mac, mac);
    t.is(ipJson('link', 'show', 'v0')[0]?.address, 'ce:d5:64:45:4c:9e');
    t.throws(() => netlink.setLinkAddress(index, parseMac('01:00:00:00:00:01')!), {
      code: 'EADDRNOTAVAIL',
      message: /^Cannot set address 01:00:00:00:00:01 on link v0: EADDRNOTAVAIL/,
    });
  });
});

test('reads VNI, port and families of kernel VXLAN devices', (t) => {
  const devices: [string, string[], Link['vxlan']][] = [
    ['x4', ['id', '1', 'local', '192.0.2.1', 'dstport', '4789'], { vni: 1, port: 4789, families: [4] }],
    ['x6', ['id', '16777215', 'local', 'fd00::1', 'dstport', '8472'], { vni: 0xffffff, port: 8472, families: [6] }],
    ['any', ['external', 'dstport', '4790'], { vni: 0, port: 4790, families: [4, 6] }],
  ];
  const netlink = RouteNetlink.open();
  for (const [name, options, expected] of devices) {
    ip('link', 'add', name, 'type', 'vxlan', ...options);
    t.deepEqual(netlink.linkByName(name)?.vxlan, expected);
    ip('link', 'del', name);
  }
  t.is(netlink.linkByName('lo')?.vxlan, undefined);
  netlink.close();
});

test('counts what a link carried, as ip(8) does', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const netlink = RouteNetlink.open();
  // Nothing is sent but what this test sends.
  for (const name of ['v0', 'v1']) {
    setInterfaceSysctl('ipv6', name, 'disable_ipv6', '1');
    ip('link', 'set', name, 'up');
  }
  ip('addr', 'add', '192.0.2.1/24', 'dev', 'v0');
  ip('neigh', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'v0');
  const udp = openUdpSocket(ip4('192.0.2.1'), 0, 1 << 16);
  const to = socketAddress(ip4('192.0.2.2'), 9);
  for (let count = 0; count < 3; count++) t.is(sendto(udp, new Uint8Array(58), 58, 0, to, to.length), 58);
  // The last one finds the other end down.
  ip('link', 'set', 'v1', 'down');
  sendto(udp, new Uint8Array(58), 58, 0, to, to.length);
  close(udp);
  for (const name of ['v0', 'v1']) {
    const { rxPackets, txPackets, rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped } =
      netlink.linkStats(name)!;
    const [theirs] = ipJson('-s', 'link', 'show', name);
    const { rx, tx } = theirs!.stats64 as Record<'rx' | 'tx', Record<string, number>>;
    t.deepEqual(
      [rxPackets, rxBytes, rxErrors, rxDropped, txPackets, txBytes, txErrors, txDropped].map(Number),
      [rx.packets, rx.bytes, rx.errors, rx.dropped, tx.packets, tx.bytes, tx.errors, tx.dropped].map(Number),
    );
  }
  t.like(netlink.linkStats('v0'), { txPackets: 3n, txBytes: 300n, rxPackets: 0n });
  t.like(netlink.linkStats('v1'), { txPackets: 0n, rxPackets: 3n, rxBytes: 300n });
  t.is(netlink.linkStats('v9'), undefined);
  t.is(netlink.linkStats('sixteen-letters-'), undefined);
  netlink.close();
  ip('link', 'del', 'v0');
});

test('sets, replaces, lists and deletes permanent neighbours of both families', (t) => {
  withVeth((netlink, { index }) => {
    const peers = [
      { interfaceIndex: index, address: ip4('10.244.1.0'), mac: parseMac('02:42:0a:f4:01:00')! },
      { interfaceIndex: index, address: ip6('fd00:1::'), mac: parseMac('fe:dc:ba:98:76:54')! },
    ];
    for (const peer of peers) {
      // What was learned before has to give way.
      ip('neigh', 'add', formatIp(peer.address), 'lladdr', '02:00:00:00:00:01', 'dev', 'v0', 'nud', 'stale');
      const learned = netlink.neighbors().find(({ address }) => address === peer.address);
      t.like(learned, { interfaceIndex: index, mac: parseMac('02:00:00:00:00:01'), permanent: false });
      netlink.setNeighbor(peer);
      netlink.setNeighbor(peer);
      const ours = netlink.neighbors().filter(({ address }) => address === peer.address);
      t.deepEqual(ours, [{ ...peer, state: 0x80, permanent: true }]);
      const theirs = ipJson('neigh', 'show', formatIp(peer.address));
      t.like(theirs[0], { dev: 'v0', lladdr: formatMac(peer.mac), state: ['PERMANENT'] });
    }
    for (const { address } of peers) {
      netlink.deleteNeighbor(index, address);
      t.is(
        netlink.neighbors().find((neighbor) => neighbor.address === address && neighbor.permanent),
        undefined,
      );
    }
    t.throws(() => netlink.deleteNeighbor(index, ip4('10.244.9.9')), {
      instanceOf: NetlinkError,
      code: 'ENOENT',
      message: /^Cannot delete neighbor 10\.244\.9\.9 dev v0: ENOENT/,
    });
    t.throws(() => netlink.setNeighbor({ ...peers[0]!, interfaceIndex: 4_000_000 }), { code: 'ENODEV' });
  });
});

test("a route over a peer's base address as flannel's vxlan has it, with a protocol of its own", (t) => {
  withVeth((netlink, { index }) => {
    netlink.addAddress(index, { address: ip4('10.244.30.0'), length: 32 });
    const route = {
      destination: prefix('10.244.1.0/24'),
      gateway: ip4('10.244.1.0'),
      interfaceIndex: index,
      onlink: true,
      protocol: 137,
    };
    netlink.addRoute(route, { replace: true });
    t.like(ipJson('route', 'show', '10.244.1.0/24')[0], {
      gateway: '10.244.1.0',
      dev: 'v0',
      protocol: '137',
      flags: ['onlink'],
    });
    const ours = netlink.routes().filter(({ protocol }) => protocol === 137);
    t.is(ours.length, 1);
    t.like(ours[0], { gateway: route.gateway, onlink: true, table: RouteTable.main });
    t.throws(() => netlink.deleteRoute({ ...route, protocol: 138 }), { code: 'ESRCH' });
    netlink.deleteRoute({ destination: route.destination, protocol: 137 });
    t.deepEqual(
      netlink.routes().filter(({ protocol }) => protocol === 137),
      [],
    );
  });
});

test('finds a link by name, and nothing for names that do not exist or are too long', (t) => {
  withVeth((netlink, v0) => {
    t.is(netlink.linkByName('v0')?.index, v0.index);
    for (const name of ['v2', '', 'sixteen-letters-', 'x'.repeat(300), '../lo'])
      t.is(netlink.linkByName(name), undefined);
    t.is(netlink.linkByIndex(4_000_000), undefined);
  });
});

test('says which bridge a link is a port of, and deletes links', (t) => {
  withVeth((netlink, v0) => {
    ip('link', 'add', 'br0', 'type', 'bridge');
    ip('link', 'set', 'v0', 'master', 'br0');
    const bridge = netlink.linkByName('br0')!;
    t.is(bridge.kind, 'bridge');
    t.is(netlink.linkByIndex(v0.index)?.masterIndex, bridge.index);
    netlink.deleteLink(bridge.index);
    t.is(netlink.linkByName('br0'), undefined);
    t.throws(() => netlink.deleteLink(bridge.index), {
      instanceOf: NetlinkError,
      code: 'ENODEV',
      message: new RegExp(`^Cannot delete link #${bridge.index} .*: ENODEV \\(no such device\\)`),
    });
  });
});

test('adds, lists and removes addresses of both families as ip(8) sees them', (t) => {
  withVeth((netlink, { index }) => {
    netlink.addAddress(index, { address: ip4('10.244.30.0'), length: 32 });
    netlink.addAddress(index, { address: ip4('10.1.2.3'), length: 24 }, { scope: RouteScope.link });
    netlink.addAddress(index, { address: ip6('fd00:1::5'), length: 128 });
    const theirs = ipJson('addr', 'show').flatMap((link) =>
      (link.addr_info as Record<string, unknown>[]).map((address) =>
        [link.ifindex, `${String(address.local)}/${String(address.prefixlen)}`, address.scope].join(' '),
      ),
    );
    const scopes: Record<number, string> = { 0: 'global', 253: 'link', 254: 'host' };
    const ours = netlink
      .addresses()
      .map((a) => `${a.interfaceIndex} ${formatIp(a.address)}/${a.prefixLength} ${scopes[a.scope]}`);
    t.deepEqual(ours.toSorted(), theirs.toSorted());
    t.true(ours.includes(`${index} 10.244.30.0/32 global`));
    t.true(ours.includes(`${index} 10.1.2.3/24 link`));
    t.true(ours.includes(`${index} fd00:1::5/128 global`));

    netlink.removeAddress(index, { address: ip4('10.244.30.0'), length: 32 });
    netlink.removeAddress(index, { address: ip6('fd00:1::5'), length: 128 });
    const left = netlink.addresses().map((a) => formatIp(a.address));
    t.false(left.includes('10.244.30.0'));
    t.false(left.includes('fd00:1::5'));
  });
});

test('address errors name address, device and reason', (t) => {
  withVeth((netlink, { index }) => {
    const address = { address: ip4('10.244.30.0'), length: 32 };
    t.throws(() => netlink.removeAddress(index, address), { code: 'EADDRNOTAVAIL' });
    netlink.addAddress(index, address);
    t.throws(() => netlink.addAddress(index, address), {
      instanceOf: NetlinkError,
      code: 'EEXIST',
      message: /^Cannot add address 10\.244\.30\.0\/32 dev v0: EEXIST \(file already exists\)/,
    });
    t.throws(() => netlink.addAddress(4_000_000, address), { code: 'ENODEV' });
  });
});

function routesVia(netlink: RouteNetlink, index: number, table: number = RouteTable.main): Route[] {
  return netlink.routes().filter((route) => route.interfaceIndex === index && route.table === table);
}

test('adds a route as flannel does, and ip(8) shows it so', (t) => {
  withVeth((netlink, { index }) => {
    const route = { destination: prefix('10.244.0.0/16'), interfaceIndex: index, scope: RouteScope.universe };
    netlink.addRoute(route);
    t.regex(ip('route', 'show', 'dev', 'v0'), /^10\.244\.0\.0\/16 $/m);
    t.throws(() => netlink.addRoute(route), {
      instanceOf: NetlinkError,
      code: 'EEXIST',
      message: /^Cannot add route 10\.244\.0\.0\/16 dev v0: EEXIST \(file already exists\)/,
    });
    netlink.addRoute(route, { replace: true });
    t.is(routesVia(netlink, index).filter((r) => routeIsFor(r, route.destination)).length, 1);
    netlink.deleteRoute(route);
    t.throws(() => netlink.deleteRoute(route), {
      code: 'ESRCH',
      message: /^Cannot delete route 10\.244\.0\.0\/16 dev v0/,
    });
  });
});

test('a route whose gateway is not reachable is refused in the words of the kernel, unless onlink', (t) => {
  withVeth((netlink, { index }) => {
    const route = { destination: prefix('10.9.1.0/24'), interfaceIndex: index, gateway: ip4('192.0.2.7') };
    const error = t.throws(() => netlink.addRoute(route), { instanceOf: NetlinkError, code: 'ENETUNREACH' });
    t.is(error?.kernelText, 'Nexthop has invalid gateway');
    netlink.addRoute({ ...route, onlink: true });
    const [theirs] = ipJson('route', 'show', '10.9.1.0/24');
    t.like(theirs, { gateway: '192.0.2.7', dev: 'v0', flags: ['onlink'] });
    const [ours] = routesVia(netlink, index).filter((r) => routeIsFor(r, route.destination));
    t.like(ours, { gateway: ip4('192.0.2.7'), onlink: true, metric: 0 });
  });
});

test('routes of IPv6, of other tables, with metric, source and IPv6 gateway come back as they were added', (t) => {
  withVeth((netlink, { index }) => {
    netlink.addAddress(index, { address: ip4('10.0.0.1'), length: 24 });
    netlink.addRoute({ destination: prefix('fd00:2::/64'), interfaceIndex: index, gateway: ip6('fe80::7'), metric: 7 });
    netlink.addRoute({ destination: prefix('10.7.0.0/16'), interfaceIndex: index, gateway: ip6('fe80::7') });
    netlink.addRoute({
      destination: prefix('10.8.0.0/16'),
      interfaceIndex: index,
      table: 4242,
      source: ip4('10.0.0.1'),
    });
    netlink.addRoute({
      destination: prefix('0.0.0.0/0'),
      interfaceIndex: index,
      gateway: ip4('10.0.0.9'),
      metric: 100,
    });
    netlink.addRoute({ destination: prefix('::/0'), interfaceIndex: index });
    const all = netlink.routes();
    const find = (text: string): Route | undefined => all.find((route) => routeIsFor(route, prefix(text)));
    t.like(find('fd00:2::/64'), { gateway: ip6('fe80::7'), interfaceIndex: index, metric: 7, table: 254 });
    t.like(find('10.7.0.0/16'), { family: 4, gateway: ip6('fe80::7') });
    t.like(find('10.8.0.0/16'), { table: 4242, source: ip4('10.0.0.1') });
    t.like(find('0.0.0.0/0'), { destination: undefined, gateway: ip4('10.0.0.9'), metric: 100 });
    t.like(find('::/0'), { family: 6, destination: undefined, interfaceIndex: index });
    t.throws(() => netlink.addRoute({ destination: prefix('fd00:2::/64'), interfaceIndex: index, metric: 7 }), {
      code: 'EEXIST',
    });
  });
});

test('blackhole routes need no device', (t) => {
  const netlink = RouteNetlink.open();
  netlink.addRoute({ destination: prefix('10.66.0.0/16'), type: 6 });
  const route = netlink.routes().find((r) => routeIsFor(r, prefix('10.66.0.0/16')));
  t.like(route, { type: 6, interfaceIndex: undefined, nextHops: [] });
  t.throws(() => netlink.routeTo(ip4('10.66.1.1')), { code: 'EINVAL' });
  netlink.deleteRoute({ destination: prefix('10.66.0.0/16') });
  netlink.close();
});

test('the hops of a multipath route are all there', (t) => {
  withVeth((netlink, v0, v1) => {
    ip('route', 'add', '10.6.0.0/16', 'nexthop', 'dev', 'v0', 'nexthop', 'dev', 'v1', 'weight', '3');
    const route = netlink.routes().find((r) => routeIsFor(r, prefix('10.6.0.0/16')));
    t.deepEqual(
      route?.nextHops.map((hop) => hop.interfaceIndex),
      [v0.index, v1.index],
    );
    t.is(route?.interfaceIndex, v0.index);
  });
});

test('finds the route a packet takes, as "ip route get" does', (t) => {
  withVeth((netlink, { index }) => {
    netlink.addAddress(index, { address: ip4('192.0.2.1'), length: 24 });
    netlink.addRoute({ destination: prefix('10.0.0.0/8'), interfaceIndex: index, gateway: ip4('192.0.2.9') });
    const cases: [string, IpAddress][] = [
      ['10.1.2.3', ip4('10.1.2.3')],
      ['192.0.2.77', ip4('192.0.2.77')],
      ['192.0.2.1', ip4('192.0.2.1')],
      ['::1', ip6('::1')],
    ];
    for (const [text, address] of cases) {
      const [theirs] = ipJson('route', 'get', text);
      const ours = netlink.routeTo(address);
      t.is(netlink.linkByIndex(ours.interfaceIndex!)?.name, theirs?.dev as string, text);
      t.is(ours.gateway === undefined ? undefined : formatIp(ours.gateway), theirs?.gateway as string | undefined);
      t.is(ours.source === undefined ? undefined : formatIp(ours.source), theirs?.prefsrc as string | undefined);
    }
    t.throws(() => netlink.routeTo(ip4('203.0.113.1')), {
      code: 'ENETUNREACH',
      message: 'Cannot find route to 203.0.113.1: ENETUNREACH (network is unreachable)',
    });
  });
});

test('a dump of 5000 routes is exactly what was added', (t) => {
  withVeth((netlink, { index }) => {
    const added: string[] = [];
    for (let number = 0; number < 5000; number++) {
      const destination: Prefix = { family: 4, address: (ip4('10.0.0.0') + number * 256) >>> 0, length: 24 };
      netlink.addRoute({ destination, interfaceIndex: index });
      added.push(formatPrefix(destination));
    }
    const listed = routesVia(netlink, index).filter((route) => route.destination?.length === 24);
    t.deepEqual(
      listed.map((route) => formatPrefix(route.destination!)),
      added,
    );
    t.is(ipJson('route', 'show', 'dev', 'v0').length, 5000);
  });
});

/** Gives `index` so many addresses that the kernel makes the last parts of a dump long after the first was read. */
function addManyAddresses(netlink: RouteNetlink, index: number): void {
  for (let number = 0; number < 3000; number++)
    netlink.addAddress(index, { address: ip4('10.50.0.0') + number, length: 32 });
}

const ALL_ADDRESSES = { type: RTM_GETADDR, body: new Uint8Array(8), operation: () => 'list addresses' };

test('a table that changes while it is read is read again until it is whole', (t) => {
  withVeth((netlink, { index }) => {
    addManyAddresses(netlink, index);
    const socket = NetlinkSocket.open();
    let calls = 0;
    const seen = socket.dump(ALL_ADDRESSES, () => {
      // Between two parts of the dump an address goes away: the kernel marks the rest as inconsistent.
      if (++calls === 50) netlink.removeAddress(index, { address: ip4('10.50.0.7'), length: 32 });
      return calls;
    });
    t.true(calls > seen.length, `read ${calls} entries to get ${seen.length}`);
    t.is(seen.length, netlink.addresses().length);
    socket.close();
  });
});

test('a table that never stands still is an error, not an endless loop', (t) => {
  withVeth((netlink, { index }) => {
    addManyAddresses(netlink, index);
    const socket = NetlinkSocket.open();
    const flapping = { address: ip4('10.60.0.1'), length: 32 };
    let calls = 0;
    const change = (): undefined => {
      if (++calls % 100 !== 0) return;
      netlink.addAddress(index, flapping);
      netlink.removeAddress(index, flapping);
    };
    t.throws(() => socket.dump(ALL_ADDRESSES, change), {
      instanceOf: WeftError,
      code: 'EDUMPINTERRUPTED',
      message: 'Cannot list addresses: the table changed during each of 20 attempts to read it',
    });
    socket.close();
  });
});

test('an exchange that failed leaves the socket usable', (t) => {
  withVeth((netlink, { index }) => {
    for (let round = 0; round < 50; round++) {
      t.throws(() => netlink.deleteRoute({ destination: prefix('10.99.0.0/16'), interfaceIndex: index }));
      t.is(netlink.linkByIndex(index)?.name, 'v0');
    }
  });
});

test('a closed socket may be closed again, and requests on it are errors', (t) => {
  const netlink = RouteNetlink.open();
  netlink.close();
  netlink.close();
  t.throws(() => netlink.links(), { code: 'EBADF' });
});

test('the namespace is the one in which the socket was opened', (t) => {
  withVeth((netlink) => {
    const own = openSync('/proc/thread-self/ns/net', 'r');
    t.is(unshare(CLONE_NEWNET), 0);
    try {
      t.is(netlink.linkByName('v0')?.name, 'v0');
      const elsewhere = RouteNetlink.open();
      t.is(elsewhere.linkByName('v0'), undefined);
      elsewhere.close();
    } finally {
      t.is(setns(own, CLONE_NEWNET), 0);
      closeSync(own);
    }
  });
});

// Last: it gives up the rights of the thread's user for a moment.
test('without CAP_NET_ADMIN reading works and changing is EPERM with a hint', (t) => {
  withVeth((netlink, { index }) => {
    process.seteuid!(65534);
    try {
      const mine = RouteNetlink.open();
      t.is(mine.linkByIndex(index)?.name, 'v0');
      const error = t.throws(() => mine.addAddress(index, { address: ip4('10.1.1.1'), length: 32 }), { code: 'EPERM' });
      t.regex((error as NetlinkError).hint ?? '', /root/);
      mine.close();
    } finally {
      process.seteuid!(0);
    }
    t.notThrows(() => netlink.addAddress(index, { address: ip4('10.1.1.1'), length: 32 }));
  });
});
