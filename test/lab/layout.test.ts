import test from 'ava';
import { describeLab, directoryOf, idOfDirectory, isNamespaceOf, layOut, namespacesOf } from '../../lib/lab/layout.ts';

test('the names and addresses of a lab follow from its id', (t) => {
  const lab = layOut(describeLab({ id: 'a1', hosts: 2 }));
  t.like(lab, {
    id: 'a1',
    direct: false,
    underlayMtu: 1500,
    etcdNetns: 'a1-net',
    etcdEndpoint: 'http://192.0.2.254:2379',
  });
  t.like(lab.hosts[1], {
    number: 2,
    netns: 'a1-h2',
    podNetns: 'a1-pod2',
    underlayAddress: '192.0.2.2',
    underlayAddress6: '2001:db8::2',
    subnetFile: `${directoryOf('a1')}/h2/subnet.env`,
  });
  t.deepEqual(namespacesOf(lab), ['a1-net', 'a1-h1', 'a1-pod1', 'a1-h2', 'a1-pod2']);
});

test('two hosts joined directly have no underlay namespace, and etcd is on the first', (t) => {
  const lab = layOut(describeLab({ id: 'a1', hosts: 2, direct: true }));
  t.deepEqual(namespacesOf(lab), ['a1-h1', 'a1-pod1', 'a1-h2', 'a1-pod2']);
  t.like(lab, { etcdNetns: 'a1-h1', etcdEndpoint: 'http://192.0.2.1:2379' });
});

test('a tenant has a router and a pod beside each host', (t) => {
  const lab = layOut(describeLab({ id: 'a1', hosts: 2, tenants: 2 }));
  t.deepEqual(lab.tenants[1], {
    number: 2,
    name: 't2',
    etcdPrefix: '/weft/t2',
    sites: [
      { netns: 'a1-t2h1', podNetns: 'a1-t2pod1', subnetFile: `${directoryOf('a1')}/h1/t2.env` },
      { netns: 'a1-t2h2', podNetns: 'a1-t2pod2', subnetFile: `${directoryOf('a1')}/h2/t2.env` },
    ],
  });
  t.is(namespacesOf(lab).length, 5 + 8);
  t.deepEqual(
    namespacesOf(lab).filter((name) => !isNamespaceOf('a1', name)),
    [],
  );
});

const REFUSED: Record<string, Parameters<typeof describeLab>[0]> = {
  'an empty id': { id: '', hosts: 1 },
  'an id of nine characters': { id: 'ninechars', hosts: 1 },
  'an id with a dash': { id: 'a-b', hosts: 1 },
  'an id that leaves the directory': { id: '../etc', hosts: 1 },
  'no hosts': { id: 'a', hosts: 0 },
  '201 hosts': { id: 'a', hosts: 201 },
  'half a host': { id: 'a', hosts: 1.5 },
  'no number of hosts': { id: 'a', hosts: Number.NaN },
  'three hosts at one veth': { id: 'a', hosts: 3, direct: true },
  'ten tenants': { id: 'a', hosts: 1, tenants: 10 },
  'half a tenant': { id: 'a', hosts: 1, tenants: 0.5 },
  'an MTU too small for IPv6': { id: 'a', hosts: 1, underlayMtu: 1279 },
};

for (const [name, options] of Object.entries(REFUSED)) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => describeLab(options), { code: 'USAGE' });
  });
}

test('200 hosts have 200 different addresses in the underlay, none of them that of etcd', (t) => {
  const lab = layOut(describeLab({ id: 'a', hosts: 200 }));
  const addresses = new Set(lab.hosts.flatMap((host) => [host.underlayAddress, host.underlayAddress6]));
  t.is(addresses.size, 400);
  t.false(addresses.has('192.0.2.254'));
  t.false(addresses.has('2001:db8::fe'));
});

test('recognises its own namespaces and directories only', (t) => {
  for (const name of ['a1-net', 'a1-h1', 'a1-h200', 'a1-pod7', 'a1-t1h2', 'a1-t9pod200'])
    t.true(isNamespaceOf('a1', name), name);
  for (const name of [
    'a1',
    'a1-',
    'a1-x1',
    'a12-h1',
    'a-h1',
    'a1-h',
    'a1-h1x',
    'xa1-h1',
    'a1-pod1234',
    'a1-t1',
    'a1-t1net',
    'a1-t10h1',
    'a1-th1',
  ])
    t.false(isNamespaceOf('a1', name), name);
  t.is(idOfDirectory('weft-lab-a1'), 'a1');
  t.is(idOfDirectory('weft-lab-'), undefined);
  t.is(idOfDirectory('weft-lab-A1'), undefined);
  t.is(idOfDirectory('other-a1'), undefined);
});
