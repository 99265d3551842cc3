import test from 'ava';
import { formatIpv4 } from '../../../lib/addr/ipv4.ts';
import { chooseTargets, formatPing, summarizePath } from '../../../lib/cli/commands/ping.ts';
import type { Peer } from '../../../lib/control/protocol.ts';

const peer = (subnet: string, publicIp: string): Peer => ({
  subnet,
  publicIp,
  ipv6Subnet: null,
  publicIpv6: null,
  backendType: '',
  expiresAt: null,
  leaving: false,
  traffic: null,
  note: null,
  vni: null,
  vtepMac: null,
  vtepMacV6: null,
  health: null,
});
const PEERS = [peer('10.244.3.0/24', '192.0.2.3'), peer('10.244.99.0/24', '192.0.2.2')];

const chosen = (wanted: string | undefined) =>
  chooseTargets(PEERS, wanted).map(({ publicIp, overlay }) => `${publicIp} ${formatIpv4(overlay)}`);

test('a peer is found by public IP, subnet or an address in it; only the address of a pod is asked itself', (t) => {
  t.deepEqual(chosen('192.0.2.2'), ['192.0.2.2 10.244.99.0']);
  t.deepEqual(chosen('10.244.99.0/24'), ['192.0.2.2 10.244.99.0']);
  t.deepEqual(chosen('10.244.3.17'), ['192.0.2.3 10.244.3.17']);
  t.deepEqual(chosen(undefined), ['192.0.2.3 10.244.3.0', '192.0.2.2 10.244.99.0']);
});

test('a peer whose lease is ignored is not asked', (t) => {
  const ignored = { ...peer('10.244.5.0/24', '192.0.2.5'), note: 'ignored: its backend type is vxlan, ours is udp' };
  const partly = { ...peer('10.244.6.0/24', '192.0.2.6'), note: 'IPv6 subnet ignored: it has no PublicIPv6' };
  t.deepEqual(
    chooseTargets([ignored, partly], undefined).map(({ publicIp }) => publicIp),
    ['192.0.2.6'],
  );
  t.throws(() => chooseTargets([ignored], undefined), { code: 'NO_PEERS' });
});

test('no peers, an unknown peer and nonsense are different errors', (t) => {
  t.throws(() => chooseTargets([], undefined), { code: 'NO_PEERS' });
  t.throws(() => chosen('10.244.4.1'), { code: 'UNKNOWN_PEER' });
  t.throws(() => chosen('node-2'), { code: 'USAGE' });
  const many = Array.from({ length: 65 }, (_, index) => peer(`10.244.${index}.0/24`, `192.0.2.${index}`));
  t.throws(() => chooseTargets(many, undefined), { code: 'USAGE', message: /65 peers/ });
});

test('both paths stand side by side, with loss, errors in words and what the overlay adds', (t) => {
  const underlay = summarizePath('192.0.2.2', { target: 0, sent: 4, rttMs: [0.1, 0.2, 0.3, 0.4], errors: new Map() });
  const overlay = summarizePath('10.244.99.0', {
    target: 0,
    sent: 4,
    rttMs: [0.5, 0.4512],
    errors: new Map([['ICMP unreachable (net) from 10.244.3.0', 2]]),
  });
  const ping = { subnet: '10.244.99.0/24', publicIp: '192.0.2.2', underlay, overlay, overlayCostMs: 0.251 };
  t.is(
    formatPing(ping),
    `Peer 192.0.2.2, subnet 10.244.99.0/24
Path      Address      min ms  p50 ms  p99 ms  max ms    lost
underlay  192.0.2.2     0.100   0.200   0.400   0.400  0 of 4
overlay   10.244.99.0   0.451   0.451   0.500   0.500  2 of 4
overlay: ICMP unreachable (net) from 10.244.3.0, 2 times
The overlay adds 0.251 ms at the median. The delay of Node.js itself is in both.

`,
  );
});

test('a path from which nothing comes back has no times', (t) => {
  const silent = summarizePath('192.0.2.9', { target: 0, sent: 3, rttMs: [], errors: new Map() });
  t.deepEqual(silent, {
    address: '192.0.2.9',
    sent: 3,
    received: 0,
    lost: 3,
    minMs: null,
    p50Ms: null,
    p99Ms: null,
    maxMs: null,
    errors: [],
  });
});
