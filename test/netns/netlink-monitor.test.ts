import { execFileSync } from 'node:child_process';
import { formatIp } from '../../lib/addr/ip.ts';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { formatPrefix, type Prefix } from '../../lib/addr/prefix.ts';
import { type NetlinkEvent, NetlinkMonitor } from '../../lib/sys/netlink/monitor.ts';
import { RouteNetlink } from '../../lib/sys/netlink/rtnetlink.ts';
import { testInFreshNamespace } from './enter.ts';

// One namespace; rtnetlink queues an event before it acknowledges the change, so nothing has to be waited for.
const test = testInFreshNamespace();

function ip(...args: string[]): void {
  execFileSync('ip', args);
}

function slash24(number: number): Prefix {
  return { family: 4, address: (parseIpv4('10.0.0.0')! + number * 256) >>> 0, length: 24 };
}

function describe(event: NetlinkEvent): string {
  if (event.kind === 'link') return `${event.change} link ${event.link.name}`;
  if (event.kind === 'address') return `${event.change} address ${formatIp(event.address.address)}`;
  if (event.kind === 'neighbor') return `${event.change} neighbor ${formatIp(event.neighbor.address)}`;
  const { destination } = event.route;
  return `${event.change} route ${destination === undefined ? 'default' : formatPrefix(destination)}`;
}

test('reports changes of links, addresses and routes in order', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  ip('link', 'set', 'v0', 'up');
  const netlink = RouteNetlink.open();
  const monitor = NetlinkMonitor.open();
  t.deepEqual(monitor.drain(), []);
  const { index } = netlink.linkByName('v0')!;
  netlink.setLinkMtu(index, 1400);
  netlink.addAddress(index, { address: parseIpv4('10.1.1.1')!, length: 32 });
  netlink.addRoute({ destination: slash24(7), interfaceIndex: index });
  netlink.deleteRoute({ destination: slash24(7), interfaceIndex: index });
  netlink.deleteLink(index);
  const events = monitor.drain();
  t.not(events, 'overrun');
  if (events === 'overrun') return;
  const lines = events.map(describe);
  const expected = [
    'set link v0',
    'set address 10.1.1.1',
    'set route 10.1.1.1/32',
    'set route 10.0.7.0/24',
    'removed route 10.0.7.0/24',
    'removed address 10.1.1.1',
    'removed link v0',
  ];
  let from = 0;
  for (const line of expected) {
    const at = lines.indexOf(line, from);
    t.true(at >= from, `${line} in order in ${lines.join(', ')}`);
    from = at + 1;
  }
  t.like(
    events.find((event) => event.kind === 'link'),
    { link: { mtu: 1400, kind: 'veth' } },
  );
  t.deepEqual(monitor.drain(), []);
  monitor.close();
  netlink.close();
});

test('reports only the kinds it was asked for', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const monitor = NetlinkMonitor.open({ kinds: ['address'] });
  ip('addr', 'add', '10.1.1.1/32', 'dev', 'v0');
  ip('link', 'del', 'v0');
  const events = monitor.drain();
  t.deepEqual(events === 'overrun' ? events : events.map(describe), [
    'set address 10.1.1.1',
    'removed address 10.1.1.1',
  ]);
  monitor.close();
});

test('reports neighbours that are set, replaced and removed, and not the FDB of a bridge', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  ip('link', 'add', 'br0', 'type', 'bridge');
  ip('link', 'set', 'v0', 'master', 'br0', 'up');
  ip('link', 'set', 'br0', 'up');
  const netlink = RouteNetlink.open();
  const { index } = netlink.linkByName('br0')!;
  const monitor = NetlinkMonitor.open({ kinds: ['neighbor'] });
  const neighbor = { interfaceIndex: index, address: parseIpv4('10.244.1.0')!, mac: 0x02420af40100 };
  netlink.setNeighbor(neighbor);
  netlink.setNeighbor({ ...neighbor, mac: 0x02420af40199 });
  execFileSync('bridge', ['fdb', 'add', '02:00:00:00:00:77', 'dev', 'v0', 'master', 'static']);
  netlink.deleteNeighbor(index, neighbor.address);
  const events = monitor.drain();
  t.not(events, 'overrun');
  if (events === 'overrun') return;
  const ours = events.filter((event) => event.kind === 'neighbor' && event.neighbor.address === neighbor.address);
  t.like(ours[0], { change: 'set', neighbor: { ...neighbor, permanent: true } });
  t.like(ours[1], { change: 'set', neighbor: { mac: 0x02420af40199, permanent: true } });
  t.is(ours.at(-1)?.change, 'removed');
  t.true(events.every((event) => event.kind === 'neighbor'));
  monitor.close();
  netlink.deleteLink(index);
  ip('link', 'del', 'v0');
  netlink.close();
});

test('a flood that overruns the subscription is reported, and the next events arrive again', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  ip('link', 'set', 'v0', 'up');
  const netlink = RouteNetlink.open();
  const monitor = NetlinkMonitor.open({ receiveBufferBytes: 8192 });
  const { index } = netlink.linkByName('v0')!;
  for (let number = 0; number < 1500; number++)
    netlink.addRoute({ destination: slash24(number), interfaceIndex: index });
  t.is(monitor.drain(), 'overrun');
  // The owner now reads everything, and hears of what comes after.
  t.is(netlink.routes().filter((route) => route.destination?.length === 24).length, 1500);
  netlink.deleteRoute({ destination: slash24(3), interfaceIndex: index });
  const events = monitor.drain();
  t.deepEqual(events === 'overrun' ? events : events.map(describe), ['removed route 10.0.3.0/24']);
  monitor.close();
  netlink.deleteLink(index);
  netlink.close();
});

test('the usual subscription holds a thousand routes without loss', (t) => {
  ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  ip('link', 'set', 'v0', 'up');
  const netlink = RouteNetlink.open();
  const monitor = NetlinkMonitor.open({ kinds: ['route'] });
  const { index } = netlink.linkByName('v0')!;
  const added: string[] = [];
  for (let number = 0; number < 1000; number++) {
    netlink.addRoute({ destination: slash24(number), interfaceIndex: index });
    added.push(`set route ${formatPrefix(slash24(number))}`);
  }
  const events = monitor.drain();
  t.deepEqual(events === 'overrun' ? events : events.map(describe).filter((line) => line.endsWith('/24')), added);
  monitor.close();
  netlink.deleteLink(index);
  netlink.close();
});
