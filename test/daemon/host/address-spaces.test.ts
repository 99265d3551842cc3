import test from 'ava';
import type { NetworkOptions } from '../../../lib/daemon/cmdline/network-flag.ts';
import { AddressSpaces } from '../../../lib/daemon/host/address-spaces.ts';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';

const network = (name: string, netns?: string): NetworkOptions => ({
  name,
  etcdPrefix: `/${name}`,
  subnetFile: `/${name}.env`,
  netns,
});
const config = (ipv4: string, ipv6?: string) =>
  parseNetworkConfig(JSON.stringify({ Network: ipv4, ...(ipv6 && { EnableIPv6: true, IPv6Network: ipv6 }) }));

test('networks that overlap are kept apart by their namespaces', (t) => {
  const spaces = new AddressSpaces();
  spaces.claim(network('blue'), config('10.5.0.0/16'));
  spaces.claim(network('green', '/run/netns/green'), config('10.5.0.0/16'));
  spaces.claim(network('red', '/run/netns/red'), config('10.0.0.0/8'));
  spaces.claim(network('white'), config('10.6.0.0/16'));
  t.throws(() => spaces.claim(network('black'), config('10.4.0.0/14')), {
    code: 'NETWORK_OVERLAP',
    message: '10.4.0.0/14 of network "black" overlaps 10.5.0.0/16 of "blue", and both are without netns=',
  });
  t.throws(() => spaces.claim(network('black', '/run/netns/red'), config('10.9.0.0/16')), {
    message: /overlaps 10\.0\.0\.0\/8 of "red", and both are in \/run\/netns\/red$/,
  });
});

test('IPv6 networks are compared too', (t) => {
  const spaces = new AddressSpaces();
  spaces.claim(network('blue'), config('10.5.0.0/16', 'fd00:5::/48'));
  t.throws(() => spaces.claim(network('red'), config('10.6.0.0/16', 'fd00:5::/40')), { code: 'NETWORK_OVERLAP' });
  t.notThrows(() => spaces.claim(network('red'), config('10.6.0.0/16', 'fd00:6::/48')));
});

test('what was given back can be taken by another', (t) => {
  const spaces = new AddressSpaces();
  const release = spaces.claim(network('blue'), config('10.5.0.0/16'));
  t.throws(() => spaces.claim(network('red'), config('10.5.0.0/16')));
  release();
  t.notThrows(() => spaces.claim(network('red'), config('10.5.0.0/16')));
});
