import { readFileSync } from 'node:fs';
import test from 'ava';
import { formatIp } from '../../../lib/addr/ip.ts';
import { formatMac } from '../../../lib/addr/mac.ts';
import { formatPrefix } from '../../../lib/addr/prefix.ts';
import { networkOfLeases, readLeases } from '../../../lib/observe/verify/leases-file.ts';

const vector = (name: string) => new URL(`../../../../test/vectors/${name}`, import.meta.url);
const read = (name: string) => networkOfLeases(readFileSync(vector(name), 'utf8'), name, 1500);

test('leases as etcdctl prints them, in words and in JSON', (t) => {
  const network = read('flanneld-vxlan/etcd.txt');
  t.deepEqual(read('flanneld-vxlan/etcd.json'), network);
  t.deepEqual(network.wire, { encapsulation: 'vxlan', port: 4789, vni: 1 });
  t.deepEqual(
    network.nodes?.map(({ addresses, inner, vtepMacs }) => [
      addresses.map(formatIp).join(),
      inner.map(formatPrefix).join(),
      vtepMacs.map(formatMac).join(),
    ]),
    [
      ['192.0.2.1', '10.244.15.0/24', 'ae:27:6f:57:90:87'],
      ['192.0.2.2', '10.244.62.0/24', '76:6b:d9:64:b4:40'],
    ],
  );
  t.deepEqual(read('flanneld-udp/etcd.txt').wire, { encapsulation: 'ip-in-udp', port: 8285 });
});

test('a value that no daemon reads is no lease; keys match in any case, and null is none', (t) => {
  const text = `/p/config
{"Network":"10.5.0.0/16","Backend":{"type":"VXLAN","vni":7,"learning":true,"VNI":null}}
/p/subnets/10.5.1.0-24
{"PublicIP":"192.0.2.1","BackendType":"vxlan","BackendData":{"vtepMac":"02:00:00:00:00:01"}}
/p/subnets/10.5.2.0-24
not JSON`;
  const network = networkOfLeases(text, 'a test', 1500);
  t.deepEqual(network.wire, { encapsulation: 'vxlan', port: 8472, vni: 7 });
  t.true(network.learning);
  t.is(network.nodes?.length, 1);
  t.deepEqual(network.nodes?.[0]?.vtepMacs.map(formatMac), ['02:00:00:00:00:01']);
});

test('a file that holds no leases is refused in one sentence', (t) => {
  const refused = (text: string) =>
    t.throws(() => networkOfLeases(text, 'x', 1500), { code: 'LEASES_UNREADABLE' })?.message;
  t.regex(refused('') ?? '', /no key/);
  t.regex(refused('{') ?? '', /Cannot read leases from "x": /);
  t.regex(refused('{"kvs":7}') ?? '', /Cannot read leases/);
  t.regex(refused('/p/config\n{"Network":"10.5.0.0/16"}') ?? '', /no lease/);
  t.regex(refused('/p/config\nnothing\n/p/subnets/10.5.1.0-24\n{"PublicIP":"192.0.2.1"}') ?? '', /Cannot read leases/);
  t.throws(() => readLeases('/nonexistent', 1500), { code: 'LEASES_UNREADABLE', message: /ENOENT/ });
});
