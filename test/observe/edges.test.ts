import test from 'ava';
import type { NetworkReport } from '../../lib/control/protocol.ts';
import { wireOf } from '../../lib/headers/wire-of.ts';
import { edgesOf } from '../../lib/observe/edges.ts';

interface Shape {
  readonly name?: string;
  readonly type?: string;
  readonly port?: number | null;
  readonly vni?: number | null;
  readonly external?: string | null;
  readonly ipv6?: string | null;
  readonly netns?: string | null;
}

/** What is read of a network's report, and no more. */
function report(shape: Shape = {}): NetworkReport {
  const { name = '', type = 'udp', port = null, vni = null, external = 'eth0', ipv6 = null, netns = null } = shape;
  return {
    name,
    netns,
    network: { ipv4: '10.244.0.0/16', ipv6 },
    backend: { type, device: `${type}-${name}`, port, vni },
    external: external === null ? null : { name: external },
  } as unknown as NetworkReport;
}

const edges = (networks: readonly NetworkReport[], netns?: string) => edgesOf({ networks: [...networks] }, netns);

test('a network has an edge of its own device and one of the interface', (t) => {
  const [over, under, ...others] = edges([report()]);
  t.like(over, { kind: 'overlay', device: 'udp-', netns: undefined, filter: '' });
  t.like(under, { kind: 'underlay', device: 'eth0', netns: undefined, filter: 'udp port 8285' });
  t.is(over!.networks.length + under!.networks.length, 2);
  t.deepEqual(others, []);
});

test('networks share the interface; a filter that is the same for two is there once', (t) => {
  const all = edges(
    [
      report({ name: 'a', type: 'vxlan', vni: 7 }),
      report({ name: 'b', type: 'vxlan', vni: 8, netns: '/run/netns/b' }),
      report({ name: 'c', type: 'ipip' }),
      report({ name: 'd', external: 'eth1', port: 9000 }),
    ],
    '/proc/7/ns/net',
  );
  t.deepEqual(
    all.map(({ kind, device, netns, filter }) => `${kind} ${device} ${netns} ${filter}`),
    [
      'overlay vxlan-a /proc/7/ns/net ',
      'overlay vxlan-b /run/netns/b ',
      'overlay ipip-c /proc/7/ns/net ',
      'overlay udp-d /proc/7/ns/net ',
      'underlay eth0 /proc/7/ns/net udp port 8472 or ip proto 4',
      'underlay eth1 /proc/7/ns/net udp port 9000',
    ],
  );
  // Of one network alone its VNI counts: 7 in the upper three bytes.
  t.is(all[4]!.networks[0]!.filter, '(udp port 8472 and (ip6 or udp[12:4] & 0xffffff00 = 1792))');
});

test('host-gw has no device of its own: its pods’ prefixes are the filter', (t) => {
  const [edge, ...others] = edges([report({ type: 'host-gw', ipv6: 'fd00:244::/48' })]);
  t.like(edge, { kind: 'underlay', device: 'eth0', filter: 'net 10.244.0.0/16 or net fd00:244::/48' });
  t.deepEqual(others, []);
});

test('what has no backend, no interface or carries nothing has no edges', (t) => {
  const without = { ...report(), backend: null };
  const unconfigured = { ...report(), network: null };
  t.deepEqual(edges([without, unconfigured, report({ external: null }), report({ type: 'alloc' })]), []);
  t.deepEqual(edges([]), []);
});

test('ports and VNI are flannel’s where the daemon names none', (t) => {
  const of = (shape: Shape) => wireOf(report(shape).backend!);
  t.deepEqual(of({ type: 'vxlan' }), { encapsulation: 'vxlan', port: 8472, vni: 1 });
  t.deepEqual(of({ type: 'vxlan', vni: 42, port: 4789 }), { encapsulation: 'vxlan', port: 4789, vni: 42 });
  t.is(of({ type: 'alloc' }), undefined);
});
