import test from 'ava';
import type { Peer } from '../../lib/control/protocol.ts';
import type { EdgeNetwork } from '../../lib/observe/edges.ts';
import { choosePeer, namedPeers } from '../../lib/observe/peer-choice.ts';
import { PEERS } from '../cli/replies.ts';

const peer = (publicIp: string, subnet: string): Peer => ({
  ...PEERS.peers[0]!,
  publicIp,
  subnet,
  publicIpv6: null,
  ipv6Subnet: null,
});
const carried = (name: string, encapsulation: 'ipip' | 'none' = 'ipip'): EdgeNetwork => ({
  name,
  prefixes: ['10.244.0.0/16'],
  wire: { encapsulation },
  filter: '',
});
const overlay = (name: string) => ({ kind: 'overlay', networks: [carried(name)] }) as const;
const underlay = (...names: string[]) => ({ kind: 'underlay', networks: names.map((name) => carried(name)) }) as const;

const RED = { network: 'red', peers: [peer('192.0.2.2', '10.244.2.0/24'), peer('192.0.2.3', '10.244.3.0/24')] };
const BLUE = { network: 'blue', peers: [peer('192.0.2.3', '10.244.2.0/24'), peer('192.0.2.4', '10.244.4.0/24')] };

test('a peer is meant in each network that has it there, by public IP, subnet or the address of a pod', (t) => {
  const byPod = choosePeer([RED, BLUE], '10.244.2.7');
  t.deepEqual([...byPod.publicIps], ['192.0.2.2', '192.0.2.3']);
  t.is(byPod.filterOn(underlay('red', 'blue')), 'host 192.0.2.2 or host 192.0.2.3');
  t.is(byPod.filterOn(overlay('red')), 'net 10.244.2.0/24');
  const byIp = choosePeer([RED, BLUE], '192.0.2.3');
  t.is(byIp.filterOn(overlay('red')), 'net 10.244.3.0/24');
  t.is(byIp.filterOn(overlay('blue')), 'net 10.244.2.0/24');
  t.is(byIp.filterOn(underlay('red', 'blue')), 'host 192.0.2.3');
  const inBlue = choosePeer([RED, BLUE], '10.244.4.0/24');
  t.is(inBlue.filterOn(overlay('red')), undefined);
  t.is(inBlue.filterOn(overlay('blue')), 'net 10.244.4.0/24');
  t.throws(() => choosePeer([RED, BLUE], '10.244.9.9'), {
    message: /No peer has the public IP, subnet or pod address/,
  });
  t.throws(() => choosePeer([RED], 'nobody'), { message: /is no address and no subnet/ });
});

test("what host-gw sends has the pods' addresses, on the underlay too", (t) => {
  const edge = { kind: 'underlay', networks: [carried('red', 'none')] } as const;
  t.is(choosePeer([RED], '192.0.2.2').filterOn(edge), 'net 10.244.2.0/24');
});

test('peers of several networks keep their network', (t) => {
  t.deepEqual(
    namedPeers([RED, BLUE]).map(({ network, name }) => `${network} ${name}`),
    ['red 192.0.2.2', 'red 192.0.2.3', 'blue 192.0.2.3', 'blue 192.0.2.4'],
  );
});
