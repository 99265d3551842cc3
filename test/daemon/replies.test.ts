import test from 'ava';
import { parseIpv4 } from '../../lib/addr/ipv4.ts';
import { parseIpv6 } from '../../lib/addr/ipv6.ts';
import { type Ipv4Prefix, type Ipv6Prefix, parsePrefix } from '../../lib/addr/prefix.ts';
import { countUsed, toBackendStatus, toPeers, toStatsReply } from '../../lib/daemon/replies.ts';
import { countAt, counterRows } from '../../lib/dataplane/counters.ts';
import type { PeerStats } from '../../lib/dataplane/stats.ts';
import type { KnownLease } from '../../lib/lease/lease.ts';
import { violations } from '../control/schema.ts';
import { backendAtRest } from './backend-at-rest.ts';

function lease(subnet: string, publicIp: string, subnet6?: string, publicIpv6?: string): KnownLease {
  return {
    subnets: {
      ipv4: parsePrefix(subnet) as Ipv4Prefix,
      ipv6: subnet6 === undefined ? undefined : (parsePrefix(subnet6) as Ipv6Prefix),
    },
    attrs: {
      publicIp: parseIpv4(publicIp)!,
      publicIpv6: publicIpv6 === undefined ? undefined : parseIpv6(publicIpv6),
      backendType: 'vxlan',
      backendData: undefined,
      backendV6Data: undefined,
    },
    expiresAtMs: undefined,
    createRevision: 1n,
    reserved: false,
    leavesAtMs: undefined,
  };
}

const counters = (publicIp: string, factor: number): PeerStats => ({
  publicIp,
  outboundPackets: factor,
  outboundBytes: 10 * factor,
  inboundPackets: 100 * factor,
  inboundBytes: 1000 * factor,
});

const DUAL = lease('10.244.2.0/24', '192.0.2.2', 'fd00:2::/64', '2001:db8::2');
const PLAIN = lease('10.244.3.0/24', '192.0.2.3');
const sameTime = (ms: number): number => ms;
const REASON = 'its backend type is vxlan, ours is udp';

test('a peer has the counters of both its addresses', (t) => {
  const [dual, plain] = toPeers(
    [DUAL, PLAIN],
    backendAtRest([], [counters('192.0.2.2', 1), counters('2001:db8::2', 2)]),
    sameTime,
  );
  t.deepEqual(dual, {
    subnet: '10.244.2.0/24',
    ipv6Subnet: 'fd00:2::/64',
    publicIp: '192.0.2.2',
    publicIpv6: '2001:db8::2',
    backendType: 'vxlan',
    expiresAt: null,
    leaving: false,
    traffic: { outboundPackets: 3, outboundBytes: 30, inboundPackets: 300, inboundBytes: 3000 },
    note: null,
    vni: null,
    vtepMac: null,
    vtepMacV6: null,
    health: null,
  });
  t.is(plain?.traffic, null);
  t.deepEqual(violations('/v1/peers', { peers: [dual, plain] }), []);
});

test('a lease that is refused is listed with the reason, and without the counters of another of its host', (t) => {
  const refused = [{ subnet: '10.244.3.0/24', publicIp: '192.0.2.3', reason: REASON }];
  const [, plain] = toPeers([DUAL, PLAIN], backendAtRest(refused, [counters('192.0.2.3', 1)]), sameTime);
  t.like(plain, { subnet: '10.244.3.0/24', note: `ignored: ${REASON}`, traffic: null });
  t.is(countUsed([DUAL, PLAIN], refused), 1);
});

test('of two leases for one subnet only the refused one is ignored (L15)', (t) => {
  const twin = lease('10.244.3.0/24', '192.0.2.4');
  const refused = [{ subnet: '10.244.3.0/24', publicIp: '192.0.2.4', reason: REASON }];
  const shown = toPeers([PLAIN, twin], backendAtRest(refused, []), sameTime);
  t.deepEqual(
    shown.map(({ note }) => note),
    [null, `ignored: ${REASON}`],
  );
  t.is(countUsed([PLAIN, twin], refused), 1);
});

test('a lease of which only the IPv6 part is refused still counts as a peer', (t) => {
  const refused = [{ subnet: 'fd00:2::/64', publicIp: '192.0.2.2', reason: 'it has no PublicIPv6' }];
  const [dual] = toPeers([DUAL], backendAtRest(refused, [counters('192.0.2.2', 1)]), sameTime);
  t.like(dual, { note: 'IPv6 subnet ignored: it has no PublicIPv6', traffic: { outboundPackets: 1 } });
  t.is(countUsed([DUAL, PLAIN], refused), 2);
});

test('a peer whose key is gone is shown as leaving, with its end if it has one (L1)', (t) => {
  const backend = backendAtRest([], []);
  const shown = toPeers(
    [
      { ...PLAIN, leavesAtMs: 1000 },
      { ...DUAL, leavesAtMs: Number.POSITIVE_INFINITY },
    ],
    backend,
    (ms) => ms + 4000,
  );
  const note = 'leaving: its key is gone from etcd';
  t.like(shown[0], { leaving: true, expiresAt: '1970-01-01T00:00:05.000Z', note });
  t.like(shown[1], { leaving: true, expiresAt: null, note });
  t.deepEqual(violations('/v1/peers', { peers: shown }), []);
});

test('a backend without a port says null', (t) => {
  t.is(toBackendStatus(backendAtRest([], []), true).port, null);
});

test('every counter is in the reply of /v1/stats, under its name', (t) => {
  const reply = toStatsReply(backendAtRest([], [counters('192.0.2.2', 1)]), 0);
  for (const [name] of counterRows()) t.is(countAt(reply, name), 0, name);
  t.is(reply.at, '1970-01-01T00:00:00.000Z');
  t.deepEqual(reply.peers, [counters('192.0.2.2', 1)]);
  t.deepEqual(violations('/v1/stats', reply), []);
});
