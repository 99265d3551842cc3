import test from 'ava';
import { parseIpv4 } from '../../../lib/addr/ipv4.ts';
import { Firewall } from '../../../lib/observe/trace/firewall.ts';
import type { HostTables } from '../../../lib/observe/trace/host-tables.ts';
import { passageSuspects } from '../../../lib/observe/trace/suspects.ts';

const EMPTY: HostTables = {
  links: [],
  addresses: [],
  neighbors: [],
  routes: [],
  routeTo: () => ({ route: undefined, device: 'cni0', error: undefined }),
  link: () => undefined,
  forwards: true,
  rpFilter: () => 0,
  forwarding: () => true,
  firewall: Firewall.parse('{"nftables":[]}'),
  firewallReason: '',
  hasLegacyFilter: false,
};

const PASSAGE = {
  stage: 'forward',
  iif: 'cni0',
  oif: 'flannel0',
  source: parseIpv4('10.244.1.2')!,
  destination: parseIpv4('10.244.2.2')!,
  protocol: 'icmp',
  destinationPort: undefined,
  where: ' on h1',
} as const;

test('a host that forwards and filters nothing has no suspects', (t) => {
  t.deepEqual(passageSuspects(EMPTY, PASSAGE), []);
});

test('rules of iptables-legacy, which nft does not list, are said to be unknown, with what shows them', (t) => {
  const suspects = passageSuspects({ ...EMPTY, hasLegacyFilter: true }, PASSAGE);
  t.deepEqual(
    suspects.map(({ code, hint, certain }) => ({ code, hint, certain })),
    [{ code: 'firewall-forward', hint: 'iptables-legacy -S FORWARD', certain: false }],
  );
  t.is(suspects[0]!.text, 'rules of iptables-legacy on h1, which are not judged here, may drop it');
  const unread = { ...EMPTY, firewall: undefined, firewallReason: 'nft is not installed', hasLegacyFilter: true };
  t.deepEqual(passageSuspects(unread, { ...PASSAGE, oif: undefined })[0]!.hint, 'iptables-legacy -S INPUT');
});
