import test from 'ava';
import { formatIp, type IpAddress } from '../../../lib/addr/ip.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixContains } from '../../../lib/addr/prefix.ts';
import { gatewaysOf } from '../../../lib/backend/vxlan/gateways.ts';
import { sortVteps4, type Vtep } from '../../../lib/backend/vxlan/leases.ts';
import type { Lease } from '../../../lib/lease/lease.ts';
import { decodeLeaseAttrs } from '../../../lib/lease/lease-attrs.ts';
import { parseSubnetKey } from '../../../lib/lease/subnet-key.ts';
import { Dice } from '../../golden/dice.ts';
import { slowLookup } from '../../golden/lpm.ts';

const vtep = (mac: number, ...subnets: readonly string[]): Vtep => ({
  address: 0xc0000200 + mac,
  mac,
  subnets: subnets.map((text) => parsePrefix(text)!),
});

function gateways(...vteps: readonly Vtep[]): string {
  return [...gatewaysOf(vteps)].map(([prefix, gateway]) => `${formatPrefix(prefix)} ${formatIp(gateway)}`).join();
}

test('a subnet has its base for a gateway, as in flannel', (t) => {
  t.is(gateways(vtep(1, '10.5.1.0/24'), vtep(2, '10.5.2.0/24')), '10.5.1.0/24 10.5.1.0,10.5.2.0/24 10.5.2.0');
  t.is(gateways(vtep(1, 'fd00:1::/64')), 'fd00:1::/64 fd00:1::');
});

test('of subnets with one base the longest has it, a wider one another address of its own (L15, S4)', (t) => {
  t.is(
    gateways(vtep(1, '10.5.0.0/22'), vtep(2, '10.5.0.0/24'), vtep(3, '10.5.0.0/31')),
    '10.5.0.0/31 10.5.0.0,10.5.0.0/24 10.5.0.255,10.5.0.0/22 10.5.3.255',
  );
  t.is(gateways(vtep(1, 'fd00::/62'), vtep(2, 'fd00::/64')), 'fd00::/64 fd00::,fd00::/62 fd00::3:ffff:ffff:ffff:ffff');
  t.is(
    gateways(vtep(1, '10.5.0.0/22'), vtep(2, '10.5.2.0/23'), vtep(3, '10.5.0.0/24', '10.5.2.0/24')),
    '10.5.0.0/24 10.5.0.0,10.5.2.0/24 10.5.2.0,10.5.2.0/23 10.5.3.255,10.5.0.0/22 10.5.3.254',
  );
  t.is(gateways(vtep(1, '10.5.0.0/22', '10.5.0.0/24')), '10.5.0.0/24 10.5.0.0,10.5.0.0/22 10.5.0.0', 'of one node');
});

/** Which VTEP the kernel sends a packet to: the longest route's gateway, that gateway's neighbour. */
function byKernel(vteps: readonly Vtep[], address: IpAddress): number | undefined {
  const chosen = gatewaysOf(vteps);
  const subnets = vteps.flatMap(({ mac, subnets: all }) => all.map((prefix) => ({ prefix, mac })));
  const neighbors = new Map(subnets.map(({ prefix, mac }) => [chosen.get(prefix)!, mac]));
  const host: Prefix = { family: 4, address: address as number, length: 32 };
  const routes = subnets.filter(({ prefix }) => prefixContains(prefix, host));
  const [longest] = routes.toSorted((a, b) => b.prefix.length - a.prefix.length);
  return longest && neighbors.get(chosen.get(longest.prefix)!);
}

test('whoever has an address has it both ways: by the routes and neighbours out, by the source check in (L15)', (t) => {
  const dice = new Dice();
  for (let round = 0; round < 300; round++) {
    const leases: Lease[] = Array.from({ length: 12 }, (_, n) => ({
      subnets: parseSubnetKey(
        dice
          .pick([24, 24, 25, 23, 22, 31])
          .toString()
          .replace(/^(.*)$/, (length) => `10.5.${dice.below(2) * 4}.0-${length}`),
      )!,
      attrs: decodeLeaseAttrs(
        `{"PublicIP":"192.0.2.${n}","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:${10 + dice.below(20)}"}}`,
      ),
      expiresAtMs: undefined,
    }));
    const { vteps } = sortVteps4(leases, { vni: 1, mac: 0x02ff_0000_0000 });
    const routes = vteps.flatMap(({ mac, subnets }) => subnets.map((prefix) => ({ prefix, peer: mac })));
    for (let i = 0; i < 50; i++) {
      const address = 0x0a05_0000 + dice.below(0x800);
      t.is(byKernel(vteps, address), slowLookup(routes, 4, address), `WEFT_SEED=${dice.seed} ${formatIp(address)}`);
    }
  }
});
