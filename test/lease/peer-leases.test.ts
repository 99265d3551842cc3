import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import type { Lease } from '../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../lib/lease/lease-attrs.ts';
import { parseNetworkConfig } from '../../lib/lease/network-config.ts';
import { peerLeases } from '../../lib/lease/peer-leases.ts';
import { formatSubnetKey, parseSubnetKey } from '../../lib/lease/subnet-key.ts';

const OWN = {
  config: parseNetworkConfig('{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:5::/48"}'),
  subnets: parseSubnetKey('10.5.20.0-24&fd00:5:0:20::-64')!,
  publicIp: parseIpv4('192.0.2.1')!,
};

function lease(key: string, publicIp: string): Lease {
  const attrs = decodeLeaseAttrs(`{"PublicIP":"${publicIp}"}`);
  return { subnets: parseSubnetKey(key)!, attrs, expiresAtMs: undefined };
}

test('takes the leases of other nodes as peers and leaves its own out', (t) => {
  const leases = [
    lease('10.5.20.0-24&fd00:5:0:20::-64', '192.0.2.1'),
    lease('10.5.30.0-24', '192.0.2.3'),
    lease('10.5.31.0-24&fd00:5:0:31::-64', '192.0.2.3'),
  ];
  const { peers, refused } = peerLeases(leases, OWN);
  t.deepEqual(
    peers.map(({ subnets }) => formatSubnetKey(subnets)),
    ['10.5.30.0-24', '10.5.31.0-24&fd00:5:0:31::-64'],
  );
  t.deepEqual(refused, []);
});

test('refuses leases that would take away more than a subnet of their own', (t) => {
  const cases: [string, string, string][] = [
    ['0.0.0.0-0', '192.0.2.3', '0.0.0.0/0 is not inside Network 10.5.0.0/16'],
    ['10.0.0.0-8', '192.0.2.3', '10.0.0.0/8 is not inside Network 10.5.0.0/16'],
    ['127.0.0.0-8', '192.0.2.3', '127.0.0.0/8 is not inside Network 10.5.0.0/16'],
    ['192.0.2.0-24', '192.0.2.3', '192.0.2.0/24 is not inside Network 10.5.0.0/16'],
    ['10.5.0.0-16', '192.0.2.3', '10.5.0.0/16 overlaps our own 10.5.20.0/24'],
    ['10.5.20.128-25', '192.0.2.3', '10.5.20.128/25 overlaps our own 10.5.20.0/24'],
    ['10.5.20.0-24', '192.0.2.3', '10.5.20.0/24 overlaps our own 10.5.20.0/24'],
    ['10.5.30.0-24&fd00:6::-64', '192.0.2.3', 'fd00:6::/64 is not inside IPv6Network fd00:5::/48'],
    ['10.5.30.0-24&fd00:5::-58', '192.0.2.3', 'fd00:5::/58 overlaps our own fd00:5:0:20::/64'],
    ['10.5.30.0-24', '0.0.0.0', 'PublicIP 0.0.0.0 is not an address of a host'],
    ['10.5.30.0-24', '127.0.0.1', 'PublicIP 127.0.0.1 is a loopback address'],
    ['10.5.30.0-24', '224.0.0.1', 'PublicIP 224.0.0.1 is a multicast address'],
    ['10.5.30.0-24', '255.255.255.255', 'PublicIP 255.255.255.255 is reserved or broadcast'],
    ['10.5.30.0-24', '192.0.2.1', 'PublicIP 192.0.2.1 is our own'],
    ['10.5.30.0-24', '10.5.9.9', 'PublicIP 10.5.9.9 lies inside Network 10.5.0.0/16'],
  ];
  for (const [key, publicIp, reason] of cases) {
    const bad = lease(key, publicIp);
    const good = lease('10.5.99.0-24', '192.0.2.9');
    const { peers, refused } = peerLeases([bad, good], OWN);
    t.deepEqual(peers, [good], key);
    t.deepEqual(refused, [{ lease: bad, reason }], key);
  }
});
