import test from 'ava';
import { formatLeases } from '../../lib/wireshark/leases.ts';
import { PEERS, STATUS } from '../cli/replies.ts';

test('leases are a node a line: subnets, addresses, VNI and MACs; ignored ones are left out', (t) => {
  const [network] = STATUS.networks;
  const backend = { ...network!.backend!, vni: 1, vtepMac: '02:00:00:00:00:01' };
  const report = { ...network!, name: 'blue', backend };
  t.is(
    formatLeases([{ report, peers: PEERS.peers }]),
    `# Leases for the Wireshark dissector weft.lua: subnets, node, VNI and MAC of its VTEP.
# network blue
10.244.30.0/24 192.0.2.1 vni=1 mac=02:00:00:00:00:01
10.244.99.0/24 192.0.2.2
`,
  );
});

test('a network without a lease has its peers all the same', (t) => {
  const report = { ...STATUS.networks[0]!, lease: null };
  const peers = [{ ...PEERS.peers[0]!, ipv6Subnet: 'fd00:0:0:99::/64', publicIpv6: '2001:db8::2' }];
  t.is(formatLeases([{ report, peers }]).split('\n')[1], '10.244.99.0/24 fd00:0:0:99::/64 192.0.2.2 2001:db8::2');
});
